"""A whole recording in one picture."""

from __future__ import annotations

import numpy as np
import pytest
from sound_files import noise, write

from explorer.audio.overview import overview
from explorer.errors import AudioError

RATE = 8000


def with_tone(seconds, start_s, length_s):
    samples = noise(seconds, RATE, level=0.01)
    time = np.arange(round(length_s * RATE)) / RATE
    first = round(start_s * RATE)
    samples[first : first + len(time)] += np.float32(0.3 * np.sin(2 * np.pi * 1500 * time))
    return samples


@pytest.mark.parametrize(("seconds", "every_s"), [(60, None), (400, 2.0)])
def test_a_tone_is_seen_where_it_is(tmp_path, seconds, every_s):
    path = write(tmp_path / "a.flac", with_tone(seconds, seconds / 2, seconds / 10), RATE)
    found = overview(path, width_px=400, height_px=80)
    assert (found.seconds, found.every_s) == (seconds, every_s)
    row = found.picture.image[30]  # 1500 of 4000 Hz
    loud = np.flatnonzero(row > 0.6)
    assert loud.min() == pytest.approx(200, abs=4)
    assert loud.max() == pytest.approx(240, abs=4)


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(AudioError, match="text"):
        overview(tmp_path / "a.wav", width_px=40, height_px=20)
