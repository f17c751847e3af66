"""Spectrograms and sound of windows, made in threads, kept for all sessions.

A gallery asks for the windows that it shows now; what it asked for before and no longer shows is
not made any more. Two threads draw, so that many people scrolling do not stop each other's clicks.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.spectrogram import (
    PRESETS,
    Spectrogram,
    SpectrogramSettings,
    spectrogram,
    to_png,
)

if TYPE_CHECKING:
    from explorer.collection.archive import Clip
    from explorer.collection.collection import Collection

WIDTH_PX, HEIGHT_PX = 320, 208
KEPT_BYTES = 96 * 2**20
"""Room for some 3,000 pictures, shared by all sessions of a collection."""

WIDE = "wide"
"""The default: two bands, one above the other, each drawn as it is best seen."""

SPLIT_HZ = 2000.0
LOW_SHARE = 0.4
"""A linear axis shows a reef's grunts in its lowest tenth or birds not at all. Here the lower part
of the height goes to what lies below ``SPLIT_HZ``, with an analysis window that resolves pitch, and
the upper part to what lies above, with one that resolves time; each over its own noise."""

WIDE_LOW = SpectrogramSettings(window_s=0.064, min_hz=40, max_hz=SPLIT_HZ)
WIDE_HIGH = SpectrogramSettings(window_s=0.016, min_hz=SPLIT_HZ, max_hz=12_000)
WIDE_TICKS_HZ = (500.0, 2000.0, 5000.0, 10_000.0)
BAT_RATE_HZ = 128_000
"""Recorders set this high listen to bats, of which the wide picture would show nothing."""

_pool = ThreadPoolExecutor(2, thread_name_prefix="explorer-pictures")


@dataclass(frozen=True)
class Picture:
    """A spectrogram ready for a browser: PNG, marks on its axis as (text, share from below)."""

    png: bytes
    ticks: tuple[tuple[str, float], ...]
    unit: str
    seconds: float

    def message(self) -> dict[str, object]:
        """As plain values for a browser."""
        return {
            "src": "data:image/png;base64," + base64.b64encode(self.png).decode(),
            "ticks": [list(tick) for tick in self.ticks],
            "unit": self.unit,
            "seconds": self.seconds,
        }


class Pictures:
    """Pictures and sounds of one run's windows, with the least recently seen ones let go."""

    def __init__(self, collection: Collection, run: str | None) -> None:
        self._collection, self._run = collection, run
        self._kept: OrderedDict[tuple[int, str, str], Picture] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def submit(self, work: object, *args: object) -> None:
        """Run a callable on one of the drawing threads."""
        _pool.submit(work, *args)  # type: ignore[arg-type]

    def picture(self, row: int, preset: str, theme: Literal["light", "dark"]) -> Picture:
        """The spectrogram of a window; slow the first time, so call it from a thread.

        Raises
        ------
        AudioError
            If the recording cannot be read any more.
        """
        key = (row, preset, theme)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = draw(self._collection.clip(row, run=self._run), preset, theme)
        with self._lock:
            if key not in self._kept:
                self._bytes += len(made.png)
            self._kept[key] = made
            while self._bytes > KEPT_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.png)
        return made

    def sound(self, row: int) -> str:
        """A window's sound as base64 of a WAV file, exactly as long as the window."""
        clip = self._collection.clip(row, run=self._run)
        return base64.b64encode(to_wav_bytes(clip.samples, clip.rate)).decode()


def draw(clip: Clip, preset: str, theme: Literal["light", "dark"]) -> Picture:
    """Draw a clip with the spectrogram settings of a preset, by name."""
    if preset == WIDE and clip.rate < BAT_RATE_HZ and clip.rate / 2 > SPLIT_HZ * 1.25:
        return _draw_wide(clip, theme)
    if preset == WIDE:
        preset = "bat" if clip.rate >= BAT_RATE_HZ else "full"
    spec = spectrogram(
        clip.samples,
        clip.rate,
        PRESETS.get(preset, PRESETS["full"]),
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
    )
    in_khz = spec.max_hz > 2000
    scale = 1000 if in_khz else 1
    marks = tuple((f"{hz / scale:g}", share) for hz, share in spec.hz_ticks(3) if share < 0.95)
    return Picture(to_png(spec, theme=theme), marks, "kHz" if in_khz else "Hz", spec.seconds)


def _draw_wide(clip: Clip, theme: Literal["light", "dark"]) -> Picture:
    rows = round(HEIGHT_PX * LOW_SHARE)
    low = spectrogram(clip.samples, clip.rate, WIDE_LOW, width_px=WIDTH_PX, height_px=rows)
    high = spectrogram(
        clip.samples, clip.rate, WIDE_HIGH, width_px=WIDTH_PX, height_px=HEIGHT_PX - rows
    )
    both = Spectrogram(
        np.concatenate([low.image, high.image]), low.min_hz, high.max_hz, low.seconds
    )
    marks = []
    for hz in WIDE_TICKS_HZ:
        band, first, share = (
            (low, 0.0, LOW_SHARE) if hz <= SPLIT_HZ else (high, LOW_SHARE, 1 - LOW_SHARE)
        )
        at = first + share * (hz - band.min_hz) / (band.max_hz - band.min_hz)
        if at < 0.95:
            marks.append((f"{hz / 1000:g}".removeprefix("0"), at))
    return Picture(to_png(both, theme=theme), tuple(marks), "kHz", low.seconds)
