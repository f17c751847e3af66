"""From which pages the server may be spoken to: its own, under the names that this machine has.

A page from elsewhere, open in the same browser, must not be able to use the websocket. Names that
point here only by somebody else's word (DNS) are not taken: a proxy's name is given by the person
who serves.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import psutil
from tornado.ioloop import PeriodicCallback

ALL = ("0.0.0.0", "::", "")  # noqa: S104 - these are compared, not listened on
LOOK_AGAIN_S = 20
"""A laptop may join another network while it serves."""


def is_local(address: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def numbers() -> list[str]:
    """IPv4 addresses of this machine in its networks."""
    found = [
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family == socket.AF_INET and not is_local(one.address)
    ]
    return sorted(set(found), key=lambda one: (one.startswith("169.254."), one))


def names(address: str) -> list[str]:
    """What people may type to reach a server that listens on an address; the best first."""
    if is_local(address):
        return ["localhost", "127.0.0.1", address]
    if address not in ALL:
        return [address]
    host = socket.gethostname()
    called = [] if host == "localhost" else [host, f"{host.removesuffix('.local')}.local"]
    return [*numbers(), *called, "localhost", "127.0.0.1"]


def allow(server: Any, address: str, further: Sequence[str]) -> None:
    """Let only pages of this very server open its websocket; its port is known only now."""

    def look() -> None:
        hosts = {f"{name}:{server.port}".lower() for name in names(address)}
        if server.port == 80:
            hosts |= {name.lower() for name in names(address)}
        server._tornado._websocket_origins = hosts | {one.lower() for one in further}

    look()
    if address in ALL:
        server._look_again = PeriodicCallback(look, LOOK_AGAIN_S * 1000)
        server.io_loop.add_callback(server._look_again.start)
