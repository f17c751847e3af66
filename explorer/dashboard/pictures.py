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

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.spectrogram import PRESETS, SpectrogramSettings, spectrogram, to_png

if TYPE_CHECKING:
    from explorer.collection.collection import Clip, Collection

WIDTH_PX, HEIGHT_PX = 320, 208
KEPT_BYTES = 96 * 2**20
"""Room for some 3,000 pictures, shared by all sessions of a collection."""

AUTO = "auto"
LOW_RATE_HZ, HIGH_RATE_HZ = 24_000, 128_000
"""Recorders set at or below the first listen to a reef's low sounds, at or above the second to bats."""

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
    """Draw a clip with a preset by name, or ``auto`` for the one that fits the recorder's rate."""
    spec = spectrogram(
        clip.samples,
        clip.rate,
        settings_for(preset, clip.rate),
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
    )
    ticks = spec.hz_ticks(3)
    in_khz = spec.max_hz > 2000
    scale = 1000 if in_khz else 1
    marks = tuple((f"{hz / scale:g}", share) for hz, share in ticks if share < 0.95)
    return Picture(to_png(spec, theme=theme), marks, "kHz" if in_khz else "Hz", spec.seconds)


def settings_for(preset: str, rate: int) -> SpectrogramSettings:
    """The settings of a preset; ``auto`` goes by the sample rate.

    Examples
    --------
    >>> settings_for("auto", 24_000) == PRESETS["reef"]
    True
    """
    if preset != AUTO:
        return PRESETS.get(preset, PRESETS["full"])
    if rate <= LOW_RATE_HZ:
        return PRESETS["reef"]
    return PRESETS["bat"] if rate >= HIGH_RATE_HZ else PRESETS["bird"]
