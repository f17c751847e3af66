"""Finding recordings under a folder: each once, none lost, one bad file harming no other."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sound_files import add_chunk, noise, write

from explorer.audio.recordings import Recording, Scan, describe, scan
from explorer.errors import AudioError, ParameterError

RATE = 16_000


def names(found: Scan) -> list[str]:
    return [recording.name for recording in found.recordings]


def causes(found: Scan) -> dict[str, str]:
    return {item.name: item.cause for item in found.left_out}


@pytest.fixture
def reef(tmp_path: Path) -> Path:
    """Two good recordings, four bad files and a picture."""
    folder = tmp_path / "reef"
    write(folder / "north" / "20240501_050000.WAV", noise(30, RATE), RATE)
    write(folder / "south" / "20240501_050000.wav", noise(60, RATE), RATE)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "notes.wav").write_text("deployment notes\n" * 20)
    (folder / "page.flac").write_text("<!DOCTYPE html><html>sign in</html>")
    write(folder / "blip.wav", noise(0.005, RATE), RATE)
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    return folder


def test_good_recordings_are_found_and_bad_files_are_named_with_a_cause(reef: Path) -> None:
    found = scan(reef)
    assert names(found) == ["north/20240501_050000.WAV", "south/20240501_050000.wav"]
    assert found.hours == pytest.approx(90 / 3600)
    assert found.other_files == 1
    told = causes(found)
    assert set(told) == {"blip.wav", "empty.wav", "notes.wav", "page.flac"}
    assert "0 bytes" in told["empty.wav"]
    assert "text" in told["notes.wav"]
    assert "web page" in told["page.flac"]
    assert "10 ms" in told["blip.wav"]


def test_the_summary_says_what_was_matched_left_out_and_assumed(reef: Path) -> None:
    summary = scan(reef).summary()
    assert summary.startswith("2 recordings matched in reef/ (1.5 min of sound, 16 kHz).")
    assert "4 left out: 2 not audio (notes.wav, page.flac), 1 empty (empty.wav)" in summary
    assert "2 start times carry no time zone: read as UTC" in summary
    assert "no time zone" not in scan(reef, timezone="Europe/Berlin").summary()


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    assert re.match(r"No recordings matched in .*\(1 other file", scan(tmp_path).summary())


def test_a_folder_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such folder"):
        scan(tmp_path / "typo")


def test_a_scan_tells_how_far_it_is(reef: Path) -> None:
    steps: list[tuple[int, int]] = []
    scan(reef, on_progress=lambda done, total: steps.append((done, total)))
    assert steps == [(n, 6) for n in range(1, 7)]


def test_what_a_recording_is_comes_from_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros((48_000, 2), np.float32), 48_000, "PCM_24")
    recording = describe(path)
    assert (recording.frames, recording.duration_s, recording.channels) == (48_000, 1.0, 2)
    assert (recording.sample_rate, recording.format) == (48_000, "WAV/PCM_24")
    assert recording.path == path
    assert recording.size_bytes == path.stat().st_size


def test_a_bad_file_described_alone_raises_with_its_name(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"\x01\x02\x03" * 50)
    with pytest.raises(AudioError, match=r"bad\.wav: .*convert it"):
        describe(bad)


def test_content_decides_not_the_ending(tmp_path: Path) -> None:
    flac = write(tmp_path / "a.flac", noise(1, RATE), RATE)
    flac.rename(tmp_path / "a.WAV")
    assert describe(tmp_path / "a.WAV").format == "FLAC/PCM_16"


def test_hidden_files_and_card_folders_are_passed_over(tmp_path: Path) -> None:
    for name in ("._a.wav", ".hidden.wav", ".Trashes/b.wav", "__MACOSX/c.wav", "seen.wav"):
        write(tmp_path / name, noise(1, RATE), RATE)
    found = scan(tmp_path)
    assert names(found) == ["seen.wav"]
    assert not found.left_out


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_end_and_every_file_comes_once(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    write(folder / "a" / "real.wav", noise(1, RATE), RATE)
    write(elsewhere / "far.wav", noise(1, RATE), RATE)
    (folder / "a" / "up").symlink_to("..")
    (folder / "a again").symlink_to("a")
    (folder / "far").symlink_to(elsewhere)
    (folder / "first.wav").symlink_to("a/real.wav")
    (folder / "gone.wav").symlink_to("missing.wav")
    (folder / "self").symlink_to("self")
    found = scan(folder)
    assert names(found) == ["a/real.wav", "far/far.wav"]
    told = causes(found)
    assert set(told) == {"first.wav", "gone.wav", "self"}
    assert "a/real.wav" in told["first.wav"]
    assert "missing.wav" in told["gone.wav"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps such names")
def test_a_name_that_is_not_text_is_listed_not_fatal(tmp_path: Path) -> None:
    good = write(tmp_path / "good.wav", noise(1, RATE), RATE)
    os.link(good, os.fsencode(tmp_path) + b"/caf\xe9.wav")
    found = scan(tmp_path)
    assert names(found) == ["good.wav"]
    assert [item.name for item in found.left_out] == ["caf\\xe9.wav"]
    found.summary().encode("utf-8")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "locked.wav", noise(1, RATE), RATE)
    path.chmod(0)
    assert "not allowed" in causes(scan(tmp_path))["locked.wav"]


def test_a_folder_named_like_a_recording_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "day.wav" / "inside.wav", noise(1, RATE), RATE)
    assert names(scan(tmp_path)) == ["day.wav/inside.wav"]


def test_recorders_own_formats_name_the_program_that_opens_them(tmp_path: Path) -> None:
    (tmp_path / "SM2_20120401_050000.wac").write_bytes(b"WAac" + bytes(100))
    assert "Kaleidoscope" in causes(scan(tmp_path))["SM2_20120401_050000.wac"]


def test_the_recorders_time_goes_before_the_names(tmp_path: Path) -> None:
    path = write(tmp_path / "20250503_021300.WAV", noise(1, RATE), RATE)
    add_chunk(path, b"guan", b"Timestamp: 2025-05-03T03:13:00+01:00\nSerial: 24E1\n")
    recording = describe(path, timezone="America/Lima")
    assert recording.started_at is not None
    assert recording.started_at.isoformat() == "2025-05-03T03:13:00+01:00"
    assert (recording.zone_source, recording.device) == ("recorder", "24E1")
    assert recording.frames == RATE  # the chunk after the sound is not sound


def test_the_setting_reads_times_without_a_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "20240501_050000.wav", noise(1, RATE), RATE)
    recording = describe(path, timezone="Europe/Berlin")
    assert recording.started_at is not None
    assert recording.started_at.isoformat() == "2024-05-01T05:00:00+02:00"
    assert recording.zone_source == "setting"
    assert describe(path).zone_source == "assumed"


def sites(folder: Path, pattern: str | None = None) -> list[str | None]:
    return [recording.site for recording in scan(folder, site_pattern=pattern).recordings]


def test_the_site_is_the_prefix_then_the_folder_then_unknown(tmp_path: Path) -> None:
    for name in ("A/CREEK_20240501_050000.wav", "B/20240501_050000.wav", "C.wav"):
        write(tmp_path / name, noise(1, RATE), RATE)
    assert sites(tmp_path) == ["CREEK", "B", None]


def test_a_site_pattern_goes_before_everything(tmp_path: Path) -> None:
    for name in ("2024/ridge-2/x/a.wav", "2024/other/b.wav"):
        write(tmp_path / name, noise(1, RATE), RATE)
    assert sites(tmp_path, r"(?P<site>ridge-\d+)/") == [None, "ridge-2"]


def test_two_recorders_with_the_same_file_name_stay_two(reef: Path) -> None:
    recordings = scan(reef).recordings
    assert len({recording.name for recording in recordings}) == 2
    assert {recording.site for recording in recordings} == {"north", "south"}


def test_a_scan_of_thousands_takes_seconds(tmp_path: Path) -> None:
    first = write(tmp_path / "0.wav", noise(0.1, RATE), RATE)
    for n in range(1, 2_000):
        os.link(first, tmp_path / f"{n}.wav")
    started = time.perf_counter()
    found = scan(tmp_path)
    assert len(found.recordings) == 2_000
    assert time.perf_counter() - started < 20  # 0.5 s when the machine is quiet
    assert all(isinstance(item, Recording) for item in found.recordings)
