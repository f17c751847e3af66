"""Scripts of the page, packed: thirty phones fetch them at once over one room's Wi-Fi.

Bokeh's and Panel's own server sends its scripts as they are, some 3 MB to each visitor; packed once
and kept in memory, it is a quarter of that.
"""

from __future__ import annotations

import functools
import gzip
from importlib.resources import files

from tornado.web import HTTPError, RequestHandler

KEPT_S = 24 * 3600


class ScriptHandler(RequestHandler):
    """Bokeh's and Panel's scripts, packed for browsers that take it."""

    def get(self, name: str) -> None:
        """One script."""
        try:
            plain, packed = script(name)
        except FileNotFoundError as error:
            raise HTTPError(404) from error
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Vary", "Accept-Encoding")
        # The page asks with a digest in the address: another version has another address.
        self.set_header("Cache-Control", f"private, max-age={KEPT_S}, immutable")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(packed)
        else:
            self.finish(plain)


@functools.lru_cache(maxsize=16)
def script(name: str) -> tuple[bytes, bytes]:
    """A script of Bokeh's or Panel's, as it is and packed.

    Raises
    ------
    FileNotFoundError
        If there is none of that name.
    """
    panel, bokeh = files("panel") / "dist", files("bokeh") / "server" / "static" / "js"
    folder = panel if name == "panel.min.js" else bokeh
    plain = (folder / name).read_bytes()
    return plain, gzip.compress(plain, 6, mtime=0)
