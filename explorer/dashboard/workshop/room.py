"""The room: one exercise, everybody who takes part, and what they answer, live.

One object for all sessions of the server. Answers are in memory at once, so that a teacher sees
them come in, and in the catalogue a moment later; a room that is made anew, after the server was
stopped, reads all of it from there. Any thread may call; watchers are called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explorer.collection.exercise_sheet import NOT_ANSWERED, Sheet
from explorer.dashboard.workshop.clips import Clips, Place
from explorer.dashboard.workshop.keeper import Keeper, Kept, Waiting
from explorer.dashboard.workshop.reasons import Reasons
from explorer.errors import ExplorerError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.exercise_clips import ExerciseClip
    from explorer.collection.exercises import Exercise

log = logging.getLogger(__name__)

SETTING = "workshop exercise"
"""In the catalogue: what the room was at, for after a restart."""

News = Literal["people", "answers", "stage"]
"""What has changed: who is here, what was answered, or where the exercise stands."""


class Room:
    """What a class is at; see the module."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.exercise: Exercise | None = None
        self.clips: Clips | None = None
        self.at = 0
        self.reasons: Reasons | None = None
        self.where: list[str] = []
        self._lock = threading.RLock()
        self._keeper = Keeper()
        self._watchers: dict[object, Callable[[News], None]] = {}
        self._here: Counter[str] = Counter()
        self._number = 0
        self._shown: tuple[int, dict[str, Any] | None] | None = None
        self._seat: dict[str, int] = {}
        self._first = self._latest = np.zeros((0, 0), dtype=np.int8)
        last = collection.catalogue.setting(SETTING)
        if last:
            try:
                self._load(collection.exercise(last))
            except ExplorerError:
                log.warning("the exercise %r of the last workshop cannot be opened", last)

    def close(self) -> None:
        """Write down what is on its way, and make no more pictures."""
        self._keeper.flush()
        if self.clips is not None:
            self.clips.take_down()

    # --- who listens ----------------------------------------------------------------------------

    def watch(self, watcher: Callable[[News], None]) -> Callable[[], None]:
        """Be told of news, from any thread; gives what ends that."""
        key = object()
        with self._lock:
            self._watchers[key] = watcher
        return lambda: (self._watchers.pop(key, None), None)[1]

    def shown(self, make: Callable[[Room], dict[str, Any] | None]) -> dict[str, Any] | None:
        """What everybody is shown, made once for all and not anew before there is news."""
        with self._lock:
            if self._shown is None or self._shown[0] != self._number:
                self._shown = (self._number, make(self))
            return self._shown[1]

    def _tell(self, news: News) -> None:
        with self._lock:
            self._number += 1
            watchers = list(self._watchers.values())
        for watcher in watchers:
            watcher(news)

    # --- who is here ----------------------------------------------------------------------------

    def join(self, name: str, secret: str) -> str:
        """Take part in the exercise; give the name under which. It waits for the disk."""
        with self._lock:
            exercise = self._open()
            who = exercise.join(name, secret)
            if who not in self._seat:
                self._seat[who] = len(self._seat)
                empty = np.full((1, len(exercise.clips)), NOT_ANSWERED, dtype=np.int8)
                self._latest = np.vstack([self._latest, empty])
                self._first = np.vstack([self._first, empty])
        self._tell("people")
        return who

    def enter(self, who: str) -> Callable[[], None]:
        """Somebody's page is open; gives what says that it was closed."""
        self._here[who] += 1
        self._tell("people")

        def leave() -> None:
            self._here[who] -= 1
            self._tell("people")

        return leave

    # --- what is answered -----------------------------------------------------------------------

    def answer(self, who: str, clip: int, answer: str, kept: Kept) -> None:
        """Answer a clip; ``kept`` is called, from another thread, once it is on disk.

        Raises
        ------
        ParameterError
            If this answer cannot be given, or not now.
        """
        with self._lock:
            exercise = self._open()
            exercise.check(clip, answer)
            seat = self._seat.get(who)
            if seat is None:
                raise ParameterError("join the exercise first")
            code = exercise.choices.index(answer)
            self._latest[seat, clip] = code
            if exercise.phase == "open":
                self._first[seat, clip] = code
            self._keeper.put(Waiting(exercise, who, clip, answer, kept))
        self._tell("answers")

    # --- what the teacher does; each waits for the disk -----------------------------------------

    def choose(self, exercise: Exercise) -> None:
        """Go over to an exercise, with everybody who is here."""
        with self._lock:
            self._keeper.flush()
            self.collection.catalogue.remember(SETTING, exercise.name)
            self._load(exercise)
        self._tell("stage")

    def start(self) -> None:
        """Let people answer."""
        self._step(lambda exercise: exercise.start())

    def reveal(self) -> None:
        """Show what all answered."""
        self._step(lambda exercise: exercise.reveal())

    def tell(self, clip: int | None) -> None:
        """Show what is right, of one clip or of all."""
        clips = None if clip is None else [clip]
        self._step(lambda exercise: exercise.tell(clips))

    def settle(self, clip: int, right: str | None) -> None:
        """Say what is right."""
        self._step(lambda exercise: exercise.settle(clip, right))

    def leave_out(self, clip: int) -> None:
        """Take a clip out before the start."""
        with self._lock:
            exercise = self._open()
            exercise.leave_out(clip)
            self._load(exercise)
        self._tell("stage")

    def point(self, clip: int) -> None:
        """Discuss another clip; everybody's page follows."""
        with self._lock:
            if not 0 <= clip < len(self._open().clips):
                raise ParameterError(f"there is no clip {clip}")
            self.at = clip
        self._tell("stage")

    def take_majority(self) -> int:
        """Make labels of what most answered; give how many."""
        with self._lock:
            self._keeper.flush()
            taken = len(self._open().take_majority())
        self._tell("stage")
        return taken

    def give_back(self) -> None:
        """Take these labels back."""
        self._step(lambda exercise: exercise.give_back())

    def _step(self, act: Callable[[Exercise], None]) -> None:
        with self._lock:
            # What was answered until now is written before: the log says what was blind.
            self._keeper.flush()
            act(self._open())
        self._tell("stage")

    # --- what is seen ---------------------------------------------------------------------------

    def sheets(self) -> tuple[Sheet, Sheet]:
        """Everybody's answers before the reveal, and as they are now."""
        with self._lock:
            exercise = self._open()
            people = tuple(self._seat)
            shared = exercise.choices, exercise.right, people
            return Sheet(*shared, self._first.copy()), Sheet(*shared, self._latest.copy())

    def answers_of(self, who: str) -> tuple[list[str | None], list[str | None]]:
        """One person's answers before the reveal, and as they are now."""
        with self._lock:
            exercise, seat = self.exercise, self._seat.get(who)
            if exercise is None or seat is None:
                return [], []
            named = [*exercise.choices, None]
            return (
                [named[code] for code in self._first[seat]],
                [named[code] for code in self._latest[seat]],
            )

    def here(self) -> set[str]:
        """Whose page is open."""
        return {who for who, pages in self._here.items() if pages > 0}

    @property
    def n_people(self) -> int:
        """How many take part."""
        return len(self._seat)

    @property
    def n_finished(self) -> int:
        """How many have answered every clip."""
        with self._lock:
            return int((self._latest != NOT_ANSWERED).all(axis=1).sum()) if self._seat else 0

    # --- inside ---------------------------------------------------------------------------------

    def _open(self) -> Exercise:
        if self.exercise is None:
            raise ParameterError("there is no exercise yet: the teacher makes one")
        return self.exercise

    def _load(self, exercise: Exercise) -> None:
        before, now = exercise.sheet(), exercise.sheet(after=True)
        self._seat = {who: seat for seat, who in enumerate(now.people)}
        self._first, self._latest = before.given.copy(), now.given.copy()
        self.exercise, self.at = exercise, 0
        sites = self.collection.recordings.set_index("recording")["site"]
        self.where = [_where(clip, sites.get(clip.recording)) for clip in exercise.clips]
        runs = self.collection.catalogue.runs()
        speed = runs[exercise.about.run].speed if exercise.about.run in runs else 1.0
        self.close()
        self.clips = Clips(self.collection, exercise.about.token, speed)
        self.clips.put_up(
            {
                str(number): Place(clip.recording, clip.start_s, clip.end_s)
                for number, clip in enumerate(exercise.clips)
            }
        )
        self.reasons = Reasons(exercise, self.clips)
        self._explain(self.reasons)

    def _explain(self, reasons: Reasons) -> None:
        """Find out why, before anybody asks; in a thread, as embeddings are read."""

        def work() -> None:
            reasons.explain()
            self._tell("stage")

        threading.Thread(target=work, name="explorer-workshop-why", daemon=True).start()


def _where(clip: ExerciseClip, site: Any) -> str:
    minutes, seconds = divmod(int(clip.start_s), 60)
    return f"{site or clip.recording}, {minutes}:{seconds:02d}"
