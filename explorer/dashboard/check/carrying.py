"""Third door: use it elsewhere. Save, write the card, and adapt what was made at another place."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import param

from explorer.dashboard.check.maps import two_maps
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import ensure_map
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.learning import Learned
from explorer.dashboard.state.state import State
from explorer.dashboard.state.visiting import (
    Visit,
    adapt,
    enter,
    keep,
    leave,
    save,
    saved,
    undo,
    visit,
)
from explorer.errors import ParameterError

MIME = {"html": "text/html", "json": "application/json"}


class Carrying(Piece):
    """Saved classifiers: made here and taken along, or brought here and adapted."""

    _esm = asset("dom.js", "files.js", "check-carry.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "check.css", "check-carry.css")]

    names = param.List(doc="Classifiers in the collection's folder.")
    made = param.Dict(default=None, allow_None=True, doc="The classifier of the labels, in words.")
    shown = param.Dict(default=None, allow_None=True, doc="The saved classifier that is open.")
    share = param.Number(default=None, allow_None=True, doc="Of the adapting, 0 to 1.")
    theme = param.String(default="light")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, theme=state.theme, **params)
        self._visit: Visit | None = None
        self._saved: tuple[Learned, str] | None = None
        state.param.watch(self._update, ["door", "learned", "classes", "active"])
        state.param.watch(self._retheme, ["theme"])
        state.param.watch(self._send_maps, ["xy"])
        self._update()

    # --- taken along ------------------------------------------------------------------------

    def do_save(self, name: str) -> None:
        """Save the classifier of the labels, with the threshold of each class."""
        self.state.must("owner", "saving")
        learned = self.state.learned
        kept = save(learned, str(name), self.state.thresholds)
        self._saved = learned, kept
        self.state.say(f"Saved as {kept}")
        self._update()

    def do_card(self, format: str) -> None:
        """The card of the classifier of the labels, or of what it was saved as."""
        if format not in MIME:
            raise ParameterError(f"a card is html or json, not {format!r}")
        state, learned = self.state, self.state.learned
        if learned.classifier is None:
            raise ParameterError("there is no classifier yet: a class needs an example first")
        name = self._saved_name()
        thresholds = state.thresholds

        def make() -> str:
            made = learned.classifier
            if name:
                made = state.collection.load_classifier(name)
            card = made.card(thresholds=thresholds)
            return str(card.to_html() if format == "html" else card.to_json())

        stem = f"{_file_name(name or state.collection.name)}-card.{format}"
        self._give(stem, MIME[format], lambda: make().encode(), "Writing the card")

    def do_file(self, name: str) -> None:
        """The file of a saved classifier, to be used in another collection."""
        if name not in saved(self.state.collection):
            raise ParameterError(f"there is no classifier {name!r} in the collection's folder")
        path = self.state.collection.path / "classifiers" / f"{name}.safetensors"
        self._give(path.name, "application/octet-stream", path.read_bytes, "Reading")

    def _give(self, name: str, mime: str, make: Callable[[], bytes], doing: str) -> None:
        def tell(data: bytes) -> None:
            text = base64.b64encode(data).decode()
            self.tell(kind="file", name=name, mime=mime, data=text)

        self.desk.run(make, tell, doing)

    def _saved_name(self) -> str:
        known = self._saved
        return known[1] if known is not None and known[0] is self.state.learned else ""

    # --- brought here -----------------------------------------------------------------------

    def do_open(self, name: str) -> None:
        """Open a saved classifier of the collection's own folder."""
        state, name = self.state, str(name)
        self.desk.run(
            lambda: visit(state.collection, state.run, name), self._set, f"Opening {name}"
        )

    def do_class(self, name: str) -> None:
        """Look at another of its classes."""
        shown = self._shown()
        shown.before.column(name)
        self._set(replace(shown, class_=name))

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
            now = self._visit
            if now is not None and now.before is begun.before:  # or it was closed meanwhile
                self._set(replace(found, class_=now.class_, thresholds=now.thresholds))

        self.desk.run(work, finish, "")

    def do_undo(self) -> None:
        """Forget what adapting found."""
        self._set(undo(self._shown()))

    def do_keep(self, name: str) -> None:
        """Save the adapted classifier."""
        self.state.must("owner", "saving a classifier")
        kept = keep(self._shown(), str(name))
        self._set(kept)
        self.state.say(f"Kept as {kept.kept}; {kept.name} is as it was")

    def do_large(self, adapted: bool) -> None:
        """See it on the large map, as it was made or as adapted."""
        shown = self._shown()
        adapted = bool(adapted) and shown.after is not None
        enter(self.state, replace(shown, adapted=adapted))
        self.state.screen = "explore"

    def do_close(self) -> None:
        """Leave the saved classifier alone."""
        self._set(None)
        leave(self.state)

    def do_hello(self) -> None:
        """The piece is on the screen: now it can be sent its maps."""
        self._send_maps()

    # --- what is shown ----------------------------------------------------------------------

    def _set(self, found: Visit | None) -> None:
        self._visit = found
        if self.state.visiting is not None and found is not None:
            enter(self.state, replace(found, colour_by=self.state.visiting.colour_by))
        self._update()
        if found is not None and self.state.xy is None:
            ensure_map(self.state, self.desk)
        self._send_maps()

    def _send_maps(self, *_: Any) -> None:
        shown, xy = self._visit, self.state.xy
        if shown is None or xy is None:
            return
        column = shown.before.column(shown.class_)
        before = shown.before.scores()[:, column]
        after = None if shown.after is None else shown.after.scores()[:, column]
        self.tell(kind="maps", **two_maps(xy, before, after, shown.threshold).message())

    def _shown(self) -> Visit:
        if self._visit is None:
            raise ParameterError("open a saved classifier first")
        return self._visit

    def _follow(self, share: float) -> None:
        if self.share is not None:
            self.share = max(self.share, share)

    def _retheme(self, *_: Any) -> None:
        self.theme = self.state.theme

    def _update(self, *_: Any) -> None:
        state, learned = self.state, self.state.learned
        made = None
        if learned.classifier is not None:
            made = {
                "classes": list(learned.classes),
                "name": " and ".join(learned.classes)[:60],
                "thresholds": list(state.thresholds.values()),
                "saved": self._saved_name(),
            }
        self.param.update(names=saved(state.collection), made=made, shown=_in_words(self._visit))
        self.visible = self.state.door == "carry"


def _in_words(shown: Visit | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    return {
        "name": shown.name,
        "classes": shown.before.classes,
        "class": shown.class_,
        "made_in": shown.made_in,
        "adapted": shown.after is not None,
        "threshold": shown.threshold,
        "sentence": shown.sentence,
        "advised": shown.advised,
        "kept": shown.kept,
    }


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "classifier"
