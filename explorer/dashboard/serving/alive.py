"""Answers of the server that are no pages of the dashboard: that it is there, and what is not."""

from __future__ import annotations

from jinja2 import Environment
from tornado.web import RequestHandler

from explorer.dashboard.frame.piece import asset

_templates = Environment(autoescape=True)


class Alive(RequestHandler):
    """Whether the server is there, for a page that has lost it; tells nothing else."""

    def get(self) -> None:
        """Say yes."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("alive")


class NotHere(RequestHandler):
    """An address at which there is nothing."""

    def prepare(self) -> None:
        """Say so in words, whatever is asked for."""
        self.set_status(404)
        page = _templates.from_string(asset("nothere.html"))
        # From any depth back to the first page, also behind a proxy.
        depth = self.request.path.strip("/").count("/")
        self.finish(page.render(first="../" * depth or "./"))
