"""Right: windows to judge. Those on which people differ, or a second opinion, blind."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from explorer.collection.agreement import CATEGORIES, Voices
from explorer.dashboard.explore.cards import card, row_of
from explorer.dashboard.explore.listens import JUDGEMENTS, Listens
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.state.state import State
from explorer.dashboard.together.round import APART, MODES, SECOND, Round, to_judge
from explorer.errors import ParameterError

MOST_CARDS = 24


class Queue(Listens):
    """Cards with who said what, and one's own judgement."""

    _esm = asset("dom.js", "spectrogram.js", "player.js", "cards.js", "queue.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "spectrogram.css", "queue.css")]

    cards = param.List(doc="Windows to judge, the most contested first.")
    total = param.Integer()
    mode = param.String(default=APART)
    numbers = param.List(default=[0, 0], doc="How many there are of either kind.")
    class_ = param.String(default=None, allow_None=True)
    user = param.String()
    alone = param.Boolean(doc="Nobody else has labelled yet.")
    ready = param.Boolean()

    def __init__(
        self, state: State, desk: Desk, pictures: Pictures, round_: Round, **params: Any
    ) -> None:
        super().__init__(state, desk, pictures, user=state.user, **params)
        self._round = round_
        round_.param.watch(self._update, ["found", "items", "class_", "mode"])
        self._update()

    def do_say(self, row: int, class_: str, judgement: str) -> None:
        """One's own judgement of a window and a class."""
        if judgement not in JUDGEMENTS:
            raise ParameterError(f"{judgement!r} is no judgement")
        row, said = row_of(self.state, row), self._round.voices
        if said is None or class_ not in said.classes[said.rows == row]:
            raise ParameterError(f"nobody has judged this window and “{class_}” yet")
        self.state.judge([row], judgement, class_)  # type: ignore[arg-type]

    def do_mode(self, mode: str) -> None:
        """Disagreements, or second opinions."""
        if mode not in MODES:
            raise ParameterError(f"there is no list {mode!r}")
        self._round.show(self._round.class_, mode)

    def do_closer(self, row: int) -> None:
        """Look at a sound closely."""
        self.state.closer = row_of(self.state, row)

    def _update(self, *_: Any) -> None:
        said: Voices | None = self._round.voices
        if said is None:
            return
        round_, items = self._round, self._round.items
        other = to_judge(said, SECOND if round_.mode == APART else APART, self.state.user)
        numbers = [len(items), len(other)]
        self.param.update(
            cards=[self._card(said, int(item)) for item in items[:MOST_CARDS]],
            total=len(items),
            mode=round_.mode,
            numbers=numbers if round_.mode == APART else numbers[::-1],
            class_=round_.class_,
            alone=len(round_.found.people) < 2,
            ready=True,
        )

    def _card(self, said: Voices, item: int) -> dict[str, Any]:
        row, class_ = int(said.rows[item]), str(said.classes[item])
        style = next((c.style for c in self.state.classes if c.name == class_), 0)
        user = self.state.user
        mine = said.codes[item, said.people.index(user)] if user in said.people else -1
        blind = self._round.mode == SECOND
        told = [] if blind else [list(pair) for pair in said.said(item)]
        return card(self.state, row) | {
            "class": class_,
            "style": style,
            "shape": class_shape(style),
            "said": told,
            "mine": None if mine < 0 else CATEGORIES[int(mine)],
        }
