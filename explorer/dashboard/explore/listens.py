"""Pieces that show and play sounds: what the gallery and the closer look have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param

from explorer.audio.frequency_axis import AXIS_KINDS
from explorer.audio.listening import NOTES, Listening
from explorer.dashboard.explore.cards import card, row_of, target
from explorer.dashboard.explore.why import Why, explain
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import Piece
from explorer.dashboard.state.state import State
from explorer.errors import ExplorerError, ParameterError

MOST_PICTURES = 60
JUDGEMENTS = ("positive", "negative", "unsure")
PRESETS = [{"value": name, "note": note} for name, note in NOTES.items()]


class Listens(Piece):
    """A piece with pictures and sounds, which follow how the session listens.

    Pictures and sounds are asked for and sent by messages, since they are too heavy to be kept as
    parameters; each carries ``key``, the settings and theme that it was made with.
    """

    listening = param.Dict(doc="All settings, as plain values.")
    key = param.String(doc="Settings and theme, as pictures and sounds are told apart by.")
    changed = param.Boolean(doc="Whether the settings are other than their preset's.")
    presets = param.List(default=PRESETS)
    axes = param.List(default=list(AXIS_KINDS))
    memory = param.String(doc="Under which name a browser remembers the settings.")
    target = param.Dict(default=None, allow_None=True, doc="The active class: name, shape, style.")
    threshold = param.Number(default=0.5)
    theme = param.String(default="light")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        super().__init__(
            state,
            desk,
            theme=state.theme,
            memory=f"explorer.listening.{state.collection.name}",
            **params,
        )
        self._pictures = pictures
        self._wanted: tuple[tuple[int, ...], str] = ((), "")
        state.param.watch(self._listen, ["listening", "theme"])
        self._mine = (id(self), "pictures")
        desk.at_end(lambda: pictures.forget(self._mine))
        self._listen()

    # --- what the person does ---------------------------------------------------------------

    def do_judge(self, judgement: str, rows: list[int]) -> None:
        """Yes, no or unsure to one window or several."""
        if judgement not in JUDGEMENTS:
            raise ParameterError(f"{judgement!r} is no judgement")
        self.state.judge([row_of(self.state, row) for row in rows], judgement)  # type: ignore[arg-type]

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.state.undo()

    def do_like(self, row: int) -> None:
        """More like this one."""
        self.state.search_like(row_of(self.state, row))

    def do_listening(self, values: dict[str, Any]) -> None:
        """Draw and play sounds in another way."""
        self.state.listening = Listening.from_dict(values)

    def do_pictures(self, rows: list[int]) -> None:
        """The screen lacks these pictures; earlier wishes are forgotten."""
        wanted = tuple(row_of(self.state, row) for row in rows[:MOST_PICTURES])
        self._wanted = (wanted, self.key)
        self._pictures.forget(self._mine)
        for row in wanted:
            self._pictures.submit(self._draw, row, self.state.listening, self.key, who=self._mine)

    def do_sound(self, row: int) -> None:
        """A window is to be heard."""
        row, listening, key = row_of(self.state, row), self.state.listening, self.key
        self._send_soon(
            {"kind": "sound", "row": row, "key": key},
            lambda: self._pictures.sound(row, listening).message(),
        )

    def do_why(self, row: int) -> None:
        """Tell which labels speak for a window's score, and which against it."""
        learned, name, row = self.state.learned, self.state.active or "", row_of(self.state, row)
        if self.state.place == "study":
            raise ParameterError("in a study nothing is told of a window before it is answered")
        self.desk.run(lambda: explain(learned, row, name), self._tell_why, "")

    def _tell_why(self, why: Why) -> None:
        proofs = [
            card(self.state, proof.row) | {"label": proof.label, "weight": proof.weight}
            for proof in why.proofs
        ]
        self.tell(kind="why", row=why.row, proofs=proofs, sentence=why.sentence)

    # --- in threads -------------------------------------------------------------------------

    def _draw(self, row: int, listening: Listening, key: str) -> None:
        rows, now = self._wanted
        if row not in rows or key != now:
            return
        message: dict[str, Any] = {"kind": "picture", "row": row, "key": key}
        theme = "dark" if key.endswith("/dark") else "light"
        try:
            message |= self._pictures.picture(row, listening, theme).message()  # type: ignore[arg-type]
        except ExplorerError as error:
            message |= {"error": str(error)}
        except Exception as error:
            message |= {"error": "this window could not be drawn"}
            self.desk.soon(self.desk.report, error)
        self.desk.soon(lambda: self.tell(**message))

    def _send_soon(self, message: dict[str, Any], make: Callable[[], dict[str, Any]]) -> None:
        """Make the rest of a message in a thread, then send it; what fails is told."""

        def work() -> None:
            try:
                whole = message | make()
            except Exception as error:
                self.desk.soon(self.desk.report, error)
                whole = message | {"failed": True}
            self.desk.soon(lambda: self.tell(**whole))

        self._pictures.submit(work, who=id(self))

    # --- what is shown ----------------------------------------------------------------------

    def _listen(self, *_: Any) -> None:
        listening, theme = self.state.listening, self.state.theme
        self.param.update(
            listening=listening.values(),
            key=f"{listening.as_text()}/{theme}",
            changed=listening.changed,
            theme=theme,
        )

    def _aim(self) -> None:
        self.param.update(target=target(self.state), threshold=self.state.threshold)
