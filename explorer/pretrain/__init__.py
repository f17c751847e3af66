"""Networks that are trained here: how they grow."""
