"""Saved classifiers: on the map, before and after adapting to this place, and how they are saved.

Nothing here writes but `keep` and `save`, and those only under a name that is free. Functions that
open, adapt or score may run in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection
    from explorer.dashboard.state.learning import Learned
    from explorer.dashboard.state.state import State


@dataclass(frozen=True, eq=False)
class Visit:
    """One class of a saved classifier, as the screen shows it.

    Attributes
    ----------
    name
        Under which the classifier is saved.
    before, after
        As it was made, and as adapted to this place; ``after`` is None until it is adapted.
    class_
        The class whose scores are shown.
    thresholds
        From which score on windows are counted, by class.
    adapted
        Whether the scores shown are those after adapting.
    sentence
        Whether the adapted one is better, and how that is known.
    advised
        False where there is evidence against keeping it.
    kept
        Under which name the adapted one is saved; empty where it is not.
    colour_by
        How the map was coloured before; see `leave`.
    """

    name: str
    before: Classifier
    class_: str
    thresholds: Mapping[str, float]
    after: Classifier | None = None
    adapted: bool = False
    sentence: str = ""
    advised: bool = True
    kept: str = ""
    colour_by: str = "class"

    @property
    def threshold(self) -> float:
        """From which score on windows of the class shown are counted."""
        return self.thresholds[self.class_]

    def counted_from(self, threshold: float) -> Visit:
        """The same, with windows of the class shown counted from another score on."""
        return replace(self, thresholds={**self.thresholds, self.class_: threshold})

    @property
    def scores(self) -> Any:
        """Scores of the class [n_windows], before or after; both are kept once they were made."""
        shown = self.after if self.adapted and self.after is not None else self.before
        return shown.scores()[:, shown.column(self.class_)]

    @property
    def title(self) -> str:
        """Whose scores these are, in a few words."""
        said = f"{self.class_}, by {self.name}"
        if self.after is None:
            return said
        return f"{said}, {'after' if self.adapted else 'before'} adapting"

    @property
    def made_in(self) -> str:
        """The collection that it was made in."""
        return "" if self.before.origin is None else self.before.origin.collection


def saved(collection: Collection) -> list[str]:
    """Names of the classifiers in the collection's own folder, those copied there among them."""
    folder = collection.path / "classifiers"
    return sorted(path.stem for path in folder.glob("*.safetensors") if path.is_file())


def visit(collection: Collection, run: str | None, name: str) -> Visit:
    """Open a saved classifier, and score every window.

    Raises
    ------
    ParameterError
        If there is none of that name in the collection's folder (a path is never taken), or it is
        of another encoder run than the one on the screen.
    """
    if name not in saved(collection):
        raise ParameterError(f"there is no classifier {name!r} in the collection's folder any more")
    # By its file, as one that was copied here is not in the catalogue.
    opened = collection.load_classifier(collection.path / "classifiers" / f"{name}.safetensors")
    if opened.run != run:
        raise ParameterError(
            f"{name} scores the run {opened.run}, and this screen shows {run}: open the dashboard "
            "on that run"
        )
    opened.scores()
    shown = Visit(name, opened, opened.classes[0], opened.cuts())
    if opened.adaptation is None:
        return shown
    before = opened.undone
    before.scores()
    return replace(
        shown,
        before=before,
        after=opened,
        adapted=True,
        sentence=str(opened.adaptation),
        kept=name,
    )


def enter(state: State, found: Visit) -> None:
    """Show a saved classifier on every view."""
    before = state.colour_by if state.visiting is None else state.visiting.colour_by
    state.param.update(visiting=replace(found, colour_by=before), colour_by="score")


def leave(state: State) -> None:
    """Back to one's own classes, and to how the map was coloured."""
    if state.visiting is not None:
        state.param.update(visiting=None, colour_by=state.visiting.colour_by)


def adapt(before: Visit, report: Callable[[float], None]) -> Visit:
    """Adapt to this place, compare, and score every window; ``report`` hears the share done."""
    after = before.before.adapt(progress=lambda share, _: report(0.6 * share))
    found = after.comparison(progress=lambda share, _: report(0.6 + 0.3 * share))
    after.scores()
    report(1.0)
    return replace(
        before, after=after, adapted=True, sentence=found.sentence, advised=found.advised
    )


def undo(shown: Visit) -> Visit:
    """The classifier as it was made, without what adapting found."""
    return Visit(
        shown.name, shown.before, shown.class_, shown.thresholds, colour_by=shown.colour_by
    )


def keep(shown: Visit, name: str) -> Visit:
    """Save the adapted classifier under a name that no other has.

    Raises
    ------
    ParameterError
        If it is not adapted, or the name is taken or cannot be one.
    """
    if shown.after is None:
        raise ParameterError("adapt it first: as it is, it is saved already")
    name = free_name(shown.after.collection, name)
    shown.after.save(name, threshold=shown.thresholds)
    return replace(shown, kept=name)


def save(learned: Learned, name: str, thresholds: Mapping[str, float]) -> str:
    """Save the classifier of the labels under a name that no other has; give that name.

    A copy of it is saved, as all sessions share the classifier itself.

    Raises
    ------
    ParameterError
        If there is none yet, or the name is taken or cannot be one.
    """
    made = learned.classifier
    if made is None:
        raise ParameterError("there is no classifier yet: a class needs an example first")
    name = free_name(made.collection, name)
    made.undone.save(name, threshold=thresholds)
    return name


def free_name(collection: Collection, name: str) -> str:
    """A name without spaces around it, refused where a classifier has it already."""
    name = name.strip()
    if name.casefold() in {one.casefold() for one in saved(collection)}:
        raise ParameterError(f"there is a classifier {name} already: give this one another name")
    return name
