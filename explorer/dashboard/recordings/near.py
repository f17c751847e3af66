"""Whether a person sits at the machine that serves: only then may a folder of it be named.

A folder's name that is typed into a page is read on the server. To somebody elsewhere that would
tell which folders there are, so it is taken in a notebook and from this very machine alone.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import panel as pn

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.state import State

FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")
"""What proxies add: behind one everybody seems to sit at this machine."""

NOT_OWNER = "Adding recordings takes owner rights: ask whoever runs this server."
FAR = (
    "A folder can only be named by somebody who sits at the machine that serves, as it is read "
    "there. On that machine, run:"
)


def why_not(state: State, desk: Desk) -> str:
    """Why this person may not name a folder here; empty where they may."""
    if not state.may("owner"):
        return NOT_OWNER
    document = pn.state.curdoc
    if not desk.served:
        return ""
    context = None if document is None else document.session_context
    request = getattr(context, "request", None)
    return "" if request is not None and is_near(request) and not _reached_by_other_names() else FAR


def is_near(request: Any) -> bool:
    """Whether a page was asked for on this machine, by its local name, and not through a proxy."""
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    if any(name in headers for name in FORWARDED):
        return False
    return is_loopback(str(getattr(request, "remote_ip", ""))) and is_loopback(
        _host(headers.get("host", ""))
    )


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine itself.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(address: str) -> str:
    """The name in ``name:port``."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if ":" in address else address


def _reached_by_other_names() -> bool:
    """Whether a server of this program lets pages of other names in, as behind a proxy."""
    names: set[str] = set()
    try:
        for server, *_ in pn.state._servers.values():
            names |= set(server._tornado._websocket_origins)
    except AttributeError:  # another version of the server: rather say no
        return True
    return any(not is_loopback(_host(name)) for name in names)
