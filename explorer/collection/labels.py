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

OVERLAP = 256
"""Events that are read again, as they may have been written at the same time as the last known."""

_read_before: WeakKeyDictionary[sa.Engine, pd.DataFrame] = WeakKeyDictionary()
_lock = threading.Lock()

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


def log(engine: sa.Engine, since: int = 0) -> pd.DataFrame:
    """Every event after ``since``, in order: COLUMNS and recording_id and undoes, by its id.

    Events are never changed, so those that were read before are not read again.
    """
    with _lock:
        known = _read_before.get(engine)
        # On a server, one of two events written at once may be seen before the other: read again
        # a little of what is known.
        first = 0 if known is None or known.empty else int(known.index[-1]) - OVERLAP
        new = _read(engine, first)
        if known is not None:
            new = new[~new.index.isin(known.index)]
            new = pd.concat([known, new]).sort_index() if len(new) else known
        _read_before[engine] = new
    return new[new.index > since] if since else new.copy()


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
    events = log(engine)
    # An event counts unless an event that counts undoes it; undoing events are always later, so
    # one pass from the end settles all.
    undone: set[int] = set()
    undoing = events.loc[events["judgement"] == "undo", "undoes"].iloc[::-1]
    for event, target in undoing.items():
        if event not in undone:
            undone.add(int(target))
    counts = events[(events["judgement"] != "undo") & ~events.index.isin(undone)]
    if who is not None:
        counts = counts[counts["who"] == who]
    latest = counts.drop_duplicates(
        ["who", "recording_id", "start_s", "end_s", "class"], keep="last"
    )
    latest = latest.astype({"recording_id": "int64", "start_s": "float64", "end_s": "float64"})
    return latest.drop(columns="undoes")


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
    votes = label_rows["judgement"].map({"positive": 1, "negative": -1, "unsure": 0}).astype(int)
    total = (
        label_rows.assign(votes=votes)
        .groupby(["class", "row"], sort=True, as_index=False)["votes"]
        .sum()
    )
    total["judgement"] = np.select(
        [total["votes"] > 0, total["votes"] < 0], ["positive", "negative"], "unsure"
    )
    return total[["row", "class", "judgement"]]


def examples_of(
    label_rows: pd.DataFrame,
) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int64]]]:
    """What a classifier learns from: agreed positive and agreed negative windows of each class."""
    settled = agreed(label_rows)
    positives, negatives = (
        {
            str(class_): rows["row"].to_numpy(dtype=np.int64)
            for class_, rows in settled[settled["judgement"] == judgement].groupby("class")
        }
        for judgement in ("positive", "negative")
    )
    return positives, negatives
