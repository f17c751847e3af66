"""What was measured of each recording, in the catalogue's table ``health``.

A measurement counts as long as the recording is the one that was measured (size and time of change,
as catalogued) and the program measures the same things (`explorer.audio.health.VERSION`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from explorer.audio.health import VERSION, SoundHealth
from explorer.collection import schema
from explorer.collection.catalogue import Catalogue

_MEASURED = "health measured"

_HEALTH, _RECORDINGS = schema.health, schema.recordings

_FRESH = sa.and_(
    _HEALTH.c.recording_id == _RECORDINGS.c.id,
    _HEALTH.c.size_bytes == _RECORDINGS.c.size_bytes,
    _HEALTH.c.modified_ns == _RECORDINGS.c.modified_ns,
    _HEALTH.c.version == VERSION,
)


def pending(catalogue: Catalogue) -> list[tuple[int, Path, float]]:
    """Recordings that are to be measured: id, file, seconds; by name."""
    query = (
        sa.select(
            _RECORDINGS.c.id, _RECORDINGS.c.folder, _RECORDINGS.c.file, _RECORDINGS.c.duration_s
        )
        .outerjoin(_HEALTH, _FRESH)
        .where(_HEALTH.c.recording_id.is_(None))
        .order_by(_RECORDINGS.c.name)
    )
    with catalogue.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [(row.id, Path(row.folder) / row.file, float(row.duration_s)) for row in rows]


def save(catalogue: Catalogue, measured: Mapping[int, SoundHealth]) -> None:
    """Keep measurements by recording id, in one transaction."""
    ids = list(measured)
    if not ids:
        return
    with catalogue.engine.begin() as connection:
        known = connection.execute(
            sa.select(_RECORDINGS.c.id, _RECORDINGS.c.size_bytes, _RECORDINGS.c.modified_ns).where(
                _RECORDINGS.c.id.in_(ids)
            )
        ).all()
        rows = [
            {
                "recording_id": row.id,
                "size_bytes": row.size_bytes,
                "modified_ns": row.modified_ns,
                "version": VERSION,
                "measures": json.dumps(measured[row.id].to_dict()),
            }
            for row in known
        ]
        connection.execute(_HEALTH.delete().where(_HEALTH.c.recording_id.in_(ids)))
        if rows:
            connection.execute(_HEALTH.insert(), rows)
    catalogue.remember(_MEASURED, datetime.now(UTC).isoformat())


def load(catalogue: Catalogue) -> dict[int, SoundHealth]:
    """All measurements that count, by recording id."""
    query = sa.select(_HEALTH.c.recording_id, _HEALTH.c.measures).join(_RECORDINGS, _FRESH)
    with catalogue.engine.connect() as connection:
        rows = connection.execute(query).all()
    return {row.recording_id: SoundHealth.from_dict(json.loads(row.measures)) for row in rows}


def load_one(catalogue: Catalogue, recording_id: int) -> SoundHealth | None:
    """What was measured of one recording, or None where it is not measured yet."""
    query = (
        sa.select(_HEALTH.c.measures)
        .join(_RECORDINGS, _FRESH)
        .where(_RECORDINGS.c.id == recording_id)
    )
    with catalogue.engine.connect() as connection:
        found = connection.scalar(query)
    return None if found is None else SoundHealth.from_dict(json.loads(found))


def count(catalogue: Catalogue) -> int:
    """How many recordings are measured."""
    query = sa.select(sa.func.count()).select_from(_HEALTH).join(_RECORDINGS, _FRESH)
    with catalogue.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def stamp(catalogue: Catalogue) -> str:
    """Changes whenever measurements are kept."""
    return catalogue.setting(_MEASURED) or ""
