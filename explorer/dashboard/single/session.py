"""What the cells of one notebook share: a state, its desk, and pictures.

All views of a collection (for one user and one encoder run) look at the same state, so what is
drawn around on the map in one cell is heard in the next, and a judgement recolours both. A
classifier has a state of its own, in which its scores count, whatever the labels say.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import panel as pn

from explorer.collection.classifier import Classifier
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import follow
from explorer.dashboard.frame.shared import run_with_windows, shared
from explorer.dashboard.serving.live import join
from explorer.dashboard.state.state import State
from explorer.dashboard.state.trust import Watch
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.dashboard.frame.pictures import Pictures
    from explorer.dashboard.state.learning import Learned

NOT_EMBEDDED = "{name} has no embeddings yet, so there is nothing to look at: call embed() first"

_sessions: WeakKeyDictionary[Any, WeakValueDictionary[Any, Session]] = WeakKeyDictionary()
_lock = Lock()


class ClassifierState(State):
    """A state in which one classifier's scores count; labels are kept, but teach it nothing."""

    def __init__(self, classifier: Classifier, collection: Collection, **options: Any) -> None:
        self.classifier = classifier
        super().__init__(collection, run=classifier.run, **options)
        self.param.update(colour_by="score")
        self._thresholds.update(classifier.thresholds)

    def _apply(self, learned: Learned, moves: bool = True, **then: Any) -> None:
        made = self.classifier
        scored = replace(
            learned,
            judgements={name: learned.judgements.get(name, {}) for name in made.classes},
            classes=tuple(made.classes),
            scores=made.scores()[: self.n_windows],
            classifier=made,
        )
        if self.active is None:
            then.setdefault("active", made.classes[0])
        super()._apply(scored, moves, **then)


class Session:
    """A state with all that its views need; kept for as long as one of them is.

    Attributes
    ----------
    collection
        As it is in the notebook; the state's is held at the windows that it has.
    looking
        The gallery whose sound is looked at closely: in several cells there are several.
    """

    def __init__(self, collection: Collection, state: State, pictures: Pictures) -> None:
        self.collection, self.state, self.pictures = collection, state, pictures
        self.desk = Desk(state)
        self.looking: Any = None
        Watch(state, self.desk)
        if not self.desk.served:  # at once, so that the picture of a view is of what is known
            state.refresh()
        state.background = self.desk.run
        follow(state, self.desk)
        join(state, self.desk)
        if self.desk.served:
            state.refresh()


def session(
    of: Collection | Classifier, *, user: str, run: str | None = None, role: str = "owner"
) -> Session:
    """The session of a collection, or of a classifier, that the views of a notebook share.

    Raises
    ------
    ParameterError
        If nothing is embedded yet.
    """
    classifier = of if isinstance(of, Classifier) else None
    collection = of.collection if isinstance(of, Classifier) else of
    run = of.run if isinstance(of, Classifier) else run_with_windows(collection, run)
    if run is None:
        raise ParameterError(NOT_EMBEDDED.format(name=collection.name))
    document = pn.state.curdoc if _served() else None
    key = (user, role, run, collection.n_windows(run), document and id(document))
    with _lock:
        kept = _sessions.setdefault(of, WeakValueDictionary())
        made = kept.get(key)
        if made is None:
            known = shared(collection, run)
            options: dict[str, Any] = {"user": user, "role": role, "facts": known.facts}
            if classifier is None:
                state = State(known.collection, run=run, **options)
            else:
                state = ClassifierState(classifier, known.collection, **options)
            made = kept[key] = Session(collection, state, known.pictures)
    return made


def _served() -> bool:
    document = pn.state.curdoc
    return bool(document is not None and document.session_context)
