"""What others do meanwhile: their labels arrive within seconds, and one sees who is here.

One thread for each open collection asks the catalogue for the number of the latest label event, as
long as somebody looks on. That is a look-up in an index, so it may be asked often, and it sees
labels from everywhere: other sessions, a notebook, the command line. What arrives never moves what
a person is looking at (`State.catch_up`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.records import Notice
from explorer.dashboard.state.state import State

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

log = logging.getLogger(__name__)

EVERY_S = 1.5
LONGEST_S = 8.0
SHARE = 0.1
"""Of the server's time, what telling everybody may take: many sessions are told less often."""
BREATH_S = 15.0
"""How long to leave a catalogue alone that cannot be read."""
NEWS_S = 8.0
"""News of one moment is told as one, and then forgotten."""

_watchers: WeakKeyDictionary[Any, Watcher] = WeakKeyDictionary()
_lock = threading.Lock()


@dataclass(eq=False)
class Member:
    """One session that looks on."""

    state: ref[State]
    desk: Desk
    user: str
    labelled: Counter[str] = field(default_factory=Counter)
    taken_back: Counter[str] = field(default_factory=Counter)
    last: float = 0.0
    fresh: bool = False

    def hear(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take note of what others did."""
        now = time.monotonic()
        if now - self.last > NEWS_S:
            self.labelled.clear()
            self.taken_back.clear()
        for event in events:
            if event["who"] != self.user:
                undone = event["judgement"] == "undo"
                (self.taken_back if undone else self.labelled)[event["who"]] += 1
                self.last, self.fresh = now, True

    def look(self, latest: int) -> None:
        """Bring the session up to date, on its own turn."""
        state = self.state()
        if state is None:
            return
        if self.fresh:
            self.fresh = False
            number = 1 if state.news is None else state.news.number + 1
            state.news = Notice(news(self.labelled, self.taken_back), "info", number)
        if state.learned.upto < latest and not state.at_work:
            state.catch_up()


class Watcher:
    """Looks for new labels of one collection, and knows who has it open."""

    def __init__(self) -> None:
        self._members: list[Member] = []
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._latest = 0

    def join(self, state: State, desk: Desk) -> None:
        """Have a session told until it ends."""
        member = Member(ref(state), desk, state.user)
        with self._guard:
            # Another encoder's screen takes the place of the one before.
            self._members = [m for m in self._members if not _same_page(m.desk, desk)]
            self._members.append(member)
            if self._thread is None:
                self._latest = state.collection.latest_event()
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.name = "explorer-live"
                self._thread.start()
        desk.at_end(partial(self._leave, member))
        self._tell_who()

    @property
    def members(self) -> list[Member]:
        """The sessions that look on now."""
        with self._guard:
            self._members = [m for m in self._members if m.state() is not None]
            return list(self._members)

    def _leave(self, member: Member) -> None:
        with self._guard:
            if member in self._members:
                self._members.remove(member)
        self._tell_who()

    def _tell_who(self) -> None:
        members = self.members
        names = tuple(dict.fromkeys(member.user for member in members))
        for member in members:
            state = member.state()
            if state is not None and tuple(state.here) != names:
                member.desk.soon(partial(state.param.update, here=list(names)))

    def _watch(self) -> None:
        round_s, turn = EVERY_S, 0
        while True:
            # One after the other: told all at once, they would stop everybody's clicks for a while.
            time.sleep(round_s / max(1, len(self.members)))
            members = self.members
            with self._guard:
                if not self._members:
                    self._thread = None
                    return
            turn = (turn + 1) % max(1, len(members))
            try:
                state = members[turn].state() if members else None
                if state is not None:
                    self._look(state.collection, members, members[turn])
                whole_s = sum(map(_cost_s, members))
                round_s = min(LONGEST_S, max(EVERY_S, whole_s / SHARE))
            except Exception:
                log.exception("looking for labels of others")
                time.sleep(BREATH_S)
            del state, members  # a session that has ended is not held on to

    def _look(self, collection: Collection, members: list[Member], member: Member) -> None:
        """Hear what is new for all, and tell one."""
        latest = collection.latest_event()
        if latest > self._latest:
            events = collection.label_events(since=self._latest)
            heard = events[["who", "judgement"]].to_dict(orient="records")
            self._latest = latest
            for each in members:
                each.hear(heard)
        state = member.state()
        if state is not None and (member.fresh or state.learned.upto < latest):
            member.desk.soon(member.look, latest)


def watcher(collection: Collection) -> Watcher:
    """The watcher of a collection, the same for all sessions of this server.

    Sessions that look at different runs, or at a run as it was, have one catalogue.
    """
    key = getattr(collection, "catalogue", collection)
    with _lock:
        return _watchers.setdefault(key, Watcher())


def join(state: State, desk: Desk) -> None:
    """Have a session told what others do, and the others that it is here."""
    if desk.attached:
        watcher(state.collection).join(state, desk)


def news(labelled: Mapping[str, int], taken_back: Mapping[str, int]) -> str:
    """What others did, in a few words.

    Examples
    --------
    >>> news({"ben": 3}, {})
    'ben labelled 3 windows'
    >>> news({"ben": 3, "carl": 1}, {"ben": 1})
    'ben and carl labelled 4 windows, ben took 1 label back'
    """
    parts = []
    if labelled:
        n = sum(labelled.values())
        parts.append(f"{_names(labelled)} labelled {n:,} window{'s' * (n != 1)}")
    if taken_back:
        n = sum(taken_back.values())
        parts.append(f"{_names(taken_back)} took {n:,} label{'s' * (n != 1)} back")
    return ", ".join(parts)


def _names(counts: Mapping[str, int]) -> str:
    names = list(counts)
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)


def _cost_s(member: Member) -> float:
    """What it took, the last time, to tell a session."""
    state = member.state()
    return 0.0 if state is None else state.caught_up_s


def _same_page(one: Desk, other: Desk) -> bool:
    return one.document is not None and one.document is other.document
