"""Decoding in processes: in order, the same bits, bounded, and no file stops another."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from explorer.audio import decoder_process, workers
from explorer.audio.band import Band
from explorer.audio.decoder_process import DecoderProcess, Ring
from explorer.audio.decoding import stream_windows
from explorer.audio.recordings import describe
from explorer.audio.windows import WindowGrid
from explorer.audio.workers import Cut, Piece, Work, decode
from explorer.errors import ExplorerError

RATE = 8000
CUT = Cut(1.0, 1.0, 6000)


def record(path: Path, seconds: float, seed: int = 0, **options: object) -> Path:
    noise = np.random.default_rng(seed).normal(0, 0.1, int(RATE * seconds))
    soundfile.write(path, noise, RATE, **options)
    return path


def work_on(*paths: Path, cut: Cut = CUT, first_window: int = 0) -> list[Work]:
    grid = WindowGrid(cut.window_s, cut.hop_s)
    work = []
    for key, path in enumerate(paths):
        found = describe(path)
        count = grid.count(found.duration_s) - first_window
        work.append(Work(key, path, found.format, found.duration_s, first_window, count))
    return work


def taken(pieces: Iterator[Piece]) -> dict[int, np.ndarray]:
    """Every recording's windows; a piece is copied before the next is asked for."""
    got: dict[int, list[np.ndarray]] = {}
    for piece in pieces:
        assert piece.samples is not None, piece.cause
        so_far = got.setdefault(piece.key, [])
        so_far.append(piece.samples.copy())
    return {key: np.concatenate(parts) for key, parts in got.items()}


def in_this_process(path: Path, cut: Cut = CUT, first_window: int = 0) -> np.ndarray:
    blocks = stream_windows(
        path,
        WindowGrid(cut.window_s, cut.hop_s),
        sample_rate=cut.sample_rate,
        speed=cut.speed,
        band=cut.band,
        first_window=first_window,
    )
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
def test_windows_are_the_same_bits_as_decoded_here(
    suffix: str, processes: int, tmp_path: Path
) -> None:
    paths = [
        record(tmp_path / f"{n}{suffix}", seconds, n) for n, seconds in enumerate((150, 3.4, 70))
    ]
    got = taken(decode(work_on(*paths), CUT, processes=processes))
    assert list(got) == [0, 1, 2]
    for key, path in enumerate(paths):
        np.testing.assert_array_equal(got[key], in_this_process(path))


@pytest.mark.parametrize(
    "cut",
    [Cut(1.0, 0.37, 6000), Cut(0.3, 0.3, 48000, speed=0.1), Cut(1, 1, 6000, band=Band(200, 900))],
    ids=["odd hop", "slowed down", "band"],
)
def test_settings_reach_the_decoders(cut: Cut, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 65)
    (got,) = taken(decode(work_on(path, cut=cut), cut)).values()
    np.testing.assert_array_equal(got, in_this_process(path, cut))


def test_work_that_goes_on_gives_the_bits_it_would_have_given(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 100)
    (got,) = taken(decode(work_on(path, first_window=13), CUT)).values()
    np.testing.assert_array_equal(got, in_this_process(path)[13:])


def test_a_broken_recording_is_told_once_in_its_turn_and_stops_no_other(tmp_path: Path) -> None:
    good = [record(tmp_path / f"{n}.wav", 5, n) for n in range(3)]
    sound = np.random.default_rng(0).normal(0, 0.1, 200 * RATE)
    sound[100 * RATE] = np.nan
    soundfile.write(tmp_path / "bad.wav", sound, RATE, subtype="FLOAT")
    work = work_on(good[0], tmp_path / "bad.wav", *good[1:])
    pieces = list(decode(work, CUT, processes=2))
    assert [(piece.key, piece.cause is None) for piece in pieces] == [
        (0, True),
        (1, True),  # the first minute is sound
        (1, False),
        (2, True),
        (3, True),
    ]
    assert "not numbers" in str(pieces[2].cause)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_decoder_that_dies_takes_only_its_recording_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a damaged file does to a decoder written in C."""
    paths = [record(tmp_path / f"{n}.wav", 5, n) for n in range(4)]
    ask = DecoderProcess.ask

    def die_on_the_second(self: DecoderProcess, message: dict) -> dict | None:
        if message.get("path") == str(paths[1]):
            self._popen.kill()
        return ask(self, message)

    monkeypatch.setattr(DecoderProcess, "ask", die_on_the_second)
    causes = {piece.key: piece.cause for piece in decode(work_on(*paths), CUT, processes=1)}
    assert list(causes) == [0, 1, 2, 3]
    assert "the decoder crashed on it" in str(causes.pop(1))
    assert set(causes.values()) == {None}


def test_work_is_read_only_as_far_as_there_is_room(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 5)
    (task,) = work_on(path)
    read = itertools.count()
    asked = 0

    def endless() -> Iterator[Work]:
        nonlocal asked
        for key in read:
            asked = key
            yield Work(key, task.path, task.format, task.duration_s, 0, task.windows)

    pieces = decode(endless(), CUT, processes=2)
    for expected in range(20):
        piece = next(pieces)
        assert piece.key == expected
        assert asked <= expected + 2 + 2
    pieces.close()


def test_an_mp3_is_decoded_from_its_start_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two processes, one of them has the whole recording, in order."""
    path = record(tmp_path / "a.mp3", 400)
    who: dict[int, list[int]] = {}
    ask = DecoderProcess.ask

    def note(self: DecoderProcess, message: dict) -> dict | None:
        if "path" in message:
            who.setdefault(id(self), []).append(message["first_window"])
        return ask(self, message)

    monkeypatch.setattr(DecoderProcess, "ask", note)
    assert len(taken(decode(work_on(path), CUT, processes=2))[0]) == 400
    (firsts,) = who.values()
    assert firsts == sorted(firsts)
    assert len(firsts) > 3


def test_more_processes_come_only_when_the_caller_waits(tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.wav", 65, n) for n in range(12)]
    pieces = decode(work_on(*paths), CUT, processes=4)
    next(pieces)
    threads = set()
    for _ in itertools.islice(pieces, 20):
        time.sleep(0.2)  # an encoder that is slower than decoding, on a busy machine too
        threads |= {t.name for t in threading.enumerate() if t.name.startswith("decode-")}
    pieces.close()
    assert threads <= {"decode-0", "decode-1"}


def test_leaving_in_the_middle_ends_the_work_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_FOLDERS", (str(tmp_path),))
    paths = [record(tmp_path / f"{n}.wav", 65, n) for n in range(6)]
    pieces = decode(work_on(*paths), CUT, processes=2)
    next(pieces)
    assert len(rings_in(tmp_path)) == 1
    pieces.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("decode-")]
    assert not rings_in(tmp_path)
    assert len(taken(decode(work_on(*paths), CUT))) == 6


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_killed_program_leaves_neither_processes_nor_memory(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 300)
    program = (
        "import sys, time, test_workers as t; from pathlib import Path\n"
        "t.decoder_process._FOLDERS = (sys.argv[2],)\n"
        "pieces = t.decode(t.work_on(Path(sys.argv[1])), t.CUT)\n"
        "next(pieces); print('ready', flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"ready\n"
    (ring,) = rings_in(tmp_path)
    killed.kill()
    killed.communicate()
    deadline = time.monotonic() + 10
    while ring.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not ring.exists()  # and with it the process that removed it has ended


def rings_in(folder: Path) -> list[Path]:
    return list(folder.glob("explorer-windows-*"))


def test_processes_are_kept_for_the_next_call(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 5)
    list(decode(work_on(path), CUT, processes=1))
    kept = {process._popen.pid for process in DecoderProcess._idle}
    assert kept
    list(decode(work_on(path), CUT, processes=1))
    assert {process._popen.pid for process in DecoderProcess._idle} <= kept


def test_a_fault_of_ours_is_raised_with_the_recordings_name(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 5)
    nonsense = Cut(1.0, 1.0, 6000, channel="left")  # type: ignore[arg-type]
    with pytest.raises(ExplorerError, match=r"decoding .*a\.wav failed"):
        list(decode(work_on(path), nonsense))


def test_a_process_that_cannot_start_is_an_error_that_says_how_to_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record(tmp_path / "a.wav", 5)
    monkeypatch.setattr(DecoderProcess, "_idle", [])
    monkeypatch.setattr(decoder_process, "_PROGRAM", "raise SystemExit(3)")
    with pytest.raises(ExplorerError, match=r"status 3.*explorer\.audio\.decode_worker"):
        list(decode(work_on(path), CUT))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is not reserved here")
def test_shared_memory_that_is_too_small_is_replaced_by_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reserve = decoder_process._reserve
    calls = []

    def full(handle: int, size: int) -> None:
        calls.append(size)
        if len(calls) <= refusals:
            raise OSError(28, "No space left on device")
        reserve(handle, size)

    monkeypatch.setattr(decoder_process, "_reserve", full)
    monkeypatch.setattr(decoder_process.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "shm").mkdir()
    monkeypatch.setattr(decoder_process, "_FOLDERS", (str(tmp_path / "shm"), None))
    refusals = 1
    with Ring((2, 3, 4)) as ring:
        assert ring.path.parent == tmp_path
        assert ring.array.shape == (2, 3, 4)
    assert not list(tmp_path.rglob("explorer-*"))
    calls.clear()
    refusals = 2
    with pytest.raises(ExplorerError, match=r"no room for .*TMPDIR"):
        Ring((2, 3, 4))
    assert not list(tmp_path.rglob("explorer-*"))


def test_pieces_end_where_resampling_segments_do() -> None:
    assert Cut(3.0, 3.0, 48000).piece_windows == 40  # two minutes: six segments of 20 s
    assert Cut(5.0, 5.0, 32000).piece_windows == 32
    assert Cut(5.0, 2.5, 32000).piece_windows * 2.5 % workers.segment_seconds(32000) == 0
    assert Cut(3.0, 0.01, 48000).piece_windows * Cut(3.0, 0.01, 48000).samples * 4 <= 64 << 20
