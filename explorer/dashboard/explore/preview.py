"""Below the classes: a saved classifier on the map, and what adapting it to this place changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.dashboard.state.visiting import Visit, adapt, keep, saved, undo, visit
from explorer.errors import ParameterError


class Preview(Piece):
    """Opens a saved classifier, adapts it, and shows before and after; keeps it when told to."""

    _esm = asset("dom.js", "preview.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "preview.css")]

    names = param.List(doc="Classifiers in the collection's folder.")
    shown = param.Dict(default=None, allow_None=True, doc="The classifier on the map, in words.")
    share = param.Number(default=None, allow_None=True, doc="Of the adapting, 0 to 1.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        self._colour_by = state.colour_by
        state.param.watch(self._update, ["visiting"])
        self._update()

    def do_open(self, name: str) -> None:
        """Show a saved classifier of the collection's own folder."""
        state, name = self.state, str(name)
        self.desk.run(
            lambda: visit(state.collection, state.run, name), self._show, f"Opening {name}"
        )

    def do_class(self, name: str) -> None:
        """Show another of its classes."""
        shown = self._shown()
        shown.before.column(name)
        self.state.visiting = replace(shown, class_=name)

    def do_adapt(self) -> None:
        """Adapt it to this place; nothing is saved."""
        if self.share is not None:
            return
        begun, self.share = self._shown(), 0.0

        def work() -> Visit | Exception:
            try:
                return adapt(begun, lambda share: self.desk.soon(self._follow, share))
            except Exception as error:
                return error

        def finish(found: Visit | Exception) -> None:
            self.share = None
            if isinstance(found, Exception):
                raise found
            now = self.state.visiting
            if now is not None and now.before is begun.before:  # or it was closed meanwhile
                self.state.visiting = replace(found, class_=now.class_, threshold=now.threshold)

        self.desk.run(work, finish, "")

    def do_switch(self, adapted: bool) -> None:
        """Before, or after."""
        self.state.visiting = replace(self._shown(), adapted=bool(adapted))

    def do_undo(self) -> None:
        """Forget what adapting found."""
        self.state.visiting = undo(self._shown())

    def do_keep(self, name: str) -> None:
        """Save the adapted classifier."""
        self.state.must("owner", "saving a classifier")
        self.state.visiting = keep(self._shown(), str(name))
        self.state.say(f"Kept as {self.state.visiting.kept}; {self._shown().name} is as it was")

    def do_close(self) -> None:
        """Back to the classes of this screen."""
        self.state.param.update(visiting=None, colour_by=self._colour_by)

    def _show(self, found: Visit) -> None:
        if self.state.visiting is None:
            self._colour_by = self.state.colour_by
        self.state.param.update(visiting=found, colour_by="score")

    def _shown(self) -> Visit:
        shown = self.state.visiting
        if shown is None:
            raise ParameterError("open a saved classifier first")
        found: Visit = shown
        return found

    def _follow(self, share: float) -> None:
        if self.share is not None:
            self.share = max(self.share, share)

    def _update(self, *_: Any) -> None:
        self.param.update(names=saved(self.state.collection), shown=_in_words(self.state.visiting))
        self.visible = bool(self.names)


def _in_words(shown: Visit | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    return {
        "name": shown.name,
        "classes": shown.before.classes,
        "class": shown.class_,
        "made_in": shown.made_in,
        "can_switch": shown.after is not None,
        "adapted": shown.adapted,
        "sentence": shown.sentence,
        "advised": shown.advised,
        "kept": shown.kept,
    }
