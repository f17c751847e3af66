"""How one looks and listens: a picture and a sound that belong together, under one name.

A preset changes both alike: for bats the picture shows 8 to 128 kHz and the sound is played at a
tenth of its speed; for whales the picture shows 10 to 1000 Hz and the sound is played faster.

Settings travel as plain values (messages, addresses, a browser's memory): `Listening.as_dict`
leaves out what the preset says already, and `Listening.from_dict` takes nothing on trust.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import ParameterError
from .band import LOWEST_HZ
from .frequency_axis import SPLIT_HZ, SPLIT_NEEDS, Axis
from .playback import HIGHEST_HEARD_HZ, LOWEST_HEARD_HZ, PlaybackSettings, hertz, in_words
from .spectrogram import PRESETS, SpectrogramSettings, axis_for

BAT_RATE_HZ = 128_000
"""Recorders set this high listen to bats, of which the wide picture would show nothing."""

SPEEDS = {"bat": 0.1, "whale": 4.0}
"""How fast the sound of a preset is played; the others are played as recorded."""

BANDED = ("bat",)
"""Presets in which only the band that is shown is heard: slowed down, rumble would drown bats."""

NOTES = {
    "wide": "40 Hz–12 kHz, split at 2",
    "reef": "40–2000 Hz",
    "bird": "0.3–12 kHz",
    "bat": "8–128 kHz, played at 1/10",
    "whale": "10–1000 Hz, played 4× as fast",
    "full": "all there is",
}
"""What each preset is, in a few words."""

_PICTURE = {f.name: f.type for f in fields(SpectrogramSettings)}
_SOUND = {"speed": "float", "pitch": "float | None", "volume_db": "float"}
_EVERY = {**_PICTURE, **_SOUND, "band_only": "bool"}


@dataclass(frozen=True)
class Listening:
    """How clips are drawn and played.

    Parameters
    ----------
    preset
        Where the settings began: ``wide``, ``reef``, ``bird``, ``bat``, ``whale`` or ``full``.
    picture
        What the spectrogram shows.
    sound
        How it is played.
    band_only
        Whether only the band that is shown is heard.

    Examples
    --------
    >>> bats = Listening.of("bat")
    >>> bats.on(256_000).words
    'heard at 1/10 speed: 30 kHz sounds as 3 kHz'
    >>> bats.with_(speed=0.05, pcen=True).as_text()
    'bat,pcen=1,speed=0.05'
    """

    preset: str = "wide"
    picture: SpectrogramSettings = field(default_factory=lambda: PRESETS["wide"])
    sound: PlaybackSettings = field(default_factory=PlaybackSettings)
    band_only: bool = False

    def __post_init__(self) -> None:
        _known(self.preset)

    @classmethod
    def of(cls, preset: str) -> Listening:
        """The settings of a preset."""
        speed = SPEEDS.get(_known(preset), 1.0)
        return cls(preset, PRESETS[preset], PlaybackSettings(speed=speed), preset in BANDED)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Listening:
        """Settings from plain values, as `as_dict` makes them; what is not named is the preset's.

        Raises
        ------
        ParameterError
            When a name is not known, or a value cannot be.
        """
        basis = cls.of(str(values.get("preset", "wide")))
        given = {key: _value(key, value) for key, value in values.items() if key != "preset"}
        return replace(
            basis,
            picture=replace(basis.picture, **{k: v for k, v in given.items() if k in _PICTURE}),
            sound=replace(basis.sound, **{k: v for k, v in given.items() if k in _SOUND}),
            band_only=given.get("band_only", basis.band_only),
        )

    @classmethod
    def from_text(cls, text: str) -> Listening:
        """Settings out of an address, as `as_text` writes them."""
        preset, *rest = text[:400].split(",")
        values: dict[str, Any] = {"preset": preset}
        for part in rest:
            name, _, value = part.partition("=")
            kind = _EVERY.get(name, "")
            if kind == "bool":
                values[name] = value == "1"
            elif value == "" or kind == "AxisKind":
                values[name] = value or None
            else:
                try:
                    values[name] = float(value)
                except ValueError:
                    raise ParameterError(f"{value!r} is no value for {name}") from None
        return cls.from_dict(values)

    @property
    def changed(self) -> bool:
        """Whether anything is other than the preset says."""
        return self != Listening.of(self.preset)

    def with_(self, **values: Any) -> Listening:
        """The same with other values, by their names in the picture and the sound."""
        return Listening.from_dict({**self.as_dict(), **values})

    def values(self) -> dict[str, Any]:
        """All settings as plain values; None for a ``max_hz`` without an end."""
        names = {**_PICTURE, **_SOUND}
        found = {
            name: getattr(self.picture if name in _PICTURE else self.sound, name) for name in names
        }
        if math.isinf(found["max_hz"]):
            found["max_hz"] = None
        return {"preset": self.preset, **found, "band_only": self.band_only}

    def as_dict(self) -> dict[str, Any]:
        """As plain values: the preset's name, and what is other than it says."""
        basis = Listening.of(self.preset).values()
        return {k: v for k, v in self.values().items() if k == "preset" or v != basis[k]}

    def as_text(self) -> str:
        """For an address: ``bird,min_hz=500,pcen=1``."""
        changed = {name: value for name, value in self.as_dict().items() if name != "preset"}
        return ",".join(
            [self.preset, *(f"{name}={_text(value)}" for name, value in changed.items())]
        )

    def suited(self, rate: int) -> Listening:
        """The settings for recordings of this rate: ``wide`` knows what it looks at.

        It becomes ``bat`` where the recorder was set for bats, and ``full`` where the recording
        ends below the split of ``wide``.
        """
        if self.preset == "wide" and rate >= BAT_RATE_HZ:
            return Listening.from_dict({**self.as_dict(), "preset": "bat"})
        if self.preset == "wide" and rate / 2 <= SPLIT_HZ * SPLIT_NEEDS:
            return Listening.from_dict({**self.as_dict(), "preset": "full"})
        return self

    def on(self, rate: int) -> Fitted:
        """What these settings mean for a recording of this rate."""
        mine = self.suited(rate)
        axis = axis_for(mine.picture, rate)
        sound = mine.sound
        if mine.band_only:
            low = axis.min_hz if axis.min_hz >= LOWEST_HZ else None
            sound = replace(sound, low_hz=low, high_hz=axis.max_hz)
        return Fitted(mine.picture, sound, axis)


@dataclass(frozen=True)
class Fitted:
    """What settings come to for one recording: its picture, its sound, its frequency axis."""

    picture: SpectrogramSettings
    sound: PlaybackSettings
    axis: Axis

    @property
    def words(self) -> str:
        """What is done to the sound and what of it cannot be heard; empty where all is plain."""
        low, high = self.axis.min_hz, self.axis.max_hz
        middle = math.sqrt(max(low, high / 100) * high)
        said = [in_words(self.sound, float(f"{middle:.1g}"))]
        if high * self.sound.factor > 1.2 * HIGHEST_HEARD_HZ:
            said.append(f"nothing above {hertz(HIGHEST_HEARD_HZ / self.sound.factor)} is heard")
        if 0 < low * self.sound.factor < 0.8 * LOWEST_HEARD_HZ:
            said.append(f"nothing below {hertz(LOWEST_HEARD_HZ / self.sound.factor)} is heard")
        return "; ".join(words for words in said if words)


def _known(preset: str) -> str:
    if preset not in PRESETS:
        raise ParameterError(
            f"there are no settings called {preset!r}; there are {', '.join(PRESETS)}"
        )
    return preset


def _value(name: str, value: Any) -> Any:
    """A plain value as what the settings take; its range is checked there."""
    kind = _EVERY.get(name)
    if kind is None:
        raise ParameterError(f"a sound has no setting {name!r}")
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "AxisKind" and isinstance(value, str):
        return value
    if value is None and name == "max_hz":
        return math.inf
    if value is None and "None" in str(kind):
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and kind != "bool" and math.isfinite(value):
        return float(value)
    raise ParameterError(f"{value!r} is no value for {name}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else f"{value:g}"
