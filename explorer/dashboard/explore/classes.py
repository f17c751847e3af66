"""Left: the classes, what to do next, and the way out of the program for results."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import param

from explorer.dashboard.explore.export import Export, export
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.asking import Asked
from explorer.dashboard.state.state import MOST_EXAMPLES_AT_ONCE, State
from explorer.errors import ParameterError


class ClassesPanel(Piece):
    """The classes: make, choose, rename; undo; and the way out of the program for results."""

    _esm = asset("dom.js", "files.js", "classes.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "classes.css")]

    classes = param.List()
    active = param.String(default=None, allow_None=True)
    candidates = param.Integer()
    selected = param.Boolean()
    most = param.Integer(default=MOST_EXAMPLES_AT_ONCE)
    undo = param.String()
    advice = param.String()
    borderline = param.Boolean()
    study = param.Dict(default=None, allow_None=True, doc="Progress and result, in words.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        watched = ["classes", "active", "selection", "focus", "steps", "learned", "asked"]
        state.param.watch(self._update, watched)
        self._update()

    def do_new_class(self, name: str) -> None:
        """A class from the selection."""
        self.state.new_class_from_selection(str(name))

    def do_activate(self, name: str) -> None:
        """Work on another class."""
        self.state.activate(name)

    def do_rename(self, old: str, new: str) -> None:
        """Another name for a class."""
        self.state.rename(old, str(new))

    def do_show(self, place: str) -> None:
        """Show the class's labels, or what to label next."""
        if place == "borderline":
            self.state.suggest()
        else:
            self.state.place = place

    def do_count(self) -> None:
        """How much of the class is there? Begin its study, or go on with it."""
        self.state.count()

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.state.undo()

    def do_export(self, what: str, format: str) -> None:
        """Make a file of labels or detections, and hand it to the browser."""
        state = self.state

        def give(made: Export) -> None:
            self.tell(
                kind="file",
                name=made.name,
                mime=made.mime,
                data=base64.b64encode(made.data).decode(),
            )
            state.say(made.said)

        self.desk.run(lambda: export(state, what, format), give, "Writing")

    def do_exercise(self) -> None:
        """Make an exercise for a class (of people) of what is selected, or else of the labels."""
        state, name = self.state, self.state.active
        if name is None:
            raise ParameterError("an exercise asks for a class: choose or make one first")
        state.must("owner", "making exercises")
        clips: Any = state.selection if len(state.selection) else "labelled"
        self.desk.run(
            lambda: state.collection.new_exercise(name, clips, run=state.run),
            lambda made: state.say(
                f"The exercise “{made.name}” is ready: explorer serve … --workshop"
            ),
            "Making an exercise",
        )

    def _update(self, *_: Any) -> None:
        state = self.state
        self.param.update(
            classes=[
                {
                    "name": c.name,
                    "style": c.style,
                    "shape": class_shape(c.style),
                    "positives": len(c.positives),
                    "negatives": len(c.negatives),
                    "unsure": len(c.unsure),
                    "found": c.found,
                    "kept": c.kept,
                    "threshold": c.threshold,
                }
                for c in state.classes
            ],
            active=state.active,
            candidates=len(state.candidates()),
            selected=len(state.selection) > 0,
            undo=state.steps[-1].said if state.steps else "",
            advice=advice(state),
            borderline=state.scores is not None,
            study=_study_words(state.asked) if _is_of_active(state) else None,
        )


def _is_of_active(state: State) -> bool:
    return state.asked is not None and state.asked.class_ == state.active


def _study_words(asked: Asked) -> dict[str, Any]:
    return {
        "progress": asked.progress,
        "share": asked.share,
        "result": asked.result,
        "note": asked.note,
    }


def advice(state: State) -> str:  # noqa: PLR0911 - one sentence per situation
    """One or two sentences: what would help most now."""
    if not state.n_windows:
        return ""
    active = state.active_class
    if active is None:
        if not len(state.selection):
            return (
                "A class is a sound that you care about. Draw around a few points on the map, "
                "or click one, and listen to them on the right."
            )
        return (
            "Listen to a few of them. If they are one kind of sound, make it a class: every "
            "other window is then ranked by how much it is like them."
        )
    yes, no = len(active.positives), len(active.negatives)
    if not yes:
        return f"Say yes to a sound that is {active.name}: then the others can be ranked."
    if not no:
        return (
            f"Go down the ranking and say no to what is not {active.name}. "
            "A few of those teach more than many examples."
        )
    if len(state.classes) == 1:
        return (
            "With a second class, such as what is mixed up with this one, each sharpens the "
            "other: a window goes to the class that it is most like."
        )
    if yes + no < 12:
        return "“What to label next” shows the windows that would teach most, and says why."
    return (
        "Move the threshold until what lies just above it sounds right, then export the detections."
    )
