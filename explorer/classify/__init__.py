"""Few-shot methods on plain arrays: examples in, scores out."""
