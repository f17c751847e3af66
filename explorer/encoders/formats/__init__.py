"""Other programs' files of weights, read in plain Python: TFLite, TensorFlow's SavedModel, ONNX.

Nothing here knows an encoder, and nothing in these files is run or unpickled.
"""
