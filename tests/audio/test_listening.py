"""Settings that picture and sound share: presets, and their way through messages and addresses."""

from __future__ import annotations

import json

import pytest

from explorer.audio.listening import NOTES, Listening
from explorer.audio.spectrogram import PRESETS
from explorer.errors import ParameterError


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_travels_and_comes_back(preset: str) -> None:
    plain = Listening.of(preset)
    assert NOTES[preset]
    assert plain.as_dict() == {"preset": preset}
    assert plain.as_text() == preset
    changed = plain.with_(
        min_hz=100.0, max_hz=None, axis="mel", floor_db=-80.0, pcen=True, speed=0.25, pitch=1.0,
        volume_db=12.5, band_only=not plain.band_only,
    )  # fmt: skip
    assert changed.changed
    assert Listening.from_dict(json.loads(json.dumps(changed.as_dict()))) == changed
    assert Listening.from_dict(json.loads(json.dumps(changed.values()))) == changed
    assert Listening.from_text(changed.as_text()) == changed


@pytest.mark.parametrize(
    "values",
    [
        {"preset": "dog"},
        {"preset": "../bat"},
        {"window_s": "long"},
        {"window_s": 0},
        {"min_hz": True},
        {"max_hz": float("nan")},
        {"min_hz": 500, "max_hz": 100},
        {"axis": "round"},
        {"pcen": 1},
        {"speed": 1e9},
        {"colour": 3},
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict) -> None:
    with pytest.raises(ParameterError):
        Listening.from_dict(values)


@pytest.mark.parametrize("text", ["", "cat", "bird,x=1", "bird,min_hz=a", "bird,min_hz", "bird,,"])
def test_an_address_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        Listening.from_text(text)


def test_picture_and_sound_change_together() -> None:
    bat = Listening.of("bat").on(256_000)
    assert (bat.axis.min_hz, bat.axis.max_hz) == (8_000, 128_000)
    assert bat.sound.speed == 0.1
    assert (bat.sound.low_hz, bat.sound.high_hz) == (8_000, 128_000)
    assert bat.words == "heard at 1/10 speed: 30 kHz sounds as 3 kHz"
    whale = Listening.of("whale").on(2_000)
    assert whale.sound.speed == 4
    assert "100 Hz sounds as 400 Hz" in whale.words


def test_the_default_knows_bats_and_slow_recorders() -> None:
    wide = Listening()
    assert wide.on(48_000).picture.axis == "split"
    assert wide.on(48_000).words == ""
    assert wide.on(256_000).sound.speed == 0.1
    assert wide.on(4_000).axis.max_hz == 2_000
    changed = wide.with_(min_hz=10_000, pcen=True).on(256_000)
    assert (changed.axis.min_hz, changed.sound.low_hz, changed.sound.speed) == (10_000, 10_000, 0.1)
    assert changed.picture.pcen


def test_what_cannot_be_heard_is_said() -> None:
    assert "nothing above 20 kHz is heard" in Listening.of("full").on(256_000).words
    slow = Listening.of("whale").with_(speed=1.0)
    assert "nothing below 20 Hz is heard" in slow.on(1_000).words
