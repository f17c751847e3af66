"""Where recorders stood: what they wrote, and what a person says, who has the last word."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from small_recordings import write_recordings

import explorer
from explorer.collection.collection import Collection
from explorer.collection.places import metres, read_position, read_sites, spread_m
from explorer.errors import CollectionError, ParameterError


def tell_position(path: Path, position: str) -> None:
    """Write a position into a recording, as recorders with GUANO do."""
    chunk = f"GUANO|Version: 1.0\nLoc Position: {position}\n".encode()
    chunk += b"\x00" * (len(chunk) % 2)
    content = path.read_bytes() + b"guan" + struct.pack("<I", len(chunk)) + chunk
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])


@pytest.fixture
def reef(tmp_path: Path) -> Collection:
    """Eight recordings of two sites, not embedded; only those of one say where they were made."""
    folder = write_recordings(tmp_path / "recordings", seconds=1)
    for number, path in enumerate(sorted((folder / "west").glob("*.wav"))):
        tell_position(path, f"-27.4698 153.02{51 + number}")
    return explorer.open(tmp_path / "reef.collection", audio=folder)


def place_of(collection: Collection, site: str) -> tuple[float, float, str | None]:
    row = collection.sites.set_index("site").loc[site]
    return row["latitude"], row["longitude"], row["source"]


def test_a_site_stands_where_its_recorders_say(reef: Collection):
    table = reef.sites
    assert list(table["site"]) == ["EAST", "WEST"]
    assert place_of(reef, "WEST") == (pytest.approx(-27.4698), pytest.approx(153.02525), "recorder")
    assert np.isnan(table.loc[0, "latitude"])
    assert table.loc[0, "source"] is None
    assert table.loc[0, "recordings"] == 4
    assert table.loc[0, "first"] == "2026-03-01T00:00:00+00:00"


def test_what_a_person_gives_has_the_last_word_and_can_be_taken_back(reef: Collection):
    reef.place("WEST", 10, -20)
    assert place_of(reef, "WEST") == (10, -20, "given")
    assert place_of(explorer.open(reef.path), "WEST") == (10, -20, "given")
    reef.place("WEST", None, None)
    assert place_of(reef, "WEST")[2] == "recorder"


def test_an_older_catalogue_learns_its_positions_when_recordings_are_entered_again(
    reef: Collection,
):
    with reef.catalogue.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE recordings SET latitude = NULL, longitude = NULL")
    again = explorer.open(reef.path)
    assert place_of(again, "WEST")[2] is None
    again.add(reef.path.parent / "recordings")
    assert place_of(again, "WEST")[2] == "recorder"


def test_recordings_without_a_site_can_have_a_place_too(tmp_path: Path):
    folder = write_recordings(tmp_path / "recordings", count=1, seconds=1)
    path = next(folder.rglob("*.wav"))
    path.rename(folder / "20260301_000000.wav")
    collection = explorer.open(tmp_path / "one.collection", audio=folder)
    collection.place("", 78.2, 15.6)
    assert place_of(collection, "") == (78.2, 15.6, "given")


def test_a_site_that_is_not_there_and_a_position_that_cannot_be_are_refused(reef: Collection):
    with pytest.raises(ParameterError, match="no recording is of a site 'NORTH': there are EAST"):
        reef.place("NORTH", 1, 2)
    with pytest.raises(ParameterError, match="latitude goes from -90 to 90"):
        reef.place("WEST", 153.0, -27.5)


def test_a_table_of_sites_is_taken_in(reef: Collection, tmp_path: Path):
    path = tmp_path / "sites.csv"
    path.write_text("Station,Lat,Lng,Depth\nEAST,-23.44,151.91,12\nFAR,1,2,3\n\n", "utf-8-sig")
    report = reef.import_sites(path)
    assert (report.placed, report.unknown) == (("EAST",), ("FAR",))
    assert str(report) == "1 site placed. 1 site left out, because no recording is of FAR."
    assert place_of(reef, "EAST") == (-23.44, 151.91, "given")
    with pytest.raises(CollectionError, match="cannot be read"):
        reef.import_sites(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site,latitude\nA,1\n", "there is no column longitude"),
        ("site,lat,lon\nA,1,2\nB,here,3\n", "line 3: 'here', '3' is no position"),
        ("site,lat,lon\nA,91,2\n", "line 2"),
        ("", "there is no column site"),
    ],
)
def test_a_table_that_cannot_be_read_says_which_line(text: str, message: str):
    with pytest.raises(ParameterError, match=message):
        read_sites(text.encode(), "sites.csv")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("-27.4698, 153.0251", (-27.4698, 153.0251)),
        ("−27.4698 153.0251", (-27.4698, 153.0251)),
        ("27.4698 S 153.0251 E", (-27.4698, 153.0251)),
        ("78.2° N, 15.6° W", (78.2, -15.6)),
    ],
)
def test_positions_are_read_as_people_write_them(text: str, position: tuple[float, float]):
    assert read_position(text) == position


def test_what_is_no_position_is_refused():
    for text in ("", "27", "north of the creek", "95, 10"):
        with pytest.raises(ParameterError, match="is no position"):
            read_position(text)


def test_a_recorder_that_was_moved_is_told(reef: Collection):
    assert spread_m(reef).empty
    with reef.catalogue.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE recordings SET latitude = -27.5 WHERE name LIKE '%WEST%010000%'"
        )
    assert spread_m(explorer.open(reef.path))["WEST"] == pytest.approx(3370, rel=0.02)


def test_metres_are_true_and_cross_the_date_line():
    east, north = metres([60.0, 60.0, 60.01], [10.0, 10.01, 10.0])
    assert east[1] - east[0] == pytest.approx(556, rel=0.01)  # half of 1112 m at 60 degrees
    assert north[2] - north[0] == pytest.approx(1112, rel=0.01)
    east, _ = metres([-17.0, -17.0], [179.9, -179.9])
    assert east[1] - east[0] == pytest.approx(21_267, rel=0.01)
