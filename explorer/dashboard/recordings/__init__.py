"""Recordings: what is there, how the recorders fared, what could not be read, and long work."""
