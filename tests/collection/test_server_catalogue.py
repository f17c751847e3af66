"""The same catalogue on a lab's PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_recordings import Listener

import explorer
from explorer.errors import MissingDependencyError

pytest.importorskip("psycopg", reason='needs pip install "soundscape-explorer[server]"')


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own, in a temporary folder, for this test alone."""
    found = shutil.which("initdb") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None
    )
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(found).parent
    data = tmp_path_factory.mktemp("postgres")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        for parent in (data, *data.parents[:2]):
            parent.chmod(0o755)
        shutil.chown(data, user)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=data, stdout=subprocess.DEVNULL)

    run(str(folder / "initdb"), "-D", str(data / "db"), "-A", "trust", "-U", "explorer")
    control = [str(folder / "pg_ctl"), "-D", str(data / "db"), "-w", "-l", str(data / "log")]
    run(*control, "-o", f"-p {port} -k {data} -h localhost", "start")
    yield f"postgresql+psycopg://explorer@localhost:{port}/postgres"
    run(*control, "-m", "immediate", "stop")


def test_the_catalogue_may_live_on_a_database_server(
    tmp_path: Path, recordings: Path, server: str
) -> None:
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings, catalogue=server)
    assert reef.embed(Listener(), progress=False).windows == reef.n_windows() > 0
    events = reef.label([1, 2], "hum", who="ana")
    reef.undo(events[:1], who="ana")
    assert len(reef.labels()) == 1
    reef.close()
    assert not (reef.path / "catalogue.sqlite").exists()
    again = explorer.open(tmp_path / "reef.collection", catalogue=server)
    assert again.search(3, k=2).index[0] == 3
    assert again.check().empty
    runs = again.catalogue.runs()
    with again.catalogue.engine.begin() as connection:  # as version 1 left it
        connection.execute(sa.text("ALTER TABLE runs DROP COLUMN low_hz, DROP COLUMN high_hz"))
        connection.execute(
            sa.text("ALTER TABLE recordings DROP COLUMN latitude, DROP COLUMN longitude")
        )
        for table in ("exercise_answers", "exercises", "health", "sites"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("UPDATE meta SET value = '1' WHERE key = 'version'"))
    again.close()
    migrated = explorer.open(tmp_path / "reef.collection", catalogue=server)
    assert migrated.catalogue.runs() == runs
    migrated.close()


def test_a_missing_driver_is_named_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"soundscape-explorer\[server\]"):
        explorer.open(tmp_path / "reef.collection", catalogue="postgresql+psycopg://localhost/x")
