"""The served dashboard: one page per collection, one state per session.

What is served is the screen and what is asked for on it by window number; no folder is. Only pages
that came from this server may open its websocket. With ``users``, a file of names and passwords,
nobody gets in without one of them, and labels carry that name.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import holoviews as hv
import panel as pn

from explorer.dashboard.app import desks, make_app
from explorer.dashboard.frame.header import hours_of
from explorer.dashboard.frame.palette import theme_css
from explorer.dashboard.frame.piece import asset
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

log = logging.getLogger(__name__)

PAGE_CSS = "html, body { height: 100%; margin: 0; padding: 0; overflow: hidden; }"
TITLE = "Soundscape Explorer"


def serve(
    collections: Collection | Sequence[Collection],
    *,
    port: int = 5006,
    address: str = "localhost",
    users: str | Path | None = None,
    show: bool = True,
    origins: Sequence[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve collections until interrupted.

    Parameters
    ----------
    collections
        One or several; several get a page that lists them.
    port
        0 takes any free one.
    address
        The address to listen on. Anything but localhost lets others in: then give ``users``.
    users
        JSON file of names and passwords: ``{"ada": "…", "ben": "…"}``.
    show
        Open the browser.
    origins
        Further host names (``host:port``) under which the server is reached, e.g. through a proxy.
    on_ready
        Called with the address of the first page once it can be opened.

    Raises
    ------
    ParameterError
        If there is no collection, or the users file does not hold names and passwords.
    """
    server = make_server(collections, port=port, address=address, users=users, origins=origins)
    url = f"http://{address}:{server.port}/"
    server.start()
    if on_ready is not None:
        server.io_loop.add_callback(on_ready, url)
    if show:
        server.io_loop.add_callback(server.show, "/login" if users else "/")
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        server.stop(wait=False)


def make_server(
    collections: Collection | Sequence[Collection],
    *,
    port: int = 0,
    address: str = "localhost",
    users: str | Path | None = None,
    origins: Sequence[str] = (),
) -> Any:
    """Make the server, not yet started (`serve` starts it).

    Returns
    -------
    bokeh.server.server.Server
        With ``start()``, ``stop()``, ``port`` and ``io_loop``.
    """
    opened = list(collections) if isinstance(collections, Sequence) else [collections]
    if not opened:
        raise ParameterError("there is no collection to serve")
    accounts = None if users is None else read_users(users)
    if accounts is None and not _is_local(address):
        log.warning(
            "anybody who can reach %s can listen and label: give a file of users to stop that",
            address,
        )
    hv.extension("bokeh", logo=False)
    pn.config.raw_css = [PAGE_CSS]
    pn.config.exception_handler = _report
    log_out = "/logout" if accounts else ""
    pages: dict[str, Any] = {}
    home = "/" if len(opened) > 1 else ""
    for name, collection in _slugs(opened).items():
        pages[name] = _page(collection, home=home, log_out=log_out)
    if len(opened) > 1:
        titles = dict(zip(pages, opened, strict=True))
        pages = {"/": lambda: _index(titles), **pages}
    else:
        pages = {"/": next(iter(pages.values()))}
    options: dict[str, Any] = {}
    if accounts is not None:
        assets = files("explorer.dashboard") / "assets"
        options = {
            # A file of users, read anew at each login. A single password would not check names.
            "basic_auth": str(Path(users).resolve()),  # type: ignore[arg-type]
            "cookie_secret": secrets.token_hex(32),
            "login_template": str(assets / "login.html"),
            "logout_template": str(assets / "logout.html"),
        }
    server = pn.io.server.get_server(
        pages,
        port=port,
        address=None if address in ("0.0.0.0", "::") else address,  # noqa: S104
        websocket_origin=["localhost"],
        title=dict.fromkeys(pages, TITLE) | {"/": TITLE},
        start=False,
        show=False,
        verbose=False,
        threaded=False,
        index=None,
        **options,
    )
    _allow_origins(server, address, origins)
    return server


def read_users(path: str | Path) -> Mapping[str, str]:
    """Read a file of users, ``{"name": "password", …}``.

    Raises
    ------
    ParameterError
        If it is missing or is anything else; a bare password, in particular, would let in every
        name that is typed.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{path}: the users file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ParameterError(f"{path}: the users file is not JSON ({error})") from error
    fine = (
        isinstance(found, dict)
        and found
        and all(isinstance(word, str) and word for pair in found.items() for word in pair)
    )
    if not fine:
        raise ParameterError(
            f'{path}: write names and passwords, such as {{"ada": "a long password"}}'
        )
    return found


def _page(collection: Collection, *, home: str, log_out: str) -> Callable[[], Any]:
    # A real function: Panel shows any other callable as text instead of calling it.
    def page() -> Any:
        return make_app(collection, user=pn.state.user or None, home=home, log_out=log_out)

    return page


def _index(pages: Mapping[str, Collection]) -> Any:
    """The page that lists the collections; their names are hostile text."""
    items = []
    for address, collection in pages.items():
        n = len(collection.recordings)
        facts = f"{n:,} recordings · {hours_of(collection)}"
        items.append(
            f'<li><a href=".{escape(address)}"><b>{escape(collection.name)}</b>'
            f"<span>{escape(facts)}</span></a></li>"
        )
    html = f"<main><h1>{TITLE}</h1><ul>{''.join(items)}</ul></main>"
    return pn.pane.HTML(
        html,
        css_classes=["explorer-index", "light"],
        stylesheets=[theme_css(), asset("index.css")],
        sizing_mode="stretch_both",
        margin=0,
        styles={"height": "100vh"},
    )


def _slugs(collections: Sequence[Collection]) -> dict[str, Collection]:
    """Addresses for collections: their names, made fit for an address and unique."""
    found: dict[str, Collection] = {}
    for collection in collections:
        name = "".join(c if c.isascii() and c.isalnum() else "-" for c in collection.name.lower())
        slug = "-".join(part for part in name.split("-") if part) or "collection"
        number = 2
        unique = slug
        while f"/{unique}" in found:
            unique, number = f"{slug}-{number}", number + 1
        found[f"/{unique}"] = collection
    return found


def _allow_origins(server: Any, address: str, origins: Sequence[str]) -> None:
    """Only pages of this very server may open its websocket; the port is known only now."""
    hosts = {address} | ({"localhost", "127.0.0.1"} if _is_local(address) else set())
    allowed = {f"{host}:{server.port}".lower() for host in hosts} | {o.lower() for o in origins}
    server._tornado._websocket_origins = allowed


def _is_local(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _report(error: BaseException) -> None:
    """What no view caught: into the log with its traceback, and onto the screen in words."""
    desk = desks.get(pn.state.curdoc)
    if desk is None:
        log.error("in the dashboard", exc_info=error)
    else:
        desk.report(error)
