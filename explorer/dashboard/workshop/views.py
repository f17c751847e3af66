"""What a room shows, as plain values: to all students, and to the teacher.

What is blind stays here: before the reveal a student's page holds no count, and before a clip's
answer is told, neither page holds it, because the teacher's is on the wall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.collection.exercise_clips import RESERVED
from explorer.collection.exercise_sheet import NOT_ANSWERED, Sheet
from explorer.collection.exercises import clean_person
from explorer.dashboard.frame.palette import class_shape

if TYPE_CHECKING:
    from explorer.classify.agreement import Agreement
    from explorer.collection.exercises import Exercise
    from explorer.dashboard.workshop.room import Room

KAPPA_DRAWS = 400


def person(name: str) -> str:
    """A name as it will be kept."""
    return clean_person(name)


def public(room: Room) -> dict[str, Any] | None:
    """What every student may know of the exercise now."""
    return room.shown(_public)


def _public(room: Room) -> dict[str, Any] | None:
    exercise = room.exercise
    if exercise is None:
        return None
    shown: dict[str, Any] = {
        "name": exercise.name,
        "question": exercise.question,
        "choices": choices(exercise),
        "token": exercise.about.token,
        "clips": len(exercise.clips),
        "phase": exercise.phase,
        "people": room.n_people,
        "finished": room.n_finished,
    }
    if exercise.phase != "discussion":
        return shown
    before, now = room.sheets()
    found = {} if room.reasons is None else room.reasons.found
    return shown | {
        "at": room.at,
        "told": {str(clip): exercise.clips[clip].right or "" for clip in exercise.about.told},
        "counts": before.counts.tolist(),
        "counts_now": now.counts.tolist(),
        "disagreement": _rounded(before.disagreement),
        "where": room.where,
        "why": {str(c): found[c] for c in exercise.about.told if found.get(c)},
    }


def teacher(room: Room) -> dict[str, Any] | None:
    """What the teacher's page knows."""
    shown, exercise = public(room), room.exercise
    if shown is None or exercise is None:
        return None
    before, now = room.sheets()
    here = room.here()
    scores = before.scores()
    scores_now = now.scores()
    told = set(exercise.about.told)
    all_told = len(told) == len(exercise.clips)
    people = [
        {
            "who": who,
            "here": who in here,
            "answered": int((now.given[p] != NOT_ANSWERED).sum()),
            "first": before.given[p].tolist(),
            "now": now.given[p].tolist(),
            # Who was right says what is right: not before all has been told.
            "right": int(scores["right"][p]) if all_told else None,
            "right_now": int(scores_now["right"][p]) if all_told else None,
            "of": int(scores_now["of"][p]) if all_told else None,
        }
        for p, who in enumerate(now.people)
    ]
    shown |= {
        "at": room.at,
        "members": people,
        "counts": before.counts.tolist(),
        "counts_now": now.counts.tolist(),
        "answered": now.counts.sum(axis=1).tolist(),
        "disagreement": _rounded(before.disagreement),
        "agreement": agreement(before.agreement(draws=KAPPA_DRAWS)),
        "agreement_now": agreement(now.agreement(draws=KAPPA_DRAWS)),
        "known": sum(clip.right is not None for clip in exercise.clips),
        "majority": now.majority,
        "taken": len(exercise.about.taken),
    }
    if all_told:
        shown["confusion"] = confusion(before)
        shown["confusion_now"] = confusion(now)
    return shown


def preparation(room: Room) -> list[dict[str, Any]]:
    """The clips with what is right, for the teacher alone."""
    clips = () if room.exercise is None else room.exercise.clips
    return [
        {"right": clip.right or "", "by": clip.by, "where": where}
        for clip, where in zip(clips, room.where, strict=True)
    ]


def choices(exercise: Exercise) -> list[dict[str, Any]]:
    """The possible answers, each with its key and, for a class, its sign."""
    shown = []
    for number, answer in enumerate(exercise.choices):
        plain = answer in RESERVED
        shown.append(
            {
                "answer": answer,
                "key": answer[0] if plain else str(number + 1),
                "style": None if plain else number,
                "shape": None if plain else class_shape(number),
            }
        )
    return shown


def agreement(found: Agreement) -> dict[str, Any] | None:
    """Agreement in numbers that JSON knows; None where nobody can tell yet."""
    if not found.windows:
        return None
    kappa = None if np.isnan(found.kappa) else round(found.kappa, 3)
    return {
        "pairs": round(found.observed, 3),
        "kappa": kappa,
        "low": None if kappa is None else round(found.low, 3),
        "high": None if kappa is None else round(found.high, 3),
        "word": found.in_a_word,
        "clips": found.windows,
        "people": found.people,
    }


def confusion(sheet: Sheet) -> dict[str, Any]:
    """What was right against what was answered."""
    table = sheet.confusion()
    return {"right": list(table.index), "counts": table.to_numpy().tolist()}


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 3) for value in values]
