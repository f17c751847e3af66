"""Exercises: many people answer, each for herself, what they hear in the same few clips.

A teacher makes one from labelled windows, from a class's ranking, or from windows at hand; people
join with a name and no account, and answer. Then the teacher *reveals* what the class said; people
may change their minds while they discuss, and clip by clip the teacher *tells* what is right.

Answers are no labels. They never touch the collection's classes, until somebody takes the class's
majority as labels (`Exercise.take_majority`), under a source that names the exercise.

How they are kept: :mod:`explorer.collection.exercise_log`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from explorer.classify.agreement import Agreement
from explorer.collection import exercise_log as kept
from explorer.collection.exercise_clips import RESERVED, UNSURE, YES, ExerciseClip, draw
from explorer.collection.exercise_log import JOINED, About, Phase
from explorer.collection.exercise_sheet import NOT_ANSWERED, Sheet
from explorer.errors import CollectionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.archive import Rows
    from explorer.collection.collection import Collection
    from explorer.collection.exercise_clips import Source
    from explorer.collection.exercise_examples import Examples

LONGEST_NAME, LONGEST_TITLE = 24, 60
MOST_CLASSES = 8
WORKSHOP = "workshop"
"""Under whose name a class's majority becomes labels."""


class Exercise:
    """One exercise of a collection; `Collection.new_exercise` makes one.

    Clips are numbered from 0, in the order in which everybody hears them.

    Examples
    --------
    >>> exercise = reef.new_exercise("whoop", n=12)             # doctest: +SKIP
    >>> exercise.start()                                        # doctest: +SKIP
    >>> ada = exercise.join("ada", secret="…")                  # doctest: +SKIP
    >>> exercise.answer(ada, 0, "yes")                          # doctest: +SKIP
    >>> exercise.reveal()                                       # doctest: +SKIP
    >>> exercise.tally()                                        # doctest: +SKIP
    """

    def __init__(self, collection: Collection, name: str, about: About) -> None:
        self.collection = collection
        self.name = name
        self.about = about

    def __repr__(self) -> str:
        return f"<Exercise {self.name!r}: {len(self.clips)} clips, {self.question} ({self.phase})>"

    @property
    def question(self) -> str:
        """What is asked of every clip."""
        return self.about.question

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible answers."""
        return self.about.choices

    @property
    def clips(self) -> tuple[ExerciseClip, ...]:
        """What is listened to, in order."""
        return self.about.clips

    @property
    def phase(self) -> Phase:
        """``lobby`` before the start, ``open`` while all answer blind, then ``discussion``."""
        return self.about.phase

    # --- how it goes on -----------------------------------------------------------------------

    def start(self) -> None:
        """Let people answer."""
        if self.phase == "lobby":
            self._change(phase="open")

    def reveal(self) -> None:
        """Show what all answered; what is answered from now on counts as a second answer."""
        if self.phase == "discussion":
            return
        last = kept.last_answer(self._engine, self.name)
        self._change(phase="discussion", revealed_after=last)

    def tell(self, clips: Iterable[int] | None = None) -> None:
        """Show the right answers to some clips, or to all; these take no more answers."""
        if self.phase != "discussion":
            raise ParameterError("reveal what the class answered first: then tell what is right")
        wanted = range(len(self.clips)) if clips is None else [self._clip(c) for c in clips]
        self._change(told=tuple(sorted({*self.about.told, *wanted})))

    def settle(self, clip: int, right: str | None) -> None:
        """Say what is right, as the teacher; None for nobody knows."""
        clip = self._clip(clip)
        if right is not None and (right == UNSURE or right not in self.choices):
            raise ParameterError(f"{right!r} cannot be the right answer to “{self.question}”")
        by = "" if right is None else "teacher"
        settled = replace(self.clips[clip], right=right, by=by)
        self._change(clips=(*self.clips[:clip], settled, *self.clips[clip + 1 :]))

    def leave_out(self, clip: int) -> None:
        """Take a clip out, as long as the exercise has not begun."""
        if self.phase != "lobby":
            raise ParameterError("clips can be left out only before the exercise starts")
        clip = self._clip(clip)
        if len(self.clips) == 1:
            raise ParameterError("this is the last clip: an exercise needs one")
        # A browser keeps clips by token and number, and the numbers change.
        clips = (*self.clips[:clip], *self.clips[clip + 1 :])
        self._change(clips=clips, token=kept.new_token())

    def again(self) -> Exercise:
        """The same clips for another class, with no answers yet."""
        about = replace(
            self.about,
            token=kept.new_token(),
            phase="lobby",
            revealed_after=None,
            told=(),
            taken=(),
        )
        return _enter(self.collection, self.name, about)

    # --- who takes part -------------------------------------------------------------------------

    def join(self, name: str, secret: str) -> str:
        """Take part under a name; give the name that it became.

        The secret stays with who joins, and brings back the same name. Without it a name that is
        taken gets a number: the second “ada” is “ada 2”.

        Raises
        ------
        ParameterError
            If there is nothing in the name, or no secret.
        """
        wanted = clean_person(name)
        if not secret:
            raise ParameterError("joining takes a secret by which to be known again")
        return kept.join(self._engine, self.name, wanted, secret)

    def answer(self, who: str, clip: int, answer: str) -> None:
        """Answer a clip; a later answer counts in place of an earlier one."""
        self.answer_all([(who, clip, answer)])

    def answer_all(self, answers: Sequence[tuple[str, int, str]]) -> None:
        """Write down answers (who, clip, answer) at once, in their order.

        Raises
        ------
        ParameterError
            If one of them cannot be given (now). Then none is written.
        """
        for _, clip, answer in answers:
            self.check(clip, answer)
        kept.add(self._engine, self.name, [(who, int(clip), said) for who, clip, said in answers])

    def check(self, clip: int, answer: str) -> None:
        """Refuse an answer that cannot be given, or not now."""
        if self.phase == "lobby":
            raise ParameterError("the exercise has not started yet")
        if self._clip(clip) in self.about.told:
            raise ParameterError("the right answer has been told: this clip takes no more answers")
        if answer not in self.choices:
            raise ParameterError(f"{answer!r} is no answer to “{self.question}”")

    # --- what came of it ------------------------------------------------------------------------

    def events(self) -> pd.DataFrame:
        """Every answer in order, changed ones too: who, clip, answer, at, blind."""
        frame = kept.log(self._engine, self.name)
        after = self.about.revealed_after
        return frame.assign(blind=True if after is None else frame.index <= after)

    def sheet(self, *, after: bool = False) -> Sheet:
        """Everybody's latest answer before the reveal; with ``after``, the latest of all."""
        events = self.events()
        people = list(dict.fromkeys(events["who"]))
        answers = events[events["clip"] != JOINED]
        counted = answers if after else answers[answers["blind"]]
        given = np.full((len(people), len(self.clips)), NOT_ANSWERED, dtype=np.int8)
        row = {who: number for number, who in enumerate(people)}
        for who, clip, answer in counted[["who", "clip", "answer"]].itertuples(index=False):
            given[row[who], clip] = self.choices.index(answer)
        return Sheet(self.choices, self.right, tuple(people), given)

    @property
    def right(self) -> tuple[str | None, ...]:
        """The right answer of each clip, None where it is not known."""
        return tuple(clip.right for clip in self.clips)

    def agreement(self, *, after: bool = False) -> Agreement:
        """How far all agreed before the reveal; with ``after``, when they had discussed it."""
        return self.sheet(after=after).agreement()

    def tally(self, *, after: bool = False) -> pd.DataFrame:
        """Clip by clip: where it lies, right, how many gave each answer, majority, disagreement."""
        sheet = self.sheet(after=after)
        clips = pd.DataFrame([asdict(clip) for clip in self.clips]).drop(columns="by")
        counts = pd.DataFrame(sheet.counts, columns=[*self.choices])
        clips = pd.concat([clips, counts], axis=1)
        clips.index.name = "clip"
        return clips.assign(
            majority=sheet.majority,
            disagreement=sheet.disagreement,
            share_right=sheet.share_right(),
        )

    def people(self) -> pd.DataFrame:
        """Person by person: who, answered, right and of before the reveal, right_after."""
        before, after = self.sheet().scores(), self.sheet(after=True).scores()
        return before.assign(right_after=after["right"], of_after=after["of"])

    def answers(self) -> pd.DataFrame:
        """One row per person and clip, to take along: both answers, what is right, and where."""
        before, after = self.sheet(), self.sheet(after=True)
        rows = []
        for p, who in enumerate(after.people):
            for c, clip in enumerate(self.clips):
                if after.given[p, c] == NOT_ANSWERED:
                    continue
                first = before.given[p, c]
                rows.append(
                    {
                        "exercise": self.name,
                        "clip": c + 1,
                        "recording": clip.recording,
                        "start_s": clip.start_s,
                        "end_s": clip.end_s,
                        "who": who,
                        "answer": "" if first == NOT_ANSWERED else self.choices[first],
                        "answer_after_discussion": self.choices[after.given[p, c]],
                        "right": clip.right or "",
                    }
                )
        columns = "exercise clip recording start_s end_s who answer answer_after_discussion right"
        return pd.DataFrame(rows, columns=columns.split())

    def examples(self, clip: int, *, most: int = 3) -> Examples:
        """The labelled sounds that are most like a clip: why it may be what it is.

        Other clips of the exercise are never among them. Empty where nothing else is labelled.
        """
        from explorer.collection.exercise_examples import examples  # noqa: PLC0415

        return examples(self, self._clip(clip), most=most)

    def take_majority(self, *, who: str = WORKSHOP) -> list[int]:
        """Make labels of what more than half answered last; give the label events, for undo.

        A class that was named is there; “none” says no to all classes; “unsure” is unsure. Clips
        without a majority get no label.
        """
        if self.phase != "discussion":
            raise ParameterError("reveal what the class answered first: until then answers change")
        if self.about.taken:
            raise ParameterError("the majority has been taken as labels already")
        rows = [
            {
                "recording": clip.recording,
                "start_s": clip.start_s,
                "end_s": clip.end_s,
                "class": class_,
                "judgement": judgement,
            }
            for clip, answer in zip(self.clips, self.sheet(after=True).majority, strict=True)
            for class_, judgement in self._labels_of(answer)
        ]
        if not rows:
            raise ParameterError("no clip has an answer that more than half gave: no labels")
        events = self.collection.label_ranges(
            pd.DataFrame(rows), who=who, source=f"exercise:{self.name}"
        )
        self._change(taken=tuple(events))
        return events

    def give_back(self, *, who: str = WORKSHOP) -> None:
        """Take the labels of the majority back."""
        if self.about.taken:
            source = f"exercise:{self.name}"
            self.collection.undo(self.about.taken, who=who, source=source)
            self._change(taken=())

    # --- inside ---------------------------------------------------------------------------------

    def _labels_of(self, answer: str | None) -> list[tuple[str, str]]:
        if answer is None:
            return []
        if answer in RESERVED:
            judgement = {YES: "positive", UNSURE: "unsure"}.get(answer, "negative")
            return [(class_, judgement) for class_ in self.about.classes]
        return [(answer, "positive")]

    def _clip(self, clip: Any) -> int:
        if isinstance(clip, bool) or not isinstance(clip, int | np.integer):
            raise ParameterError(f"clips are numbered, from 0; {clip!r} is no number")
        if not 0 <= clip < len(self.clips):
            raise ParameterError(f"there is no clip {clip!r}: there are {len(self.clips)}")
        return int(clip)

    def _change(self, **values: Any) -> None:
        self.about = replace(self.about, **values)
        kept.change(self._engine, self.name, self.about)

    @property
    def _engine(self) -> Any:
        return self.collection.catalogue.engine


def begin(
    collection: Collection,
    classes: str | Sequence[str],
    clips: Source | Rows = "labelled",
    *,
    n: int | None = None,
    seed: int = 0,
    name: str | None = None,
    question: str | None = None,
    run: str | None = None,
) -> Exercise:
    """Make an exercise; see `Collection.new_exercise`."""
    named = tuple(dict.fromkeys([classes] if isinstance(classes, str) else classes))
    if not 1 <= len(named) <= MOST_CLASSES:
        raise ParameterError(f"an exercise asks about one to {MOST_CLASSES} classes")
    if taken := set(named) & set(RESERVED):
        raise ParameterError(f"an exercise cannot tell the class {taken.pop()!r} from an answer")
    run = collection.run if run is None else run
    if run is None:
        raise CollectionError(f"{collection.path}: nothing is embedded yet; call embed() first")
    chosen = draw(collection, named, clips, n=n, seed=seed, run=run)
    if question is None or not question.strip():
        question = f"Do you hear {named[0]}?" if len(named) == 1 else "Which of these do you hear?"
    about = About(
        question=_one_line(question)[:200],
        classes=named,
        clips=tuple(chosen),
        run=run,
        seed=int(seed),
        clips_from=clips if isinstance(clips, str) else "chosen",
        token=kept.new_token(),
    )
    title = _one_line(name or "")[:LONGEST_TITLE] or ", ".join(named)[:LONGEST_TITLE]
    return _enter(collection, title, about)


def open_exercise(collection: Collection, name: str) -> Exercise:
    """Open an exercise by its name; see `Collection.exercise`."""
    about = kept.find(collection.catalogue.engine, name)
    if about is None:
        names = ", ".join(kept.names(collection.catalogue.engine))
        there = names or "none yet: make one with new_exercise(class)"
        raise CollectionError(f"{collection.path}: no exercise {name!r}; there are: {there}")
    return Exercise(collection, name, about)


def exercises(collection: Collection) -> pd.DataFrame:
    """Exercises, newest first; see `Collection.exercises`."""
    return kept.listed(collection.catalogue.engine)


def clean_person(name: str) -> str:
    """A person's name as it is kept: one line, no control signs, at most 24 letters.

    Examples
    --------
    >>> clean_person("  Ada   Lovelace ")
    'Ada Lovelace'
    """
    cleaned = _one_line(name)[:LONGEST_NAME].strip()
    if not cleaned:
        raise ParameterError("type a name: the others will see it beside your answers")
    return cleaned


def _one_line(text: str) -> str:
    # NFKC first: else a name could look like another one in other letters of the same shape.
    shown = unicodedata.normalize("NFKC", str(text))
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in shown)
    return " ".join(visible.split())


def _enter(collection: Collection, wanted: str, about: About) -> Exercise:
    """Enter an exercise under its name, with a number if that is taken."""
    engine = collection.catalogue.engine
    taken, name, number = set(kept.names(engine)), wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    kept.insert(engine, name, about)
    return Exercise(collection, name, about)
