"""Spectrograms and sound of windows, made in threads, kept for all sessions.

A gallery asks for the windows that it shows now; what it asked for before and no longer shows is
not made any more. Two threads draw, everyone's wishes in turn, so that many people scrolling do not
stop each other's clicks. What is kept is kept by settings: the same window looked at as birds and
as bats is two pictures, and its sound at two speeds two sounds.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.listening import Fitted, Listening
from explorer.audio.playback import playback, times
from explorer.audio.spectrogram import Spectrogram, Theme, spectrogram, to_level_png, to_png
from explorer.dashboard.frame.kept import Kept
from explorer.dashboard.frame.turns import Turns
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.archive import Clip
    from explorer.collection.collection import Collection

WIDTH_PX, HEIGHT_PX = 320, 208
MOST_PX = 2400

PICTURES_BYTES, SOUNDS_BYTES, CLIPS_BYTES = 96 * 2**20, 48 * 2**20, 64 * 2**20
"""Room for some 4,000 pictures, 160 windows of sound as it is played and 110 as it was recorded,
shared by all sessions of a collection; what thirty of them look at fits."""

MOST_SOUND_BYTES = 40 * 2**20
"""More than this a browser is not sent at once."""

LEVELS_EVERY = 2
"""Levels are told in blocks of this many pixels: enough for a pointer."""

_turns = Turns(name="explorer-pictures")


@dataclass(frozen=True)
class Picture:
    """A spectrogram ready for a browser.

    ``ticks`` are the marks on its frequency axis as (text, share from below); ``words`` say what is
    done to the sound, ``speed`` is how fast it is played (``badge`` says so in a word).
    """

    png: bytes
    ticks: tuple[tuple[str, float], ...]
    unit: str
    seconds: float
    speed: float
    badge: str
    words: str

    def message(self) -> dict[str, Any]:
        """As plain values for a browser."""
        return {
            "src": _data(self.png),
            "ticks": [list(tick) for tick in self.ticks],
            "unit": self.unit,
            "seconds": self.seconds,
            "speed": self.speed,
            "badge": self.badge,
            "words": self.words,
        }


@dataclass(frozen=True)
class View:
    """A stretch of a recording as a large picture, with what is needed to read values off it.

    ``scale`` holds the frequencies at even heights; in ``levels`` a grey of *v* stands for -*v* dB.
    """

    picture: Picture
    levels: bytes
    scale: tuple[float, ...]
    start_s: float
    end_s: float
    rate: int

    def message(self) -> dict[str, Any]:
        """As plain values for a browser."""
        return self.picture.message() | {
            "levels": _data(self.levels),
            "scale": list(self.scale),
            "start_s": self.start_s,
            "end_s": self.end_s,
            "rate": self.rate,
        }


@dataclass(frozen=True)
class Sound:
    """What is heard of a stretch of a recording: a WAV file and how fast it runs."""

    wav: bytes
    start_s: float
    end_s: float
    speed: float

    def message(self) -> dict[str, Any]:
        """As plain values for a browser."""
        return {
            "data": base64.b64encode(self.wav).decode(),
            "start_s": self.start_s,
            "end_s": self.end_s,
            "speed": self.speed,
        }


class Pictures:
    """Pictures and sounds of one run's windows, with the least recently used ones let go."""

    def __init__(self, collection: Collection, run: str | None) -> None:
        self._collection, self._run = collection, run
        self._pictures: Kept[Picture] = Kept(PICTURES_BYTES, lambda made: len(made.png))
        self._sounds: Kept[Sound] = Kept(SOUNDS_BYTES, lambda made: len(made.wav))
        self._clips: Kept[Clip] = Kept(CLIPS_BYTES, lambda clip: clip.samples.nbytes)

    def submit(
        self, work: Callable[..., Any], *args: Any, who: Hashable = None, first: bool = False
    ) -> None:
        """Run a callable on one of the drawing threads, when it is this person's turn."""
        _turns.ask(who, partial(work, *args), first=first)

    def forget(self, who: Hashable) -> None:
        """Someone has turned the page, or left."""
        _turns.forget(who)

    def picture(self, row: int, listening: Listening, theme: Theme) -> Picture:
        """The spectrogram of a window; slow the first time, so call it from a thread.

        Raises
        ------
        AudioError
            If the recording cannot be read any more.
        """
        key = (row, _drawn(listening), theme)
        return self._pictures.get(key, lambda: draw(self._window(row), listening, theme)[0])

    def sound(self, row: int, listening: Listening) -> Sound:
        """A window's sound as it is played: exactly the window where nothing is done to it."""
        key = (row, _played(listening))
        return self._sounds.get(key, lambda: play(self._window(row), listening))

    def view(
        self,
        recording: str,
        start_s: float,
        end_s: float,
        listening: Listening,
        theme: Theme,
        *,
        size: tuple[int, int],
        hz: tuple[float, float] | None = None,
    ) -> View:
        """A stretch of a recording at the size in which it is shown, between two frequencies.

        ``hz`` None shows what the settings show.
        """
        width, height = (max(16, min(int(n), MOST_PX)) for n in size)
        clip = self.stretch(recording, start_s, end_s)
        listening = between(listening, hz, clip.rate)
        shown, spec = draw(clip, listening, theme, (width, height), marks=8)
        levels = to_level_png(spec, every=LEVELS_EVERY)
        return View(shown, levels, tuple(spec.axis.scale()), clip.start_s, clip.end_s, clip.rate)

    def stretch_sound(
        self,
        recording: str,
        start_s: float,
        end_s: float,
        listening: Listening,
        *,
        hz: tuple[float, float] | None = None,
    ) -> Sound:
        """The sound between two seconds of a recording, as it is played."""
        clip = self.stretch(recording, start_s, end_s)
        listening = between(listening, hz, clip.rate)
        key = (recording, start_s, end_s, _played(listening))
        return self._sounds.get(key, lambda: play(clip, listening))

    def stretch(self, recording: str, start_s: float, end_s: float) -> Clip:
        """The sound between two seconds of a recording, as recorded."""
        return self._clips.get(
            (recording, start_s, end_s),
            lambda: self._collection.clip_of(recording, start_s, end_s),
        )

    def _window(self, row: int) -> Clip:
        return self._clips.get(row, lambda: self._collection.clip(row, run=self._run))


def between(listening: Listening, hz: tuple[float, float] | None, rate: int) -> Listening:
    """The settings narrowed to two frequencies of a recording."""
    if hz is None:
        return listening
    return listening.suited(rate).with_(min_hz=float(hz[0]), max_hz=float(hz[1]))


def draw(
    clip: Clip,
    listening: Listening,
    theme: Theme,
    size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
    *,
    marks: int = 4,
) -> tuple[Picture, Spectrogram]:
    """Draw a clip as the settings say, with marks on its frequency axis."""
    fitted = listening.on(clip.rate)
    spec = spectrogram(clip.samples, clip.rate, fitted.picture, width_px=size[0], height_px=size[1])
    in_khz = spec.max_hz > 2000
    scale = 1000 if in_khz else 1
    shown = [(f"{hz / scale:g}", share) for hz, share in spec.hz_ticks(marks) if share < 0.95]
    ticks = tuple((text.removeprefix("0") if "." in text else text, at) for text, at in shown)
    made = Picture(
        to_png(spec, theme=theme),
        ticks,
        "kHz" if in_khz else "Hz",
        spec.seconds,
        fitted.sound.speed,
        _badge(fitted),
        fitted.words,
    )
    return made, spec


def play(clip: Clip, listening: Listening) -> Sound:
    """A clip as it is heard."""
    fitted = listening.on(clip.rate)
    heard = playback(clip.samples, clip.rate, fitted.sound)
    if 2 * len(heard.samples) > MOST_SOUND_BYTES:
        raise ParameterError(
            f"{clip.end_s - clip.start_s:.0f} s of this recording are too much sound to send at "
            "once: choose a shorter stretch"
        )
    wav = to_wav_bytes(heard.samples, heard.rate)
    return Sound(wav, clip.start_s, clip.end_s, fitted.sound.speed)


def _badge(fitted: Fitted) -> str:
    sound = fitted.sound
    if sound.speed != 1:
        return f"{times(sound.speed)} speed"
    return f"pitch {times(sound.factor)}" if sound.factor != 1 else ""


def _drawn(listening: Listening) -> Listening:
    """The settings with what a picture does not depend on taken out."""
    return replace(listening, sound=replace(listening.sound, volume_db=0.0))


def _played(listening: Listening) -> Hashable:
    """What a sound depends on."""
    seen = listening.picture
    limits = (seen.min_hz, seen.max_hz, seen.axis)
    return listening.preset, listening.sound, listening.band_only, limits


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
