"""The served dashboard: one page per collection, one state per session.

What is served is the screen and what is asked for on it by window number; no folder is. Only pages
that came from this server may open its websocket. With ``users``, a file of accounts, nobody gets
in without a name and its password, labels carry that name, and each may do what her role allows.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn
from tornado.websocket import WebSocketClosedError

from explorer.dashboard.app import desks, make_app, preload
from explorer.dashboard.frame.connection import quiet
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.serving.alive import Alive, NotHere
from explorer.dashboard.serving.entry import Entry, OAuth, entry
from explorer.dashboard.serving.memory import give_back
from explorer.dashboard.serving.origins import ALL, allow, is_local, names
from explorer.dashboard.serving.pages import TITLE, index, message
from explorer.errors import ExplorerError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

log = logging.getLogger(__name__)

TAKEN = ("login", "logout", "alive", "static", "ws", "workshop")
"""Addresses that mean something else."""

DASHBOARD = "/dashboard"
"""Where the dashboard is while a workshop has the first page."""

SWITCH_S = 0.001

PAGE_CSS = "html, body { height: 100%; margin: 0; padding: 0; overflow: hidden; }"


def serve(
    collections: Collection | Sequence[Collection],
    *,
    port: int = 5006,
    address: str = "localhost",
    users: str | Path | None = None,
    oauth: OAuth | None = None,
    roles: str | Path | None = None,
    role: str | None = None,
    workshop: bool = False,
    show: bool = True,
    origins: Sequence[str] = (),
    behind_proxy: bool = False,
    on_ready: Callable[[str], None] | None = None,
    on_classroom: Callable[[str], None] | None = None,
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
        File of accounts with hashed passwords and roles, made by ``explorer users``.
    oauth
        Logging in with accounts elsewhere, in place of ``users``.
    roles
        With ``oauth``: JSON file of names and roles, ``{"ada@reef.example": "owner"}``.
    role
        What everybody may do who has no role of her own: viewer, annotator or owner. Without
        accounts that is everybody, and an owner unless said otherwise.
    workshop
        Serve the pages of the classroom too (`explorer.dashboard.workshop`).
    show
        Open the browser.
    origins
        Further host names (``host:port``) under which the server is reached, e.g. through a proxy.
    behind_proxy
        Believe a proxy's headers about who asks and whether by https. Only where there is one, or
        anybody can claim to be anywhere.
    on_ready
        Called with the address of the first page once it can be opened.
    on_classroom
        Called with what a teacher has to know: where to go, and her code.

    Raises
    ------
    ParameterError
        If there is no collection, or a file of accounts or roles is not one.
    """
    give_back()
    # Threads that compute release the interpreter in many small steps; a click waits less for them.
    sys.setswitchinterval(SWITCH_S)
    logging.getLogger("asyncio").addFilter(is_news)
    server = make_server(
        collections,
        port=port,
        address=address,
        users=users,
        oauth=oauth,
        roles=roles,
        role=role,
        workshop=workshop,
        origins=origins,
        behind_proxy=behind_proxy,
    )
    url = f"http://{names(address)[0]}:{server.port}/"
    server.start()
    if on_ready is not None:
        server.io_loop.add_callback(on_ready, url)
    if workshop and on_classroom is not None:
        server.io_loop.add_callback(on_classroom, server.classroom.welcome(server.port))
    if show:
        server.io_loop.add_callback(server.show, "/teacher" if workshop else "/")
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        server.stop(wait=False)


def is_news(record: logging.LogRecord) -> bool:
    """Whether asyncio logs something to know: a page that was closed while it was sent to is not.

    Bokeh does not wait for what it sends, so that asyncio writes a traceback for each of them.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, WebSocketClosedError)


def make_server(
    collections: Collection | Sequence[Collection],
    *,
    port: int = 0,
    address: str = "localhost",
    users: str | Path | None = None,
    oauth: OAuth | None = None,
    roles: str | Path | None = None,
    role: str | None = None,
    workshop: bool = False,
    origins: Sequence[str] = (),
    behind_proxy: bool = False,
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
    way_in = entry(users, oauth=oauth, roles=roles, role=role)
    if not (way_in.named or workshop or is_local(address)):
        log.warning(
            "anybody who can reach %s can listen%s: give a file of users to stop that",
            address,
            "" if role == "viewer" else " and label",
        )
    preload()
    pn.config.raw_css = [PAGE_CSS]
    pn.config.exception_handler = report
    home = "./" if len(opened) > 1 else ""
    by_address = _slugs(opened)
    pages: dict[str, Any] = {
        name: _page(collection, way_in, home=home) for name, collection in by_address.items()
    }
    if len(opened) > 1:
        pages = {"/": guarded(lambda: index(by_address, log_out=way_in.log_out)), **pages}
    else:
        pages = {"/": next(iter(pages.values()))}
    classroom = _classroom(opened, address) if workshop else None
    patterns: list[Any] = [("/alive", Alive)]
    if classroom is not None:
        # Whoever sees labels knows what is right: in a room without accounts, the teacher alone.
        dashboard = pages["/"] if way_in.named else classroom.for_teacher(pages["/"])
        rooms = {place: guarded(page) for place, page in classroom.pages().items()}
        pages = {DASHBOARD: dashboard, **rooms}
        patterns += classroom.routes()
    server: Any = pn.io.server.get_server(
        pages,
        port=port,
        address=None if address in ALL else address,
        websocket_origin=["localhost"],
        title=dict.fromkeys(pages, TITLE) | {"/": TITLE},
        start=False,
        show=False,
        verbose=False,
        threaded=False,
        index=None,
        use_xheaders=behind_proxy,
        extra_patterns=patterns,
        default_handler_class=NotHere,
        **way_in.options(),
    )
    server.classroom = classroom
    allow(server, address, origins)
    return server


def guarded(page: Callable[[], Any]) -> Callable[[], Any]:
    """A page that, where it cannot be made, says so in words instead of staying blank."""

    def made() -> Any:
        document: Any = pn.state.curdoc
        if document is not None:
            document.template = asset("opening.html")
            quiet(document)
        try:
            return page()
        except ExplorerError as error:
            log.warning("a page could not be made: %s", error)
            return message("This page cannot be opened", str(error), links={"Try again": "."})
        except Exception as error:
            log.exception("a page could not be made")
            return message(
                "This page cannot be opened",
                f"It is not your fault: {type(error).__name__}: {error}. The server's log has the "
                "details. Every label is saved.",
                links={"Try again": "."},
            )

    return made


def report(error: BaseException) -> None:
    """What no view caught: into the log with its traceback, and onto the screen in words."""
    document = pn.state.curdoc
    desk = None if document is None else desks.get(document)
    if desk is None:
        log.error("in the dashboard", exc_info=error)
    else:
        desk.report(error)


def _page(collection: Collection, way_in: Entry, *, home: str) -> Callable[[], Any]:
    # A real function: Panel shows any other callable as text instead of calling it.
    def page() -> Any:
        name = pn.state.user if way_in.named else None
        role = way_in.role_of(name)
        if role is None:
            return message(
                "You are in, but not here",
                f"You are logged in as {name}, and nobody has said yet what you may do here. Ask "
                "whoever runs this server to give you a role.",
                links={"Log out": way_in.log_out},
            )
        return make_app(collection, user=name, role=role, home=home, log_out=way_in.log_out)

    return guarded(page)


def _classroom(opened: Sequence[Collection], address: str) -> Any:
    """The room in which a class answers exercises of the collection."""
    if len(opened) > 1:
        raise ParameterError("a workshop is held on one collection: serve that one alone")
    made = import_module("explorer.dashboard.workshop.pages").Classroom
    return made(opened[0], address=address, dashboard=DASHBOARD)


def _slugs(collections: Sequence[Collection]) -> dict[str, Collection]:
    """Addresses for collections: their names, made fit for an address and unique."""
    found: dict[str, Collection] = {}
    for collection in collections:
        name = "".join(c if c.isascii() and c.isalnum() else "-" for c in collection.name.lower())
        slug = "-".join(part for part in name.split("-") if part) or "collection"
        number = 2
        unique = slug
        while f"/{unique}" in found or unique in TAKEN:
            unique, number = f"{slug}-{number}", number + 1
        found[f"/{unique}"] = collection
    return found
