"""M4A and MP4: read through PyAV where it is there, and a cure named where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.audio import ffmpeg
from explorer.audio.decoding import read_clip, stream_windows
from explorer.audio.recordings import describe, scan
from explorer.audio.windows import WindowGrid

RATE = 32_000


def test_without_pyav_the_left_out_list_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "phone.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    (left_out,) = scan(tmp_path).left_out
    assert left_out.kind == "needs ffmpeg"
    assert 'pip install "soundscape-explorer[av]"' in left_out.cause


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    """30 s of AAC in M4A with a click in each second."""
    av = pytest.importorskip("av", reason="the extra av is not installed")
    samples = np.random.default_rng(0).normal(0, 0.001, (1, 30 * RATE)).astype(np.float32)
    samples[:, RATE // 2 :: RATE] = 0.9
    path = tmp_path / "clicks.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0  # so that the encoder's delay is written into the file
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


def test_an_m4a_is_described_and_read(clicks: Path) -> None:
    recording = describe(clicks)
    assert recording.format == "MP4/AAC"
    assert (recording.sample_rate, recording.channels) == (RATE, 1)
    assert recording.duration_s == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("start_s", [0.0, 4.2, 17.013, 28.0])
def test_a_clip_of_an_m4a_is_from_the_right_place(clicks: Path, start_s: float) -> None:
    whole, _ = read_clip(clicks)
    clip, _ = read_clip(clicks, start_s, start_s + 1.0)
    begin = round(start_s * RATE)
    # AAC fills noisy bands with noise of its own (PNS), which differs with where decoding starts.
    assert np.mean(np.abs(clip - whole[begin : begin + RATE]) > 1e-5) < 0.02
    heard_s = start_s + np.argmax(np.abs(clip)) / RATE
    assert abs(heard_s - 0.5 - round(heard_s - 0.5)) < 0.002


def test_windows_of_an_m4a_are_the_same_wherever_the_stream_starts(clicks: Path) -> None:
    grid = WindowGrid(3.0, 3.0)
    whole = [b.samples for b in stream_windows(clicks, grid, sample_rate=48_000)]
    part = [b.samples for b in stream_windows(clicks, grid, sample_rate=48_000, first_window=8)]
    assert np.concatenate(part).tobytes() == np.concatenate(whole)[8:].tobytes()


def test_a_broken_m4a_is_damaged_not_a_traceback(clicks: Path) -> None:
    clicks.write_bytes(clicks.read_bytes()[:500])
    (left_out,) = scan(clicks.parent).left_out
    assert left_out.kind == "damaged"
