"""Where: a plain map of the sites, without any network, and their rates as a list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import param

from explorer.collection.places import read_position, take_in
from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

MOST_TABLE_BYTES = 2**20


class SiteMap(Piece):
    """Sites as dots, larger where more is heard per recorded hour; a press looks at one site."""

    _esm = asset("dom.js", "actogram.js", "activity-sites.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "activity.css", "activity-sites.css"),
    ]

    sites = param.List(doc="See `figures.sites_table`.")
    chosen = param.List(doc="Names of the sites that are looked at; empty for all.")
    unit = param.String(default="windows")
    style = param.Integer()
    may_place = param.Boolean(doc="Whether this person may say where sites are.")
    command = param.String(doc="How to say it on the command line.")

    def __init__(self, state: State, desk: Desk, heard: Heard, **params: Any) -> None:
        self.heard = heard
        super().__init__(
            state,
            desk,
            may_place=state.may("owner"),
            command=f'explorer sites "{state.collection.path.name}" --file sites.csv',
            **params,
        )
        heard.param.watch(self._update, ["looks"])
        self._update()

    def do_choose(self, site: str, more: bool = False) -> None:
        """Look at one site (or at one more, or one less); at all again when none is left."""
        kept = self.state.filter.sites
        if more:
            sites = tuple(s for s in kept if s != site) if site in kept else (*kept, str(site))
        else:
            sites = () if kept == (site,) else (str(site),)
        self.state.narrow(sites=sites)

    def do_all(self) -> None:
        """Look at all sites."""
        self.state.narrow(sites=())

    def do_place(self, site: str, position: str) -> None:
        """Say where a site is; an empty text forgets it."""
        self._must_own()
        place = read_position(position) if position.strip() else (None, None)
        before = self._given()
        self.state.collection.place(str(site), *place)
        self._placed([str(site)], before)

    def do_table(self, name: str, data: str) -> None:
        """Take in a table of sites from the browser."""
        self._must_own()
        if len(data) * 3 // 4 > MOST_TABLE_BYTES:
            raise ParameterError(f"{name}: a table of sites is smaller than 1 MB")
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ParameterError("the table did not arrive whole: choose it once more") from error
        before = self._given()
        report = take_in(self.state.collection, content, str(name)[:80])
        self.state.say(str(report))
        self._placed(report.placed, before)

    def _given(self) -> dict[str, tuple[float, float]]:
        """Where people said that sites are."""
        known = self.state.collection.sites
        given = known[known["source"] == "given"]
        at = zip(given["latitude"].astype(float), given["longitude"].astype(float), strict=True)
        return dict(zip(given["site"], at, strict=True))

    def _placed(self, sites: Sequence[str], before: Mapping[str, tuple[float, float]]) -> None:
        def back() -> None:
            for site in sites:
                self.state.collection.place(site, *before.get(site, (None, None)))
            self.heard.look_again()

        where = sites[0] or "the site" if len(sites) == 1 else f"{len(sites)} sites"
        self.state.remember(f"placed {where}", back)
        self.heard.look_again()

    def _must_own(self) -> None:
        if not self.state.may("owner"):
            raise ParameterError(
                f"{self.state.user} looks on here as {self.state.role}: to say where sites are "
                "takes owner rights"
            )

    def _update(self, *_: Any) -> None:
        looks, state = self.heard.looks, self.state
        if looks is None:
            return
        active = state.active_class
        self.param.update(
            sites=figures.sites_table(looks, state.collection.sites),
            chosen=list(state.filter.sites),
            unit=looks.unit,
            style=0 if active is None else active.style,
        )
