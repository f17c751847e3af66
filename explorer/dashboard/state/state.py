"""What the screen is about, without a screen: one `State` per session.

`State` knows no widget. What a person can do is a method (`judge`, `new_class_from_selection`,
`undo`, …); what can be seen is a parameter that views watch. Views never talk to each other.

Work that may take longer than a frame (learning, searching) goes through ``background``: in tests
and notebooks it runs at once, in the app in a thread (`explorer.dashboard.frame.desk`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import param

from explorer.audio.listening import Listening
from explorer.collection.classifier import HALF
from explorer.dashboard.state.asking import (
    WITHIN,
    Asked,
    Scope,
    Suggested,
    begin_study,
    look,
    many,
    suggest,
)
from explorer.dashboard.state.doubting import confirm
from explorer.dashboard.state.facts import WindowFacts, clock, gather
from explorer.dashboard.state.filtering import EVERYTHING, Filter
from explorer.dashboard.state.layers import CLUSTER, SPECIES, TRUST
from explorer.dashboard.state.learning import (
    Judgement,
    Learned,
    Rows,
    assign,
    learn,
    rank,
    spread,
    typical,
)
from explorer.dashboard.state.records import (
    MOST_STEPS,
    Notice,
    Similar,
    SoundClass,
    Step,
    clean_name,
    sound_classes,
)
from explorer.dashboard.state.rhythm import Rhythm
from explorer.dashboard.state.trust import Trust
from explorer.dashboard.state.visiting import Visit
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

MOST_EXAMPLES_AT_ONCE = 60
"""A class begins with clear examples: of a larger selection only the most typical are taken."""

SIMILAR = 300

SCREENS = ["explore", "check", "activity", "recordings", "together"]
COLOURS_BY = ["class", "score", "site", "hour", CLUSTER, SPECIES, TRUST]
DOORS = ["", "count", "carry"]
"""What the screen "Check" has open: nothing, a count, or the way to another place."""
ROLES = ["viewer", "annotator", "owner"]
"""Who may what: a viewer looks, an annotator labels, an owner embeds and saves as well."""
WITH_ARTICLE = {"viewer": "a viewer", "annotator": "an annotator", "owner": "an owner"}

PLACES = ["sample", "ranked", "selection", "similar", "borderline", "study", "unsure", "labelled"]

Runner = Callable[[Callable[[], Any], Callable[[Any], None], str], None]


def at_once(compute: Callable[[], Any], apply: Callable[[Any], None], doing: str) -> None:
    """Run a piece of work here and now."""
    apply(compute())


class State(param.Parameterized):
    """Everything that one session's screen is about.

    Parameters
    ----------
    collection
        An open collection.
    user
        Under which name labels are written.
    run
        Encoder run; None is the collection's current one.
    facts
        Facts about the windows, if they are at hand (they are shared between sessions).

    Examples
    --------
    >>> state = State(collection, user="ada")                 # doctest: +SKIP
    >>> state.select([3, 5, 8])                               # doctest: +SKIP
    >>> state.new_class_from_selection("grunt")               # doctest: +SKIP
    >>> state.listing("ranked")[:9]                           # doctest: +SKIP
    """

    screen: Any = param.Selector(default="explore", objects=SCREENS, doc="Which screen is open.")
    role: Any = param.Selector(default="owner", objects=ROLES, constant=True)
    filter: Any = param.ClassSelector(class_=Filter, default=EVERYTHING, doc="See `narrow`.")
    kept: Any = param.Array(
        default=None,
        allow_None=True,
        doc="Which windows the filter keeps (bool [n_windows]); None for all. Every view obeys it.",
    )
    selection: Any = param.Array(doc="Selected rows, ascending.")
    focus = param.Integer(default=None, allow_None=True, doc="Row of the card in focus.")
    closer = param.Integer(default=None, allow_None=True, doc="Row that is looked at closely.")
    listening: Any = param.ClassSelector(
        class_=Listening, default=Listening(), doc="How sounds are drawn and played."
    )
    classes = param.List(doc="SoundClass objects, in order of their first label.")
    active = param.String(default=None, allow_None=True, doc="Name of the class being worked on.")
    learned: Any = param.ClassSelector(class_=Learned, doc="Labels, classes and scores.")
    trust: Any = param.ClassSelector(class_=Trust, doc="How well classes are found, when known.")
    ranking: Any = param.Array(doc="All rows by the active class's score, best first.")
    similar: Any = param.ClassSelector(class_=Similar, default=None, allow_None=True)
    suggested: Any = param.ClassSelector(class_=Suggested, default=None, allow_None=True)
    asked: Any = param.ClassSelector(class_=Asked, default=None, allow_None=True)
    visiting: Any = param.ClassSelector(class_=Visit, default=None, allow_None=True)
    place: Any = param.Selector(default="sample", objects=PLACES, doc="What the gallery shows.")
    colour_by: Any = param.Selector(default="class", objects=COLOURS_BY)
    layers = param.Dict(default={}, doc="What else the map can be coloured by: name → `Layer`.")
    door: Any = param.Selector(default="", objects=DOORS)
    rhythm: Any = param.ClassSelector(
        class_=Rhythm, default=Rhythm(), doc="What the screen Activity shows, and how finely."
    )
    theme: Any = param.Selector(default="light", objects=["light", "dark"])
    xy: Any = param.Array(default=None, allow_None=True, doc="Projection [n, 2]; None until made.")
    jobs = param.List(doc="Long work under way for this collection: `frame.jobs.Status` objects.")
    fresh_run = param.String(
        default=None, allow_None=True, doc="A run that got windows which this session lacks."
    )
    open_run = param.String(
        default=None, allow_None=True, doc="Set it to a run to look at that one: all is made anew."
    )
    busy = param.String(default="", doc="What is being worked on, in words.")
    steps = param.List(doc="What can be undone, oldest first.")
    here = param.List(doc="Names of the people who have this collection open now.")
    news: Any = param.ClassSelector(
        class_=Notice, default=None, allow_None=True, doc="What others did, in a few words."
    )
    notice: Any = param.ClassSelector(class_=Notice, default=None, allow_None=True)

    def __init__(
        self,
        collection: Collection,
        *,
        user: str = "me",
        run: str | None = None,
        facts: WindowFacts | None = None,
        theme: str = "light",
        role: str = "owner",
    ) -> None:
        learned = Learned()
        super().__init__(
            selection=_no_rows(),
            ranking=_no_rows(),
            learned=learned,
            trust=Trust(learned),
            theme=theme,
            role=role,
        )
        self.collection = collection
        self.user = user
        self.run = run or collection.run
        if self.run is not None and not collection.n_windows(self.run):
            self.run = None  # it has just begun to be made
        self.background: Runner = at_once
        self.later: Runner = at_once
        self.caught_up_s = 0.0  # what it cost to take in what others did
        self._styles: dict[str, int] = {}
        self._thresholds: dict[str, float] = {}
        self._assigned: tuple[Learned, tuple[dict[str, float], list[int]], Any] | None = None
        self._asked = self._answered = 0
        self._moves = False
        self._looked = 0
        self._then: dict[str, Any] = {}
        self.facts: WindowFacts | None = facts
        if self.run is not None:
            self.facts = facts or gather(collection.index(self.run))
            self.xy = collection.projection(run=self.run)
        self.param.watch(self._keep, ["filter", "learned", "active"])

    # --- what is there ----------------------------------------------------------------------

    @property
    def n_windows(self) -> int:
        """How many windows there are to look at."""
        return 0 if self.facts is None else len(self.facts)

    @property
    def recordings_known(self) -> tuple[str, ...]:
        """Names of the recordings that windows are of."""
        return () if self.facts is None else self.facts.recordings

    @property
    def active_class(self) -> SoundClass | None:
        """The class being worked on."""
        return next((c for c in self.classes if c.name == self.active), None)

    @property
    def threshold(self) -> float:
        """From which score on a window counts as the active class."""
        return self._thresholds.get(self.active or "", HALF)

    @property
    def thresholds(self) -> dict[str, float]:
        """From which score on each class that has scores counts."""
        now = self._thresholds_now()
        return {name: now[name] for name in self.learned.classes}

    @property
    def scores(self) -> Any:
        """Scores of the active class [n_windows], or None before it has an example."""
        return self.scores_of(self.active)

    def scores_of(self, name: str | None) -> Any:
        """Scores of one class [n_windows], or None where it has none."""
        if self.learned.scores is None or name not in self.learned.classes:
            return None
        return self.learned.scores[:, self.learned.classes.index(name)]

    def assigned(self) -> Any:
        """Style number of the class of every window [n_windows] int16, -1 for none; never changed.

        Several views ask for it in one turn: it is kept until something else is asked.
        """
        learned, thresholds = self.learned, self._thresholds_now()
        kinds = [self._styles[name] for name in learned.classes]
        if self._assigned is not None:
            known, asked, styles = self._assigned
            if known is learned and asked == (thresholds, kinds):
                return styles
        codes = assign(learned, thresholds)
        if not len(codes):
            return np.full(self.n_windows, -1, dtype=np.int16)
        styles = np.array([*kinds, -1], dtype=np.int16)[codes]
        styles.flags.writeable = False
        self._assigned = (learned, (thresholds, kinds), styles)
        return styles

    def judgement(self, row: int, name: str | None = None) -> Judgement | None:
        """What has been said about a window and a class (the active one by default)."""
        return self.learned.judgements.get(name or self.active or "", {}).get(row)

    def candidates(self) -> Rows:
        """The rows that a new class would begin with: the selection, or the card in focus."""
        if len(self.selection):
            return self.selection
        return _no_rows() if self.focus is None else np.array([self.focus], dtype=np.int64)

    def listing(self, place: str | None = None) -> Rows:
        """The rows that the gallery shows in one of its places, in its order.

        The filter is obeyed everywhere but in a study, whose windows were drawn.
        """
        place = place or self.place
        rows = self._listing(place)
        return rows if place == "study" else self.kept_of(rows)

    def _listing(self, place: str) -> Rows:
        scores = self.scores
        if place == "ranked":
            return self.ranking
        if place == "sample":
            return _no_rows() if self.xy is None else spread(self.xy, self._all_kept())
        if place == "similar":
            return _no_rows() if self.similar is None else self.similar.rows
        if place in ("borderline", "study"):
            shown = self.suggested if place == "borderline" else self.asked
            return shown.rows if shown is not None and shown.class_ == self.active else _no_rows()
        if place == "selection":
            rows = self.selection
            return rows if scores is None else rows[rank(scores[rows])]
        judged = self.learned.judgements.get(self.active or "", {})
        wanted = {"unsure"} if place == "unsure" else {"positive", "negative", "unsure"}
        return np.array([r for r, j in judged.items() if j in wanted][::-1], dtype=np.int64)

    def kept_of(self, rows: Rows) -> Rows:
        """Those of some rows that the filter keeps, in their order."""
        return rows if self.kept is None else rows[self.kept[rows]]

    def judged(self) -> dict[int, str]:
        """What has been said of windows and the class at hand (of any class, where none is)."""
        if self.active is None:
            return {r: j for said in self.learned.judgements.values() for r, j in said.items()}
        return dict(self.learned.judgements.get(self.active, {}))

    def may(self, role: str) -> bool:
        """Whether this person may do what takes a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def refusal(self, role: str, to_do: str = "this") -> str:
        """Why this person may not do what takes a role, in words; empty if she may."""
        if self.may(role):
            return ""
        who = "annotators and owners" if role == "annotator" else "owners"
        return f"You are {WITH_ARTICLE[self.role]} here: {to_do} is for {who}."

    def must(self, role: str, to_do: str = "this") -> None:
        """Refuse what takes a role that this person does not have; before anything is written."""
        if why := self.refusal(role, to_do):
            raise ParameterError(why)

    # --- looking ----------------------------------------------------------------------------

    def narrow(self, **values: Any) -> None:
        """Look at fewer windows, or at more: set values of the `Filter`; it can be undone."""
        before, now = self.filter, self.filter.with_(**values)
        if now == before:
            return
        said = f"looked at {now.words() or 'everything'}"
        self._remember(Step(said, back={"filter": before}))
        self.filter = now

    def widen(self) -> None:
        """Look at every window again."""
        self.narrow(**{name: getattr(EVERYTHING, name) for name in self.filter.names})

    def select(self, rows: Iterable[int] | Rows, *, show: bool = True) -> None:
        """Select rows (an empty selection clears) and show them; it can be undone."""
        # A lasso may hold a million rows: an array is taken as it is, not through a list.
        given = rows if isinstance(rows, np.ndarray) else list(rows)
        values = np.asarray(given, dtype=np.int64)
        if not (np.diff(values) > 0).all():  # a map gives them in order
            values = np.unique(values)
        if len(values) and (values[0] < 0 or values[-1] >= self.n_windows):
            raise ParameterError(f"there are {self.n_windows} windows; row {values[-1]} is not one")
        values = self.kept_of(values)
        place = self.place
        if len(values) and show:
            place = "selection"
        elif not len(values) and place == "selection":
            place = "sample" if self.scores is None else "ranked"
        if not np.array_equal(values, self.selection):
            said = f"selected {many(len(values))}" if len(values) else "let the selection go"
            self._remember(Step(said, back={"selection": self.selection, "place": self.place}))
        self.param.update(selection=values, place=place)

    def activate(self, name: str) -> None:
        """Work on another class."""
        if name not in self._styles:
            raise ParameterError(f"there is no class “{name}”")
        scores = self.scores_of(name)
        self.param.update(
            active=name,
            ranking=_no_rows() if scores is None else rank(scores),
            place="labelled" if scores is None else "ranked",
        )

    def set_threshold(self, value: float) -> None:
        """Count windows of the active class from this score on."""
        if self.active is None:
            raise ParameterError("choose a class first: a threshold belongs to a class")
        name, before = self.active, self.threshold
        last = self.steps[-1] if self.steps else None
        if last is None or last.threshold is None or last.threshold[0] != name:
            # One drag is one step, however many places the hand went through.
            self._remember(Step(f"moved the threshold of {name}", threshold=(name, before)))
        self._set_threshold(name, value)

    def search_like(self, row: int) -> None:
        """Find the windows most like this one."""
        facts = self._facts()
        title = f"{facts.site_of(row) or facts.recordings[facts.recording[row]]} "
        self.search(int(row), title + clock(float(facts.start_s[row])))

    def search(self, query: Any, title: str) -> None:
        """Find the windows most like a row or a (recording, second), and show them."""
        self.background(lambda: self.find(query, title), self.show_similar, "Searching")

    def find(self, query: Any, title: str) -> Similar:
        """The windows most like a query; changes nothing, so it may run in a thread."""
        hits = self.collection.search(query, k=min(SIMILAR, self.n_windows), run=self.run)
        return Similar(title, hits.index.to_numpy(dtype=np.int64), hits["score"].to_numpy())

    def show_similar(self, found: Similar) -> None:
        """Show what a search found."""
        self.param.update(similar=found, place="similar")

    def suggest(self) -> None:
        """Find the windows that would teach most about the active class, and show them."""
        learned, name = self.learned, self.active
        if name is None or name not in learned.classes:
            raise ParameterError("give the class an example first: then there is more to suggest")
        self.background(
            lambda: suggest(learned, name),
            lambda found: self._show(found, "borderline", suggested=found),
            "Looking for what would teach most",
        )

    def count(self, *, within: float = WITHIN, **begin: Any) -> None:
        """Begin or reopen the study of the active class, and show the windows it asks about.

        A study is kept to the sites and days that are looked at. ``within`` is to how much the
        share shall be known; for the rest see `begin_study`.
        """
        learned, name = self.learned, self.active
        self.must("annotator", "counting")
        if name is None or name not in learned.classes:
            raise ParameterError("give the class an example first: a study draws by its scores")
        scope = Scope.of(self.filter)
        self.background(
            lambda: look(begin_study(self.collection, learned, name, scope, **begin), (), within),
            lambda found: self._show(found, "study", asked=found),
            "Drawing windows",
        )

    # --- judging ----------------------------------------------------------------------------

    def new_class_from_selection(self, name: str) -> None:
        """Begin a class with the selected windows as its examples."""
        self.must("annotator", "labelling")
        name = clean_name(name)
        rows = typical(self.collection, self.candidates(), MOST_EXAMPLES_AT_ONCE, self.run)
        if not len(rows):
            raise ParameterError(
                "nothing is selected: draw around some points on the map, or click a card, first"
            )
        self._style(name)
        events = self._write(rows, name, "positive")
        back = {"selection": self.selection, "place": self.place}
        self._remember(Step(f"{name} from {many(len(rows))}", tuple(events), back))
        self.refresh(active=name, place="ranked", selection=_no_rows())

    def judge(self, rows: Iterable[int], judgement: Judgement, name: str | None = None) -> None:
        """Say that windows do, do not or may hold a class; learn from it at once.

        The same judgement a second time takes it back.
        """
        name = name or self.active
        if name is None:
            raise ParameterError(
                "yes or no to what? Make a class first: select a few points, then “New class”"
            )
        chosen = [int(row) for row in rows]
        own = self.learned.events  # what somebody else said cannot be taken back here
        if chosen and all(
            (name, row) in own and self.judgement(row, name) == judgement for row in chosen
        ):
            self.remove_example(chosen, name)
            return
        self.must("annotator", "labelling")
        word = {"positive": "yes", "negative": "no", "unsure": "unsure"}[judgement]
        self._style(name)
        events = self._write(chosen, name, judgement)
        self._remember(Step(f"{word} to {name}", tuple(events)))
        self.refresh()

    def remove_example(self, rows: Iterable[int], name: str | None = None) -> None:
        """Take back what was said about windows and a class."""
        name = name or self.active or ""
        known = self.learned.judgements.get(name, {})
        chosen = [int(row) for row in rows if int(row) in known]
        events = [self.learned.events.get((name, row)) for row in chosen]
        own = [event for event in events if event is not None]
        if not own:
            raise ParameterError(f"{self.user} has no label of {name} there to take back")
        self._remember(Step(f"took back a label of {name}", tuple(self._take_back(own))))
        self.refresh()

    def confirm(self, row: int, name: str, judgement: Judgement) -> None:
        """Say once more what is said of a window and a class: it was heard again, and is right."""
        self.must("annotator", "labelling")
        events = confirm(self.collection, row, name, judgement, self.user, self.run)
        self._remember(Step(f"kept a label of {name}", tuple(events)))
        self.refresh()

    def rename(self, old: str, new: str) -> None:
        """Give a class another name; labels of other people keep theirs."""
        self.must("annotator", "renaming")
        new = clean_name(new)
        if new == old:
            return
        said = self.learned.judgements.get(old, {})
        own = {row: j for row, j in said.items() if (old, row) in self.learned.events}
        if not own:
            raise ParameterError(f"{self.user} has no labels of {old}, so there is none to rename")
        if new not in self._styles:
            self._styles[new] = self._styles[old]
        groups = [
            (tuple(r for r, j in own.items() if j == kind), kind) for kind in set(own.values())
        ]
        events: list[int] = []
        for rows, kind in groups:
            events += self._write(rows, new, kind)
        events += self._take_back([self.learned.events[old, row] for row in own])
        self._thresholds[new] = self._thresholds.get(old, HALF)
        self._remember(Step(f"renamed {old} to {new}", tuple(events)))
        self.refresh(active=new)

    def remember(self, said: str, also: Callable[[], None]) -> None:
        """Have something that was done elsewhere taken back by `undo`: call ``also`` then."""
        self._remember(Step(said, also=also))

    def undo(self) -> None:
        """Take back the last thing done."""
        if not self.steps:
            raise ParameterError("there is nothing to undo")
        *rest, step = self.steps
        if step.events:
            self._take_back(list(step.events))
        self.steps = rest
        if step.threshold is not None:
            self._set_threshold(*step.threshold)
        if step.also is not None:
            step.also()
        # An answer on the way must not set once more what is taken back here.
        self._then = {name: value for name, value in self._then.items() if name not in step.back}
        self.param.update(**step.back)
        if step.events:
            self.refresh()
        self.say(f"Undone: {step.said}")

    @property
    def at_work(self) -> bool:
        """Whether an answer from the labels is on the way."""
        return self._asked != self._answered

    def catch_up(self) -> None:
        """Take in what others labelled, without moving what the person looks at.

        The ranking keeps its order until her own next gesture.
        """
        self._learn_anew(moves=False)

    def refresh(self, **then: Any) -> None:
        """Learn anew from the labels, then set the parameters given."""
        self._learn_anew(moves=True, **then)

    def _learn_anew(self, *, moves: bool, **then: Any) -> None:
        self._asked += 1
        self._moves |= moves
        self._then |= then
        number = self._asked

        def compute() -> Learned | Exception:
            try:
                return learn(self.collection, self.run, self.user)
            except Exception as error:  # whoever waits must hear that it is over
                return error

        def apply(learned: Learned | Exception) -> None:
            if number == self._asked:  # a later gesture has its own answer on the way
                self._answered = number
                then, self._then = self._then, {}
                moves, self._moves = self._moves, False
                if not isinstance(learned, Exception):
                    began = perf_counter()
                    self._apply(learned, moves, **then)
                    if not moves:
                        self.caught_up_s = perf_counter() - began
            if isinstance(learned, Exception):
                raise learned

        (self.background if moves else self.later)(compute, apply, "")

    def say(self, text: str, kind: str = "info") -> None:
        """Tell the person something: ``info`` passes, ``error`` stays until closed."""
        number = 1 if self.notice is None else self.notice.number + 1
        self.notice = Notice(text, kind, number)

    def dismiss(self, number: int) -> None:
        """A notice was read, or has passed; one that came meanwhile stays."""
        if self.notice is not None and self.notice.number == number:
            self.notice = None

    # --- within -----------------------------------------------------------------------------

    def _keep(self, *events: Any) -> None:
        if self.facts is None:
            return
        # Without this a judgement would cost a look at every window.
        if not self.filter and self.kept is None:
            return
        kept = self.filter.mask(self.facts, self.scores, self.judged())
        if kept is None or self.kept is None or not np.array_equal(kept, self.kept):
            self.kept = kept
            self.classes = self._classes_now(self.learned)

    def _all_kept(self) -> Rows:
        return np.arange(self.n_windows) if self.kept is None else np.flatnonzero(self.kept)

    def _set_threshold(self, name: str, value: float) -> None:
        self._thresholds[name] = float(np.clip(value, 0.0, 1.0))
        self.classes = self._classes_now(self.learned)

    def _show(self, found: Suggested | Asked, place: str, **then: Any) -> None:
        if found.class_ == self.active:  # or the person has gone on to another class
            self.param.update(place=place, **then)

    def _look_again(self) -> None:
        """Show what the last answer did to the study."""
        asked = self.asked
        if asked is None or asked.class_ != self.active:
            return

        self._looked += 1
        number = self._looked

        def apply(found: Asked) -> None:
            if number == self._looked and found.class_ == self.active:
                self.asked = found

        self.background(lambda: look(asked.study, asked.rows, asked.within), apply, "")

    def _apply(self, learned: Learned, moves: bool = True, **then: Any) -> None:
        classes = self._classes_now(learned)
        names = [c.name for c in classes]
        active = then.pop("active", self.active)
        if active not in names and (moves or active is not None):
            active = names[-1] if names else None
        ranking = _no_rows()
        if learned.scores is not None and active in learned.classes:
            stays = not moves and active == self.active and len(self.ranking)
            column = learned.scores[:, learned.classes.index(active)]
            ranking = self.ranking if stays else rank(column)
        place = then.pop("place", self.place)
        if active != self.active and place in ("borderline", "study"):
            place = "ranked"
        if not len(ranking) and place in ("ranked", "borderline", "study"):
            place = "sample"
        elif len(ranking) and place == "sample":
            place = "ranked"
        self.param.update(
            learned=learned, classes=classes, active=active, ranking=ranking, place=place, **then
        )
        self._look_again()

    def _write(self, rows: Any, name: str, judgement: Judgement) -> list[int]:
        self.must("annotator", "labelling")
        if self.place == "study" and self.asked is not None and self.asked.class_ == name:
            answers: list[int] = self.asked.study.label(rows, judgement, who=self.user)
            return answers
        return self.collection.label(
            rows, name, judgement, who=self.user, source="dashboard", run=self.run
        )

    def _take_back(self, events: list[int]) -> list[int]:
        self.must("annotator", "taking labels back")
        return self.collection.undo(events, who=self.user, source="dashboard")

    def _remember(self, step: Step) -> None:
        self.steps = [*self.steps[1 - MOST_STEPS :], step]

    def _style(self, name: str) -> int:
        return self._styles.setdefault(name, len(self._styles))

    def _thresholds_now(self) -> dict[str, float]:
        return {name: self._thresholds.get(name, HALF) for name in self._styles}

    def _classes_now(self, learned: Learned) -> list[SoundClass]:
        for name in learned.judgements:
            self._style(name)
        return sound_classes(learned, self._styles, self._thresholds_now(), self.kept)

    def _facts(self) -> WindowFacts:
        if self.facts is None:
            raise ParameterError("this collection has not been embedded yet")
        return self.facts


def _no_rows() -> Rows:
    return np.zeros(0, dtype=np.int64)
