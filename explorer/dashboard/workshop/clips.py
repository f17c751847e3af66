"""Pictures and sounds of an exercise's clips: made once, and the same bytes handed to everybody.

Thirty people ask for the same few clips at once. So they are plain files of HTTP, which a browser
keeps for the next visit, and not messages through thirty websockets: a picture is some 30 kB of
WebP, a sound FLAC, lossless and about half of a WAV. Their addresses hold a token that nobody
guesses, and only what the room has put up can be had.
"""

from __future__ import annotations

import asyncio
import io
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, features
from tornado.web import HTTPError, RequestHandler

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.spectrogram import PRESETS, spectrogram, to_png
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

WIDTH_PX, HEIGHT_PX = 840, 400
BAT_RATE_HZ = 128_000
"""Recorders set this high listen to bats, of which the usual picture would show nothing."""

LOUDEST, MOST_GAIN = 0.7, 30.0
"""A reef is quiet and a classroom is not: each clip is brought up to this peak, within limits."""

FLAC_HIGHEST_HZ = 192_000
KEPT_S = 24 * 3600

_pool = ThreadPoolExecutor(2, thread_name_prefix="explorer-workshop")


@dataclass(frozen=True)
class Media:
    """What a browser gets: bytes, their type, and what is to be known of a picture."""

    data: bytes
    mime: str
    note: str = ""


@dataclass(frozen=True)
class Place:
    """A few seconds of a recording."""

    recording: str
    start_s: float
    end_s: float


class Clips:
    """The clips of one exercise, and of the examples that explain it."""

    def __init__(self, collection: Collection, token: str, speed: float = 1.0) -> None:
        self.token = token
        self._collection, self._speed = collection, speed
        self._places: dict[str, Place] = {}
        self._made: dict[tuple[str, str], Future[Media]] = {}
        self._lock = Lock()

    def put_up(self, places: dict[str, Place], *, at_once: bool = True) -> None:
        """Let these be had, by name; make them now, or when they are first asked for."""
        with self._lock:
            self._places.update(places)
        if at_once:
            # In the order in which they are heard; the dark ones, which few ask for, at the end.
            for kinds in (("light", "sound"), ("dark",)):
                for name in places:
                    for kind in kinds:
                        self.get(name, kind)

    def take_down(self) -> None:
        """Make no more of them: the room has gone over to others."""
        with self._lock:
            for made in self._made.values():
                made.cancel()
            self._places.clear()

    def get(self, name: str, kind: str) -> Future[Media]:
        """A clip's picture (``light`` or ``dark``) or ``sound``; made by the first who asks.

        Raises
        ------
        KeyError
            If there is no such clip.
        """
        if kind not in ("light", "dark", "sound"):
            raise KeyError(kind)
        with self._lock:
            place = self._places[name]
            made = self._made.get((name, kind))
            if made is None:
                made = self._made[name, kind] = _pool.submit(self._make, place, kind)
        return made

    @property
    def n_bytes(self) -> int:
        """What all that is made takes in memory."""
        done = [made for made in self._made.values() if made.done() and not made.exception()]
        return sum(len(made.result().data) for made in done)

    def _make(self, place: Place, kind: str) -> Media:
        clip = self._collection.clip_of(place.recording, place.start_s, place.end_s)
        if kind == "sound":
            return sound(clip.samples, clip.rate, self._speed)
        return picture(clip.samples, clip.rate, "dark" if kind == "dark" else "light")


def picture(samples: NDArray[np.float32], rate: int, theme: Literal["light", "dark"]) -> Media:
    """Draw a clip, large enough for a projector; the note holds the marks of its axis."""
    preset = "bat" if rate >= BAT_RATE_HZ else "wide"
    spec = spectrogram(
        samples, rate, PRESETS.get(preset, PRESETS["full"]), width_px=WIDTH_PX, height_px=HEIGHT_PX
    )
    in_khz = spec.max_hz > 2000
    scale = 1000 if in_khz else 1
    ticks = [[f"{hz / scale:g}", share] for hz, share in spec.hz_ticks(5) if share < 0.97]
    note = {"ticks": ticks, "unit": "kHz" if in_khz else "Hz", "seconds": spec.seconds}
    png = to_png(spec, theme=theme)
    if not features.check("webp"):
        return Media(png, "image/png", json.dumps(note))
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(out, "WEBP", quality=72, method=2)
    return Media(out.getvalue(), "image/webp", json.dumps(note))


def sound(samples: NDArray[np.float32], rate: int, speed: float = 1.0) -> Media:
    """A clip's sound at a level that a room can hear, as slow or fast as the encoder heard it."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    gain = min(LOUDEST / peak, MOST_GAIN) if peak > 0 else 1.0
    loud, played_hz = samples * np.float32(gain), round(rate * speed)
    if played_hz > FLAC_HIGHEST_HZ:
        return Media(to_wav_bytes(loud, played_hz), "audio/wav")
    out = io.BytesIO()
    soundfile.write(out, loud, played_hz, format="FLAC", subtype="PCM_16")
    return Media(out.getvalue(), "audio/flac")


class ClipHandler(RequestHandler):
    """Hands out what a room has put up: ``workshop/clip/TOKEN/NAME.KIND``."""

    def initialize(self, room: Any) -> None:
        """Remember whose clips these are."""
        self.room = room

    async def get(self, token: str, name: str, kind: str) -> None:
        """One picture or sound."""
        clips: Clips | None = self.room.clips
        if clips is None or token != clips.token:
            raise HTTPError(404)
        try:
            made = clips.get(name, kind)
        except KeyError as error:
            raise HTTPError(404) from error
        try:
            media = await asyncio.wrap_future(made)
        except asyncio.CancelledError as error:  # taken down meanwhile
            raise HTTPError(404) from error
        except ExplorerError as error:
            self.set_status(500)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(str(error))
            return
        self.set_header("Content-Type", media.mime)
        self.set_header("Cache-Control", f"private, max-age={KEPT_S}, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        if media.note:
            self.set_header("X-Clip", media.note)
        self.finish(media.data)
