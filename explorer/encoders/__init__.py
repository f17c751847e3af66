"""Encoders: windows of sound in, embeddings out, on torch."""
