"""Labels: an append-only log of who judged what, and the view of it that is current.

Nothing is ever changed or deleted. Undo is another event, and so is undoing an undo. Several people
never overwrite each other: for one time range and class the latest event of each person counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from explorer.collection import schema
from explorer.collection.windows import WindowIndex
from explorer.errors import ParameterError

Judgement = Literal["positive", "negative", "unsure"]
JUDGEMENTS: tuple[str, ...] = get_args(Judgement)
VOTES = {"positive": 1, "negative": -1, "unsure": 0}

OVERLAP = 256
"""Events that are read again, as they may have been written at the same time as the last known."""

_logs: WeakKeyDictionary[sa.Engine, Log] = WeakKeyDictionary()
_lock = threading.Lock()

KEY = ["who", "recording_id", "start_s", "end_s", "class"]
"""Of the labels of one person for one range and class the latest counts."""

COLUMNS = ["recording", "start_s", "end_s", "class", "judgement", "who", "when", "source", "event"]


def append(
    engine: sa.Engine,
    ranges: Iterable[Mapping[str, Any]],
    *,
    who: str,
    source: str,
) -> list[int]:
    """Append label events; give their ids.

    Parameters
    ----------
    ranges
        Mappings with recording_id, start_s, end_s, class and judgement.

    Raises
    ------
    ParameterError
        If a judgement is none of positive, negative, unsure; a class has no name; nobody is named;
        or a range has no length. Then nothing is appended.
    """
    if not who.strip():
        raise ParameterError("a label needs the name of the person who judged: who=…")
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    events = []
    for item in ranges:
        if item["judgement"] not in JUDGEMENTS:
            raise ParameterError(
                f"{item['judgement']!r} is no judgement: use one of {', '.join(JUDGEMENTS)}"
            )
        if not str(item["class"]).strip():
            raise ParameterError("a class needs a name")
        if not 0 <= float(item["start_s"]) < float(item["end_s"]):
            raise ParameterError(
                f"{item['start_s']} to {item['end_s']} s is no time range within a recording"
            )
        events.append(
            {
                "at": at,
                "who": who,
                "source": source,
                "recording_id": int(item["recording_id"]),
                "start_s": float(item["start_s"]),
                "end_s": float(item["end_s"]),
                "class": str(item["class"]).strip(),
                "judgement": str(item["judgement"]),
            }
        )
    return _insert(engine, events)


def undo(engine: sa.Engine, events: Sequence[int], *, who: str, source: str) -> list[int]:
    """Take events back, by further events; give the ids of those, which can be undone in turn."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    wanted = {int(event) for event in events}
    with engine.connect() as connection:
        table = schema.label_events
        known = set(connection.scalars(sa.select(table.c.id).where(table.c.id.in_(wanted))))
    if wanted - known:
        raise ParameterError(f"there is no label event {sorted(wanted - known)[0]} to undo")
    return _insert(
        engine,
        [
            {"at": at, "who": who, "source": source, "judgement": "undo", "undoes": event}
            for event in sorted(wanted)
        ],
    )


def _insert(engine: sa.Engine, events: list[dict[str, Any]]) -> list[int]:
    if not events:
        return []
    table = schema.label_events
    with engine.begin() as connection:
        ids = connection.scalars(
            table.insert().returning(table.c.id, sort_by_parameter_order=True), events
        )
        return [int(event) for event in ids]


def latest(engine: sa.Engine) -> int:
    """Number of the latest event; 0 where there is none. A look-up, so it may be asked often."""
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.max(schema.label_events.c.id))) or 0)


class Log:
    """The events of a catalogue as far as they were read, oldest first.

    Events are never changed, so those that were read before are not read again. What decides which
    labels count is kept as plain lists: with a table it would take most of the time of a click.
    """

    def __init__(self) -> None:
        self.frame = pd.DataFrame()
        self._ids: list[int] = []
        self._undoes: list[int] = []
        self._keys: list[tuple[Any, ...]] = []

    def read_on(self, engine: sa.Engine) -> None:
        """Read what is new."""
        # On a server, one of two events written at once may be seen before the other: read again
        # a little of what is known.
        new = _read(engine, self._ids[-1] - OVERLAP if self._ids else 0)
        if self._ids:
            known = set(self._ids[-2 * OVERLAP :])
            new = new[[event not in known for event in new.index.tolist()]]
            if new.empty:
                return
            new = pd.concat([self.frame, new])
            if not new.index.is_monotonic_increasing:
                new = new.sort_index()
                self._ids, self._undoes, self._keys = [], [], []
        self.frame = new
        rest = new.iloc[len(self._ids) :]
        self._ids += rest.index.tolist()
        self._undoes += [int(event) for event in rest["undoes"].fillna(0)]
        columns = [rest[name].tolist() for name in KEY]
        self._keys += list(zip(*columns, strict=True))

    def standing(self) -> list[int]:
        """Positions of the events that are labels which count now, in order."""
        # An event counts unless an event that counts undoes it; undoing events are always later, so
        # one pass from the end settles all.
        undone: set[int] = set()
        seen: set[tuple[Any, ...]] = set()
        found = []
        for at in range(len(self._ids) - 1, -1, -1):
            if self._ids[at] in undone:
                continue
            if target := self._undoes[at]:
                undone.add(target)
            elif self._keys[at] not in seen:
                seen.add(self._keys[at])
                found.append(at)
        return found[::-1]


def log(engine: sa.Engine, since: int = 0) -> pd.DataFrame:
    """Every event after ``since``, in order: COLUMNS and recording_id and undoes, by its id."""
    with _lock:
        frame = _log(engine).frame
    return frame[frame.index > since] if since else frame.copy()


def _log(engine: sa.Engine) -> Log:
    known = _logs.setdefault(engine, Log())
    known.read_on(engine)
    return known


def _read(engine: sa.Engine, since: int) -> pd.DataFrame:
    table, names = schema.label_events, schema.recordings
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(table, names.c.name.label("recording"))
            .join_from(table, names, isouter=True)
            .where(table.c.id > since)
            .order_by(table.c.id)
        ).mappings()
        frame = pd.DataFrame(
            [dict(row) for row in rows],
            columns=[*(column.name for column in table.columns), "recording"],
        )
    frame = frame.rename(columns={"at": "when"})
    frame["event"] = frame["id"].astype("int64")
    return frame.set_index("id")[[*COLUMNS, "recording_id", "undoes"]]


def current(engine: sa.Engine, *, who: str | None = None) -> pd.DataFrame:
    """The labels that count now: the latest of each person for each range and class.

    Columns: ``COLUMNS`` and recording_id. ``who`` keeps one person's.
    """
    with _lock:
        known = _log(engine)
        latest = known.frame.iloc[known.standing()]
    if who is not None:
        latest = latest[latest["who"] == who]
    latest = latest.drop(columns="undoes")
    return latest.astype({"recording_id": "int64", "start_s": "float64", "end_s": "float64"})


def rows_of_labels(labels: pd.DataFrame, index: WindowIndex) -> pd.DataFrame:
    """Windows that the labels speak of: row, class, judgement, who, event.

    Labels are time ranges, so the same labels serve every encoder.
    """
    parts = [
        index.spoken_of(label.recording_id, label.start_s, label.end_s)
        for label in labels[["recording_id", "start_s", "end_s"]].itertuples(index=False)
    ]
    counts = [len(part) for part in parts]
    columns = {
        name: np.repeat(labels[name].to_numpy(dtype=object), counts)
        for name in ("class", "judgement", "who", "event")
    }
    rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return pd.DataFrame({"row": rows, **columns})


def agreed(label_rows: pd.DataFrame) -> pd.DataFrame:
    """One judgement per window and class: what most people say; unsure where they are even.

    Columns: row, class, judgement.
    """
    settled = [
        (row, class_, "positive" if total > 0 else "negative" if total else "unsure")
        for (class_, row), total in _votes(label_rows)
    ]
    columns = ["row", "class", "judgement"]
    return pd.DataFrame(settled, columns=columns).astype(label_rows[["row", "class"]].dtypes)


def examples_of(
    label_rows: pd.DataFrame,
) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int64]]]:
    """What a classifier learns from: agreed positive and agreed negative windows of each class."""
    sides: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    for (class_, row), total in _votes(label_rows):
        if total:
            sides[total < 0].setdefault(str(class_), []).append(row)
    positives, negatives = (
        {class_: np.array(rows, dtype=np.int64) for class_, rows in side.items()} for side in sides
    )
    return positives, negatives


def _votes(label_rows: pd.DataFrame) -> list[tuple[tuple[str, int], int]]:
    """Each class and window with what people's judgements come to, sorted.

    In plain steps, as this is done at every click.
    """
    votes: dict[tuple[str, int], int] = {}
    said = (label_rows[name].tolist() for name in ("class", "row", "judgement"))
    for class_, row, judgement in zip(*said, strict=True):
        votes[class_, row] = votes.get((class_, row), 0) + VOTES[judgement]
    return sorted(votes.items())
