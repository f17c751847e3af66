"""The explorer's screens, on Panel: the only place that knows a screen."""
