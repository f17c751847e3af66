"""Exercises as they lie in the catalogue: one row with all that is known, and a log of answers.

Rows of the log are only ever added. Who joined is in it too, as an answer to clip ``JOINED`` that
holds a digest of the secret by which her browser is known again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import pandas as pd
import sqlalchemy as sa

from explorer.collection import schema
from explorer.collection.exercise_clips import NO, NONE, UNSURE, YES, ExerciseClip
from explorer.errors import FormatVersionError

FORMAT_VERSION = 1
JOINED = -1

Phase = Literal["lobby", "open", "discussion"]


@dataclass(frozen=True)
class About:
    """All that is known of an exercise but its answers."""

    question: str
    classes: tuple[str, ...]
    clips: tuple[ExerciseClip, ...]
    run: str
    seed: int
    clips_from: str
    token: str
    phase: Phase = "lobby"
    revealed_after: int | None = None  # the last answer that was given blind
    told: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()  # label events of the majority

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible answers."""
        return (YES, NO, UNSURE) if len(self.classes) == 1 else (*self.classes, NONE, UNSURE)


def to_json(about: About) -> str:
    """Write all that is known of an exercise."""
    return json.dumps({"version": FORMAT_VERSION, **asdict(about)}, ensure_ascii=False)


def from_json(name: str, text: str) -> About:
    """Read all that is known of an exercise.

    Raises
    ------
    FormatVersionError
        If a newer program wrote it.
    """
    kept = json.loads(text)
    if kept.pop("version") > FORMAT_VERSION:
        raise FormatVersionError(
            f"the exercise {name!r} was made by a newer version of this program. Update with: "
            "pip install -U soundscape-explorer"
        )
    kept["clips"] = tuple(ExerciseClip(**clip) for clip in kept["clips"])
    for key in ("classes", "told", "taken"):
        kept[key] = tuple(kept[key])
    return About(**kept)


def new_token() -> str:
    """What is in the addresses of an exercise's clips, so that nobody guesses them."""
    return secrets.token_urlsafe(9)


def insert(engine: sa.Engine, name: str, about: About) -> None:
    """Enter a new exercise."""
    with engine.begin() as connection:
        values = {"name": name, "about": to_json(about), "created_at": now()}
        connection.execute(schema.exercises.insert().values(**values))


def change(engine: sa.Engine, name: str, about: About) -> None:
    """Keep what has changed of an exercise."""
    table = schema.exercises
    with engine.begin() as connection:
        connection.execute(table.update().where(table.c.name == name).values(about=to_json(about)))


def find(engine: sa.Engine, name: str) -> About | None:
    """All that is known of an exercise, None if there is none of that name."""
    table = schema.exercises
    with engine.connect() as connection:
        text = connection.scalar(sa.select(table.c.about).where(table.c.name == name))
    return None if text is None else from_json(name, text)


def names(engine: sa.Engine) -> list[str]:
    """Names of all exercises, oldest first."""
    table = schema.exercises
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(table.c.name).order_by(table.c.created_at)))


def listed(engine: sa.Engine) -> pd.DataFrame:
    """Exercises, newest first: name, question, clips, people, answers, phase, created_at."""
    table, log = schema.exercises, schema.exercise_answers
    with engine.connect() as connection:
        made = connection.execute(
            sa.select(table.c.name, table.c.about, table.c.created_at).order_by(
                table.c.created_at.desc()
            )
        ).all()
        counted = connection.execute(
            sa.select(
                log.c.exercise,
                sa.func.count(sa.distinct(log.c.who)),
                sa.func.sum(sa.case((log.c.clip == JOINED, 0), else_=1)),
            ).group_by(log.c.exercise)
        ).all()
    numbers = {name: (int(people), int(given or 0)) for name, people, given in counted}
    rows = []
    for name, text, created_at in made:
        about = from_json(name, text)
        people, given = numbers.get(name, (0, 0))
        rows.append(
            (name, about.question, len(about.clips), people, given, about.phase, created_at)
        )
    columns = ["name", "question", "clips", "people", "answers", "phase", "created_at"]
    return pd.DataFrame(rows, columns=columns)


def join(engine: sa.Engine, exercise: str, wanted: str, secret: str) -> str:
    """Enter a person under a name, with a number if it is taken; give the name it became."""
    mine = hashlib.sha256(secret.encode()).hexdigest()
    table = schema.exercise_answers
    with engine.begin() as connection:
        rows = connection.execute(
            sa.select(table.c.who, table.c.answer)
            .where(table.c.exercise == exercise, table.c.clip == JOINED)
            .order_by(table.c.id.desc())
        ).all()
        holders = {who.casefold(): (who, digest) for who, digest in rows}
        number, candidate = 1, wanted
        while (held := holders.get(candidate.casefold())) is not None:
            if hmac.compare_digest(held[1], mine):
                return str(held[0])
            number += 1
            candidate = f"{wanted} {number}"
        values = {"who": candidate, "clip": JOINED, "answer": mine}
        connection.execute(table.insert().values(exercise=exercise, at=now(), **values))
    return candidate


def add(engine: sa.Engine, exercise: str, answers: Iterable[tuple[str, int, str]]) -> None:
    """Add answers (who, clip, answer) to the log, in their order, all or none."""
    at = now()
    rows = [
        {"exercise": exercise, "who": who, "clip": clip, "answer": answer, "at": at}
        for who, clip, answer in answers
    ]
    if rows:
        with engine.begin() as connection:
            connection.execute(schema.exercise_answers.insert(), rows)


def last_answer(engine: sa.Engine, exercise: str) -> int:
    """Id of the last row of an exercise's log, 0 if there is none."""
    table = schema.exercise_answers
    with engine.connect() as connection:
        last = connection.scalar(
            sa.select(sa.func.max(table.c.id)).where(table.c.exercise == exercise)
        )
    return int(last or 0)


def log(engine: sa.Engine, exercise: str) -> pd.DataFrame:
    """The log of an exercise, in order: who, clip, answer, at; the index is the row's id."""
    table = schema.exercise_answers
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(table.c.id, table.c.who, table.c.clip, table.c.answer, table.c.at)
            .where(table.c.exercise == exercise)
            .order_by(table.c.id)
        ).all()
    columns = ["id", "who", "clip", "answer", "at"]
    return pd.DataFrame([tuple(row) for row in rows], columns=columns).set_index("id")


def now() -> str:
    """The moment that it is, ISO 8601 with zone."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
