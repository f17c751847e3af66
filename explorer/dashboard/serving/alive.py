"""Whether the server is there, for a page that has lost it."""

from __future__ import annotations

from tornado.web import RequestHandler


class Alive(RequestHandler):
    """Answers to anybody, and tells nothing else."""

    def get(self) -> None:
        """Say yes."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("alive")
