"""Geometry of vectors: arrays in, arrays out."""
