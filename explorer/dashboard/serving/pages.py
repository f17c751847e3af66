"""Small pages around the dashboard: which collections there are, and what to do when none opens."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn

from explorer.dashboard.frame.header import hours_of
from explorer.dashboard.frame.palette import theme_css
from explorer.dashboard.frame.piece import asset

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

TITLE = "Soundscape Explorer"


def index(pages: Mapping[str, Collection], *, log_out: str = "") -> Any:
    """The page that lists the collections; their names are hostile text."""
    items = []
    for address, collection in pages.items():
        n = len(collection.recordings)
        facts = f"{n:,} recordings · {hours_of(collection)}"
        items.append(
            f'<li><a class="entry" href=".{escape(address)}"><b>{escape(collection.name)}</b>'
            f"<span>{escape(facts)}</span></a></li>"
        )
    way_out = f'<p><a href="{escape(log_out)}">Log out</a></p>' if log_out else ""
    return _page(f"<main><h1>{TITLE}</h1><ul>{''.join(items)}</ul>{way_out}</main>")


def message(headline: str, *lines: str, links: Mapping[str, str] | None = None) -> Any:
    """A page with a few sentences and where to go from there, instead of a blank one."""
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    ways = "".join(
        f'<a class="way" href="{escape(address)}">{escape(words)}</a>'
        for words, address in (links or {}).items()
    )
    return _page(f'<main role="main"><h1>{escape(headline)}</h1>{said}<p>{ways}</p></main>')


def _page(html: str) -> Any:
    light, dark = theme_css().splitlines()
    as_system = f"@media (prefers-color-scheme: dark) {{{dark.replace('.dark', '.light')}}}"
    return pn.pane.HTML(
        html,
        css_classes=["explorer-index", "light"],
        stylesheets=[light, as_system, asset("index.css")],
        sizing_mode="stretch_both",
        margin=0,
        styles={"height": "100vh"},
    )
