"""Encoders: models that turn windows of sound into embeddings.

`load` gives one by name, `available` lists what can be used on this machine. Torch is imported only
when an encoder is loaded.
"""

from explorer.encoders.registry import EncoderInfo, available, load

__all__ = ["EncoderInfo", "available", "load"]
