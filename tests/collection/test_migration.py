"""A collection of an older version of the program opens as it was, after a backup."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_recordings import RUN, Listener

import explorer
from explorer.collection import schema
from explorer.collection.collection import Collection

VERSION_1 = """
CREATE TABLE meta ("key" TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE recordings (
    id INTEGER NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL, file TEXT NOT NULL,
    duration_s FLOAT NOT NULL, sample_rate INTEGER NOT NULL, channels INTEGER NOT NULL,
    format TEXT NOT NULL, size_bytes BIGINT NOT NULL, modified_ns BIGINT NOT NULL,
    started_at TEXT, zone_source TEXT, site TEXT, device TEXT, notes TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (name)
);
CREATE TABLE left_out (
    name TEXT NOT NULL, folder TEXT NOT NULL, cause TEXT NOT NULL, PRIMARY KEY (name)
);
CREATE TABLE runs (
    name TEXT NOT NULL, encoder TEXT NOT NULL, version TEXT NOT NULL, sample_rate INTEGER NOT NULL,
    window_s FLOAT NOT NULL, hop_s FLOAT NOT NULL, speed FLOAT NOT NULL, channel TEXT NOT NULL,
    dimension INTEGER NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (name)
);
CREATE TABLE shards (
    id INTEGER NOT NULL, run TEXT NOT NULL, file TEXT NOT NULL, first_row BIGINT NOT NULL,
    rows INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (run, file),
    UNIQUE (run, first_row), FOREIGN KEY(run) REFERENCES runs (name)
);
CREATE TABLE segments (
    id INTEGER NOT NULL, run TEXT NOT NULL, recording_id INTEGER NOT NULL,
    first_window INTEGER NOT NULL, windows INTEGER NOT NULL, first_row BIGINT NOT NULL,
    PRIMARY KEY (id), UNIQUE (run, recording_id, first_window), UNIQUE (run, first_row),
    FOREIGN KEY(run) REFERENCES runs (name), FOREIGN KEY(recording_id) REFERENCES recordings (id)
);
CREATE TABLE failures (
    run TEXT NOT NULL, recording_id INTEGER NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (run, recording_id), FOREIGN KEY(run) REFERENCES runs (name),
    FOREIGN KEY(recording_id) REFERENCES recordings (id)
);
CREATE TABLE label_events (
    id INTEGER NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, judgement TEXT NOT NULL,
    recording_id INTEGER, start_s FLOAT, end_s FLOAT, class TEXT, source TEXT NOT NULL,
    undoes INTEGER, PRIMARY KEY (id), FOREIGN KEY(recording_id) REFERENCES recordings (id),
    FOREIGN KEY(undoes) REFERENCES label_events (id)
);
CREATE TABLE classifiers (
    name TEXT NOT NULL, run TEXT NOT NULL, file TEXT NOT NULL, classes TEXT NOT NULL,
    sha256 TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (name),
    FOREIGN KEY(run) REFERENCES runs (name)
);
"""
"""The tables as version 1 made them, in SQLite's words: they never change again."""


@pytest.fixture
def old(reef: Collection) -> Path:
    """A labelled collection whose catalogue is of version 1."""
    reef.label([3, 5], "grunt", who="ana")
    reef.classifier({"grunt": [3, 5]}).save("grunts")
    reef.close()
    path = reef.path / "catalogue.sqlite"
    new = path.rename(reef.path / "new.sqlite")
    with sqlite3.connect(path) as database:
        database.executescript(VERSION_1)
        database.execute("ATTACH ? AS new", [str(new)])
        tables = database.execute("SELECT name FROM main.sqlite_master WHERE sql IS NOT NULL")
        for (table,) in tables.fetchall():
            columns = ", ".join(
                f'"{row[1]}"' for row in database.execute(f"PRAGMA main.table_info({table})")
            )
            database.execute(f"INSERT INTO main.{table} SELECT {columns} FROM new.{table}")
        database.execute("UPDATE main.meta SET value = '1' WHERE key = 'version'")
    new.unlink()
    return reef.path


def test_a_collection_of_version_1_opens_as_it_was(old: Path) -> None:
    reef = explorer.open(old)
    assert reef.catalogue.runs() == {RUN.name: RUN}
    assert (RUN.low_hz, RUN.high_hz) == (None, None)
    assert reef.embed(Listener(), progress=False).windows == 0
    assert reef.labels()["class"].tolist() == ["grunt", "grunt"]
    assert reef.load_classifier("grunts").classes == ["grunt"]
    assert reef.check().empty


def test_a_migrated_catalogue_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    def tables(path: Path) -> dict[str, list[tuple[str, str, bool]]]:
        inspector = sa.inspect(explorer.open(path).catalogue.engine)
        return {
            table: [
                (c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            ]
            for table in inspector.get_table_names()
        }

    assert tables(old) == tables(tmp_path / "new.collection")


def version_of(path: Path) -> str:
    with sqlite3.connect(path) as database:
        return str(database.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])


def test_the_backup_is_the_catalogue_as_it_was(old: Path) -> None:
    explorer.open(old).close()
    backup = old / "catalogue.sqlite.v1.backup"
    assert version_of(backup) == "1"
    assert version_of(old / "catalogue.sqlite") == str(schema.SCHEMA_VERSION)
    (old / "catalogue.sqlite").write_bytes(backup.read_bytes())  # a person goes back to it
    assert len(explorer.open(old).labels()) == 2


def test_a_migration_that_breaks_off_leaves_all_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = schema.MIGRATIONS[1]

    def breaks(connection: sa.Connection) -> None:
        step(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(schema.MIGRATIONS, 1, breaks)
        explorer.open(old)
    assert version_of(old / "catalogue.sqlite") == "1"
    assert explorer.open(old).catalogue.runs() == {RUN.name: RUN}


def test_of_two_programs_that_open_it_at_once_one_migrates(old: Path) -> None:
    late = schema.connect(f"sqlite:///{old / 'catalogue.sqlite'}")
    explorer.open(old).close()
    schema._migrate(late, version=1)  # as found before the other began
    assert version_of(old / "catalogue.sqlite.v1.backup") == "1"
    assert explorer.open(old).catalogue.runs() == {RUN.name: RUN}
