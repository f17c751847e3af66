"""The catalogue's tables, and what happens when a catalogue is older or newer than the program.

The catalogue is the one place that says what a collection holds. Everything else on disk
(shards, projections, classifiers) is named by a row here, or is an orphan and swept.

A newer schema than this program knows is refused; an older one is copied beside itself
(``catalogue.sqlite.v1.backup``) and then brought up to date, one step per version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from explorer.errors import CollectionError, FormatVersionError, MissingDependencyError

SCHEMA_VERSION = 3
"""Version of the tables below; raise it together with a step in ``MIGRATIONS``."""

tables = sa.MetaData()

meta = sa.Table(
    "meta",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

recordings = sa.Table(
    "recordings",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    # The name is the path relative to the folder, with forward slashes on every system: it is what
    # labels and exports refer to, so it survives a move of the folder.
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("sample_rate", sa.Integer, nullable=False),
    sa.Column("channels", sa.Integer, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.Text),  # ISO 8601 with zone
    sa.Column("zone_source", sa.Text),
    sa.Column("site", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("notes", sa.Text, nullable=False, default=""),
    sa.Column("latitude", sa.Float),  # degrees, as the recorder wrote them
    sa.Column("longitude", sa.Float),
)

sites = sa.Table(
    "sites",
    tables,
    # Coordinates that a person gave; they have the last word over what recorders wrote.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("latitude", sa.Float, nullable=False),
    sa.Column("longitude", sa.Float, nullable=False),
)

health = sa.Table(
    "health",
    tables,
    sa.Column("recording_id", sa.Integer, sa.ForeignKey("recordings.id"), primary_key=True),
    # A recording that changed since is measured again.
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("measures", sa.Text, nullable=False),  # JSON
)

left_out = sa.Table(
    "left_out",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
)

runs = sa.Table(
    "runs",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("encoder", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("sample_rate", sa.Integer, nullable=False),
    sa.Column("window_s", sa.Float, nullable=False),  # seconds of the recording
    sa.Column("hop_s", sa.Float, nullable=False),
    sa.Column("speed", sa.Float, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("low_hz", sa.Float),  # limits in Hz of the recording; none where null
    sa.Column("high_hz", sa.Float),
)

shards = sa.Table(
    "shards",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.Text, sa.ForeignKey("runs.name"), nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("first_row", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.UniqueConstraint("run", "file"),
    sa.UniqueConstraint("run", "first_row"),
)

segments = sa.Table(
    "segments",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.Text, sa.ForeignKey("runs.name"), nullable=False),
    sa.Column("recording_id", sa.Integer, sa.ForeignKey("recordings.id"), nullable=False),
    sa.Column("first_window", sa.Integer, nullable=False),
    sa.Column("windows", sa.Integer, nullable=False),
    # The row within the whole run, not within the shard: it stays true when shards are compacted.
    sa.Column("first_row", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("run", "recording_id", "first_window"),
    sa.UniqueConstraint("run", "first_row"),
)

failures = sa.Table(
    "failures",
    tables,
    sa.Column("run", sa.Text, sa.ForeignKey("runs.name"), primary_key=True),
    sa.Column("recording_id", sa.Integer, sa.ForeignKey("recordings.id"), primary_key=True),
    sa.Column("cause", sa.Text, nullable=False),
)

label_events = sa.Table(
    "label_events",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("judgement", sa.Text, nullable=False),  # positive | negative | unsure | undo
    sa.Column("recording_id", sa.Integer, sa.ForeignKey("recordings.id")),
    sa.Column("start_s", sa.Float),
    sa.Column("end_s", sa.Float),
    sa.Column("class", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("label_events.id")),
)

classifiers = sa.Table(
    "classifiers",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, sa.ForeignKey("runs.name"), nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("classes", sa.Text, nullable=False),  # JSON list
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)

exercises = sa.Table(
    "exercises",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("about", sa.Text, nullable=False),  # JSON: question, choices, clips, who made it
    sa.Column("created_at", sa.Text, nullable=False),
)

exercise_answers = sa.Table(
    "exercise_answers",
    tables,
    # Answers are no labels: what learners guess stays out of the collection's classes.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("exercise", sa.Text, sa.ForeignKey("exercises.name"), nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("clip", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)


def _add_band_limits(connection: sa.Connection) -> None:
    """To version 2: a run may hear a band of the recordings; older runs heard all."""
    for column in ("low_hz", "high_hz"):
        connection.execute(sa.text(f"ALTER TABLE runs ADD COLUMN {column} FLOAT"))


def _add_places_health_and_exercises(connection: sa.Connection) -> None:
    """To version 3: where recorders stood, how they fared, and what a class answered."""
    for column in ("latitude", "longitude"):
        connection.execute(sa.text(f"ALTER TABLE recordings ADD COLUMN {column} FLOAT"))
    for table in (sites, health, exercises, exercise_answers):
        table.create(connection)


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {
    1: _add_band_limits,
    2: _add_places_health_and_exercises,
}
"""Step that brings a catalogue of version ``key`` to ``key + 1``."""


def connect(url: str) -> sa.Engine:
    """Open the database behind ``url`` with the settings that the catalogue relies on."""
    try:
        engine = sa.create_engine(url)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            error.name or url.split(":", 1)[0], "server", "a catalogue on a database server"
        ) from error
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: object) -> None:
            # WAL lets people read while an embedding run writes; synchronous=FULL makes a commit
            # survive a power cut, which is what "counts as embedded" promises.
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "busy_timeout=30000",
            ):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def prepare(engine: sa.Engine) -> None:
    """Create the tables in an empty database, or bring an older one up to date after a backup.

    Raises
    ------
    FormatVersionError
        If a newer program wrote the catalogue.
    """
    if not sa.inspect(engine).has_table("meta"):
        with engine.begin() as connection:
            tables.create_all(connection)
            connection.execute(meta.insert().values(key="version", value=str(SCHEMA_VERSION)))
        return
    with engine.connect() as connection:
        found = connection.scalar(sa.select(meta.c.value).where(meta.c.key == "version"))
    if found is None or not str(found).isdigit():
        raise CollectionError(
            f"{engine.url.database}: this database is not a Soundscape Explorer catalogue. "
            "Give the collection another folder."
        )
    version = int(found)
    if version > SCHEMA_VERSION:
        raise FormatVersionError(
            f"{engine.url.database}: the catalogue has version {version} and this program knows "
            f"up to {SCHEMA_VERSION}. Update with: pip install -U soundscape-explorer"
        )
    if version < SCHEMA_VERSION:
        _migrate(engine, version)


def _migrate(engine: sa.Engine, version: int) -> None:
    """Bring the catalogue from ``version`` to ``SCHEMA_VERSION``, all steps in one transaction."""
    with engine.begin() as connection:
        # The number first: SQLite's driver begins a transaction at a change of rows, not of tables,
        # and of two programs that open the catalogue at once only one finds the old number.
        mine = connection.execute(
            meta.update()
            .where(meta.c.key == "version", meta.c.value == str(version))
            .values(value=str(SCHEMA_VERSION))
        )
        if not mine.rowcount:
            return
        if engine.dialect.name == "sqlite" and engine.url.database:
            _back_up(Path(engine.url.database), version)
        for step in range(version, SCHEMA_VERSION):
            MIGRATIONS[step](connection)


def _back_up(path: Path, version: int) -> None:
    """Copy a SQLite catalogue beside itself, as it was before the transaction under way."""
    backup = path.with_name(f"{path.name}.v{version}.backup")
    # sqlite3's own backup sees what still lies in the write-ahead log; a file copy would not.
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
