"""What a collection holds: recordings, runs, shards, segments and failures.

A recording counts as embedded only as far as committed *segments* say: (run, recording, first
window, windows, first row). Segments and the shard that holds their rows are committed in one
transaction, after the shard is on disk. So whenever the program dies, catalogue and shards agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from explorer.audio.band import NO_LIMITS, Band
from explorer.audio.recordings import Recording, Scan
from explorer.collection import schema


@dataclass(frozen=True)
class Run:
    """One encoder over a collection, with the windows it saw.

    ``window_s`` and ``hop_s`` are seconds of the recording (at ``speed`` 0.1 an encoder of 3 s
    windows sees 0.3 s of a bat's recording). ``low_hz`` and ``high_hz`` are the limits of what it
    heard, in Hz of the recording; None for no limit.
    """

    name: str
    encoder: str
    version: str
    sample_rate: int
    window_s: float
    hop_s: float
    speed: float
    channel: str
    dimension: int
    low_hz: float | None = None
    high_hz: float | None = None

    @property
    def band(self) -> Band:
        """What the encoder heard of the recordings."""
        return Band(self.low_hz, self.high_hz)

    @staticmethod
    def name_for(
        encoder: str,
        version: str,
        window_s: float,
        hop_s: float,
        speed: float,
        channel: str,
        band: Band = NO_LIMITS,
    ) -> str:
        """Folder name of a run: ``birdnet-2.4_3.0s``, and what differs from the defaults."""
        tenths = abs(window_s - round(window_s, 1)) < 1e-9
        name = f"{encoder}-{version}_{window_s:{'.1f' if tenths else '.4g'}}s"
        if abs(hop_s - window_s) > 1e-9:
            name += f"_hop{hop_s:g}s"
        if speed != 1:
            name += f"_x{speed:g}"
        if channel != "mix":
            name += f"_ch{channel}"
        if band != NO_LIMITS:
            name += f"_{band.label}"
        return name


@dataclass(frozen=True)
class Segment:
    """Consecutive windows of one recording that lie in consecutive rows of a run."""

    recording_id: int
    first_window: int
    windows: int


class Catalogue:
    """The database of one collection.

    Parameters
    ----------
    url
        SQLAlchemy address: ``sqlite:///…/catalogue.sqlite``, or a server's
        (``postgresql+psycopg://…``).
    """

    def __init__(self, url: str) -> None:
        self.engine = schema.connect(url)
        schema.prepare(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def version(self) -> tuple[int, ...]:
        """Grows whenever recordings, windows or shards are added, by this process or another."""
        with self.engine.connect() as connection:
            row = connection.execute(
                sa.select(
                    *(
                        sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)).scalar_subquery()
                        for table in (schema.recordings, schema.segments, schema.shards)
                    )
                )
            ).one()
        return tuple(row)

    # --- settings ---------------------------------------------------------------------------

    def setting(self, key: str) -> str | None:
        """A remembered setting such as ``"timezone"``."""
        with self.engine.connect() as connection:
            return connection.scalar(
                sa.select(schema.meta.c.value).where(schema.meta.c.key == f"setting:{key}")
            )

    def remember(self, key: str, value: str) -> None:
        """Remember a setting."""
        meta, name = schema.meta, f"setting:{key}"
        with self.engine.begin() as connection:
            connection.execute(meta.delete().where(meta.c.key == name))
            connection.execute(meta.insert().values(key=name, value=value))

    # --- recordings -------------------------------------------------------------------------

    def add(self, scan: Scan) -> None:
        """Enter what a scan found.

        A file is known by its name relative to the folder. A folder that moved is linked again. A
        second folder that holds the same names gets its own rows, with the folder's name in front.
        A recording that changed after it was embedded keeps its old row and is listed as left out,
        because its labels and embeddings belong to the old sound.
        """
        folder = str(scan.folder)
        left_out = {item.name: item.cause for item in scan.left_out}
        with self.engine.begin() as connection:
            table = schema.recordings
            known = {row.name: row for row in connection.execute(sa.select(table))}
            embedded = set(connection.scalars(sa.select(schema.segments.c.recording_id).distinct()))
            inserts: list[dict[str, Any]] = []
            for recording in scan.recordings:
                name = _name_in(recording, folder, known)
                values = _recording_values(recording, folder, name)
                row = known.get(name)
                if row is None:
                    inserts.append(values)
                elif row.id in embedded and not _same_sound(row, recording):
                    left_out[recording.name] = (
                        "the file has changed since it was embedded: give the new file a new name"
                    )
                elif any(getattr(row, key) != value for key, value in values.items()):
                    connection.execute(table.update().where(table.c.id == row.id).values(**values))
            if inserts:
                connection.execute(table.insert(), inserts)
            table = schema.left_out
            connection.execute(table.delete().where(table.c.folder == folder))
            for name, cause in left_out.items():
                connection.execute(table.delete().where(table.c.name == name))
                connection.execute(table.insert().values(name=name, folder=folder, cause=cause))

    def recordings(self) -> pd.DataFrame:
        """All recordings, by name; the index is the recording's id.

        Columns: recording, duration_s, sample_rate, channels, format, started_at (ISO 8601 with
        zone, or None), zone_source, site, device, latitude, longitude (degrees, as the recorder
        wrote them; else not a number), notes, size_bytes, path.
        """
        table = schema.recordings
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.name)).mappings().all()
        frame = pd.DataFrame([dict(row) for row in rows], columns=[c.name for c in table.columns])
        frame["path"] = [
            str(Path(folder) / file)
            for folder, file in zip(frame["folder"], frame["file"], strict=True)
        ]
        frame = frame.rename(columns={"name": "recording"}).set_index("id")
        for column in ("started_at", "zone_source", "site", "device"):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
        frame = frame.astype({"latitude": "float64", "longitude": "float64"})
        return frame[
            [
                "recording",
                "duration_s",
                "sample_rate",
                "channels",
                "format",
                "started_at",
                "zone_source",
                "site",
                "device",
                "latitude",
                "longitude",
                "notes",
                "size_bytes",
                "path",
            ]
        ]

    def left_out(self, run: str | None = None) -> pd.DataFrame:
        """Files that could not be used, with the cause: at the scan, and in ``run`` if given."""
        with self.engine.connect() as connection:
            found = connection.execute(
                sa.select(schema.left_out.c.name, schema.left_out.c.cause)
            ).all()
            if run is not None:
                found = [
                    *found,
                    *connection.execute(
                        sa.select(schema.recordings.c.name, schema.failures.c.cause)
                        .join_from(schema.failures, schema.recordings)
                        .where(schema.failures.c.run == run)
                    ).all(),
                ]
        return pd.DataFrame(sorted(tuple(row) for row in found), columns=["recording", "cause"])

    # --- runs -------------------------------------------------------------------------------

    def add_run(self, run: Run) -> None:
        """Enter a run, unless it is there."""
        with self.engine.begin() as connection:
            if connection.scalar(sa.select(schema.runs.c.name).filter_by(name=run.name)) is None:
                connection.execute(schema.runs.insert().values(**vars(run), created_at=_now()))

    def runs(self) -> dict[str, Run]:
        """All runs by name, oldest first."""
        table = schema.runs
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.created_at)).mappings()
            return {
                row["name"]: Run(**{k: v for k, v in row.items() if k != "created_at"})
                for row in rows
            }

    def segments(self, run: str) -> pd.DataFrame:
        """Committed segments in row order: recording_id, first_window, windows, first_row."""
        table = schema.segments
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(
                    table.c.recording_id, table.c.first_window, table.c.windows, table.c.first_row
                )
                .where(table.c.run == run)
                .order_by(table.c.first_row)
            ).all()
        columns = ["recording_id", "first_window", "windows", "first_row"]
        return pd.DataFrame([tuple(row) for row in rows], columns=columns, dtype="int64")

    def shards(self, run: str) -> list[tuple[str, int, str]]:
        """(file, rows, sha256) of a run's shards, in row order."""
        table = schema.shards
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(table.c.file, table.c.rows, table.c.sha256)
                .where(table.c.run == run)
                .order_by(table.c.first_row)
            ).all()
        return [(row.file, row.rows, row.sha256) for row in rows]

    def embedded(self, run: str) -> dict[int, int]:
        """Windows embedded so far, by recording id."""
        table = schema.segments
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(table.c.recording_id, sa.func.sum(table.c.windows))
                .where(table.c.run == run)
                .group_by(table.c.recording_id)
            ).all()
        return {int(recording): int(windows) for recording, windows in rows}

    def commit_shard(
        self,
        run: str,
        file: str | None,
        sha256: str,
        segments: Iterable[Segment],
        failures: Mapping[int, str],
    ) -> None:
        """Say in one transaction that a shard's rows count, and which recordings failed.

        ``file`` is None where only failures are to be told.
        """
        with self.engine.begin() as connection:
            row = _next_row(connection, run)
            first = row
            rows = []
            for segment in segments:
                rows.append({"run": run, "first_row": row, **vars(segment)})
                row += segment.windows
            if rows:
                connection.execute(schema.segments.insert(), rows)
                connection.execute(
                    schema.failures.delete().where(
                        schema.failures.c.run == run,
                        schema.failures.c.recording_id.in_({r["recording_id"] for r in rows}),
                    )
                )
            if file is not None:
                connection.execute(
                    schema.shards.insert().values(
                        run=run, file=file, first_row=first, rows=row - first, sha256=sha256
                    )
                )
            for recording_id, cause in failures.items():
                key = {"run": run, "recording_id": recording_id}
                connection.execute(schema.failures.delete().filter_by(**key))
                connection.execute(schema.failures.insert().values(**key, cause=cause))

    def replace_shards(self, run: str, old: list[str], file: str, sha256: str) -> None:
        """Say in one transaction that ``file`` holds the rows of neighbouring shards ``old``."""
        table = schema.shards
        with self.engine.begin() as connection:
            mine = (table.c.run == run) & table.c.file.in_(old)
            first, rows = connection.execute(
                sa.select(sa.func.min(table.c.first_row), sa.func.sum(table.c.rows)).where(mine)
            ).one()
            connection.execute(table.delete().where(mine))
            connection.execute(
                table.insert().values(run=run, file=file, first_row=first, rows=rows, sha256=sha256)
            )

    # --- classifiers ------------------------------------------------------------------------

    def add_classifier(
        self, name: str, run: str, file: str, classes: list[str], sha256: str
    ) -> None:
        """Enter a saved classifier, replacing one of the same name."""
        with self.engine.begin() as connection:
            connection.execute(schema.classifiers.delete().filter_by(name=name))
            connection.execute(
                schema.classifiers.insert().values(
                    name=name,
                    run=run,
                    file=file,
                    classes=json.dumps(classes, ensure_ascii=False),
                    sha256=sha256,
                    created_at=_now(),
                )
            )

    def classifiers(self) -> pd.DataFrame:
        """Saved classifiers: name, run, classes, created_at, file, sha256."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(schema.classifiers).order_by(schema.classifiers.c.name)
            ).mappings()
            frame = pd.DataFrame(
                [dict(row) for row in rows],
                columns=["name", "run", "classes", "created_at", "file", "sha256"],
            )
        frame["classes"] = [json.loads(value) for value in frame["classes"]]
        return frame


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _next_row(connection: sa.Connection, run: str) -> int:
    table = schema.segments
    last = connection.scalar(
        sa.select(sa.func.max(table.c.first_row + table.c.windows)).where(table.c.run == run)
    )
    return int(last or 0)


def _recording_values(recording: Recording, folder: str, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "folder": folder,
        "file": recording.name,
        "duration_s": recording.duration_s,
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "format": recording.format,
        "size_bytes": recording.size_bytes,
        "modified_ns": recording.modified_ns,
        "started_at": recording.started_at.isoformat() if recording.started_at else None,
        "zone_source": recording.zone_source,
        "site": recording.site,
        "device": recording.device,
        "latitude": recording.latitude,
        "longitude": recording.longitude,
        "notes": "; ".join(recording.notes),
    }


def _name_in(recording: Recording, folder: str, known: Mapping[str, sa.Row[Any]]) -> str:
    """The catalogue's name for a file: its own, or with its folder in front if that is taken."""
    # Longer and longer endings of the whole path; the last one is unique on this machine.
    parts = Path(folder).parts[1:]
    for depth in range(len(parts) + 1):
        name = "/".join([*parts[len(parts) - depth :], recording.name])
        row = known.get(name)
        if row is None or row.folder == folder:
            return name
        if not (Path(row.folder) / row.file).exists() and _same_sound(row, recording):
            return name  # the folder was moved
    return str(recording.path)


def _same_sound(row: sa.Row[Any], recording: Recording) -> bool:
    return bool(
        row.size_bytes == recording.size_bytes
        and abs(row.duration_s - recording.duration_s) < 1e-6
        and row.sample_rate == recording.sample_rate
    )
