"""The screen "Check": how far a classifier can be trusted, and what to do next."""
