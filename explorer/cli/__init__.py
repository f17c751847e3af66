"""The command line; thin: every command is a few lines over what a notebook has too."""

from explorer.cli.main import INTERRUPTED, app, main

__all__ = ["INTERRUPTED", "app", "main"]
