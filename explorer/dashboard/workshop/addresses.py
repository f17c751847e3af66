"""Where others find this machine: its addresses on the room's network, and a code to photograph."""

from __future__ import annotations

import ipaddress
from typing import Any

import segno

from explorer.dashboard.serving.origins import ALL, is_local, names

FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")


def is_this_machine(request: Any) -> bool:
    """Whether a page was asked for on the serving machine itself, and by its own name.

    A proxy on this machine asks in the name of others, so whatever says that it was handed on is
    not from here.
    """
    if request is None or any(name in request.headers for name in FORWARDED):
        return False
    host = str(request.headers.get("Host", "")).rsplit(":", 1)[0].strip("[]")
    try:
        asked_by = ipaddress.ip_address(str(request.remote_ip))
    except (ValueError, AttributeError):
        return False
    return asked_by.is_loopback and is_local(host)


def room_urls(asked: str, served: str) -> list[str]:
    """Addresses to show to a room, best first; empty where only this machine can come in.

    Parameters
    ----------
    asked
        Host and port by which the teacher's own page was reached.
    served
        The address on which the server listens.
    """
    host, _, port = asked.rpartition(":") if ":" in asked else (asked, "", "")
    if is_local(served):
        return []
    hosts = [name for name in names(served) if not is_local(name)]
    if not is_local(host) and host not in ALL:
        # What worked for the teacher works for the room: first of all that.
        hosts = [host, *(name for name in hosts if name != host)]
    return [f"http://{name}{f':{port}' if port else ''}/" for name in hosts]


def qr_path(text: str) -> tuple[str, int]:
    """A QR code as the path of an SVG, one unit per module, and how many modules wide it is."""
    modules = [list(row) for row in segno.make_qr(text, error="m").matrix]
    runs = []
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            if not row[x]:
                x += 1
                continue
            end = x
            while end < len(row) and row[end]:
                end += 1
            runs.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = end
    return "".join(runs), len(modules)
