"""A collection: the folder on disk, and the one object that a notebook holds."""
