"""Every hard file of ../shared/audio/odd comes to no worse end than a listed error."""

from __future__ import annotations

import json
import os
import resource
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from explorer.audio import ffmpeg
from explorer.audio.decoding import read_clip, stream_windows
from explorer.audio.recordings import Scan, scan
from explorer.audio.spectrogram import PRESETS, spectrogram
from explorer.audio.windows import WindowGrid
from explorer.errors import AudioError

pytestmark = pytest.mark.golden

SHARED = Path(os.environ.get("EXPLORER_SHARED", Path(__file__).parents[3] / "shared"))
MANIFEST = SHARED / "audio" / "odd" / "odd_manifest.json"
ENTRIES = json.loads(MANIFEST.read_text()) if MANIFEST.is_file() else []
GRID = WindowGrid(3.0, 3.0)

# What the manifest wants listed with its reason, and never read.
REFUSED = "report the file by name"
# What the rules of a scan pass over: hidden files, and no ending or one that is not a sound's.
PASSED_OVER = {"no_extension", ".hidden.wav", "._birds.wav", "loop_up"}
SPARSE = "content/four_hours_sparse_16k.flac"


@pytest.fixture(scope="module")
def odd(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scan]:
    """All odd files under one folder (names and links unpacked beside the others), scanned."""
    source = shared / "audio" / "odd"
    folder = tmp_path_factory.mktemp("odd")
    for item in source.iterdir():
        if item.is_dir() or item.suffix == ".wav":
            (folder / item.name).symlink_to(item)
    for name in ("names", "links"):
        with tarfile.open(source / f"{name}.tar") as archive:
            archive.extractall(folder, filter="tar")
    return folder, scan(folder)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"][4:60] for entry in ENTRIES])
def test_an_odd_file_is_read_or_listed(odd: tuple[Path, Scan], entry: dict[str, str]) -> None:
    _, found = odd
    name = entry["file"].removeprefix("odd/")
    read = {recording.name: recording for recording in found.recordings}
    left_out = {item.name: item.cause for item in found.left_out}
    if Path(name).name in PASSED_OVER:
        assert name not in read
        return
    assert (name in read) != (name in left_out), "a file must be read or listed, once"
    if name in left_out:
        assert len(left_out[name]) > 15
        assert "read as usual" not in entry["expect"]
        return
    recording = read[name]
    if recording.duration_s > 100:
        return  # the four hours have a test of their own
    try:
        blocks = stream_windows(
            recording.path, GRID, sample_rate=32_000, duration_s=recording.duration_s
        )
        windows = np.concatenate([block.samples for block in blocks])
    except AudioError as error:
        assert Path(name).name in str(error)
        assert "read as usual" not in entry["expect"]
        return
    assert REFUSED not in entry["expect"]
    assert windows.shape == (GRID.count(recording.duration_s), 96_000)
    assert np.isfinite(windows).all()
    clip, rate = read_clip(recording.path)
    assert len(clip) == pytest.approx(recording.duration_s * rate, abs=0.1 * rate)
    assert np.isfinite(spectrogram(clip, rate, width_px=60, height_px=40).image).all()


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("damaged/truncated_40pct.wav", 0.8),
        ("damaged/data_length_zero_streamed.wav", 2.0),
        ("damaged/data_length_ffffffff.wav", 2.0),
        ("damaged/data_length_bogus_2GB.wav", 2.0),
        ("damaged/odd_byte_count.wav", 2.0),
        ("damaged/garbage_after_end.wav", 2.0),
        ("metadata/list_before_data.wav", 2.0),
        ("containers/mp3_vbr_no_xing.mp3", 2.035),
        ("names/really_flac.WAV", 2.0),
        ("names/folder.wav/inside.wav", 2.0),
    ],
)
def test_an_odd_files_length_is_that_of_its_sound(
    odd: tuple[Path, Scan], name: str, seconds: float
) -> None:
    (recording,) = [r for r in odd[1].recordings if r.name == name]
    assert recording.duration_s == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize(
    ("name", "iso", "source"),
    [
        ("20250503_021300.WAV", "2025-05-03T03:13:00+01:00", "recorder"),
        ("guano_chunk.wav", "2024-10-27T02:30:00+01:00", "recorder"),
        ("guano_broken.wav", None, None),
        ("names/20251345_256199.wav", None, None),
        ("names/20240229_000000.wav", "2024-02-29T00:00:00+00:00", "assumed"),
        ("names/67416073.210610033655.wav", "2021-06-10T03:36:55+00:00", "assumed"),
        ("names/AMAR173.4.20190920T004248Z.wav", "2019-09-20T00:42:48+00:00", "name"),
        ("names/5E90A4D4.WAV", "2020-04-10T16:54:44+00:00", "name"),
        ("names/SMM00424_20220801_$050000.wav", "2022-08-01T05:00:00+00:00", "assumed"),
    ],
)
def test_an_odd_files_start_time(
    odd: tuple[Path, Scan], name: str, iso: str | None, source: str | None
) -> None:
    (recording,) = [r for r in odd[1].recordings if r.name == f"metadata/{name}"]
    started_at = recording.started_at.isoformat() if recording.started_at else None
    assert (started_at, recording.zone_source) == (iso, source)


def test_the_causes_of_the_damaged_files_tell_them_apart(odd: tuple[Path, Scan]) -> None:
    causes = {item.name.removeprefix("damaged/"): item.cause for item in odd[1].left_out}
    for name, word in {
        "zero_byte.wav": "0 bytes",
        "html_login_page.wav": "web page",
        "lfs_pointer.wav": "git lfs pull",
        "text_named.wav": "text",
        "sample_rate_zero.wav": "0 samples",
        "channels_zero.wav": "0 channels",
        "links/broken.wav": "missing.wav",
    }.items():
        assert word in causes[name]


def test_five_formats_of_one_call_hold_the_same_sound(shared: Path) -> None:
    folder = shared / "audio" / "odd" / "containers"
    clips = {
        ending: read_clip(folder / f"same_call_21100.{ending}", sample_rate=16_000)[0]
        for ending in ("wav", "flac", "ogg", "opus", "mp3")
    }
    assert {len(clip) for clip in clips.values()} == {160_000}
    np.testing.assert_allclose(clips["flac"], clips["wav"], atol=1e-6)
    for clip in clips.values():
        assert np.corrcoef(clip, clips["wav"])[0, 1] > 0.95


def test_a_phones_m4a_is_read_or_says_what_to_install(odd: tuple[Path, Scan]) -> None:
    name = "containers/aac.m4a"
    if ffmpeg.is_installed():
        assert name in {recording.name for recording in odd[1].recordings}
    else:
        causes = {item.name: item.cause for item in odd[1].left_out}
        assert "soundscape-explorer[av]" in causes[name]


@pytest.mark.parametrize("name", ["content/dc_offset.wav", "depths/float_peaks_over_1.wav"])
def test_offset_and_overload_look_like_the_reference(shared: Path, name: str) -> None:
    def picture(path: Path) -> np.ndarray:
        clip, rate = read_clip(path)
        return spectrogram(clip, rate, PRESETS["bird"], width_px=240, height_px=140).image

    folder = shared / "audio" / "odd"
    reference = picture(folder / "good_reference_32k_2s.wav")
    assert np.abs(picture(folder / name) - reference).mean() < 0.02


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is Unix's")
def test_four_hours_are_streamed_in_little_memory_and_the_calls_are_in_their_place(
    shared: Path,
) -> None:
    """The first 45 minutes: calls at 30 s past every tenth minute, and nothing else."""
    path = shared / "audio" / "odd" / SPARSE
    grid = WindowGrid(5.0, 5.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sounding = set()
    for block in stream_windows(path, grid, sample_rate=32_000):
        if block.first_window * 5 >= 45 * 60:
            break
        energy = (block.samples**2).sum(axis=1)
        sounding |= {block.first_window + int(row) for row in np.flatnonzero(energy > 1e-3)}
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert {window * 5 // 600 * 600 + 30 for window in sounding} == {30, 630, 1230, 1830, 2430}
    assert all(window * 5 % 600 in (30, 35) for window in sounding)
    assert grown_mib < 150
