"""How good an encoder or a classifier is: retrieval (BIRB), few examples (SurfPerch), quality."""
