"""What a clip sounds like: kinds of made sounds in noise, and of real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from explorer.audio.character import Character, character, common
from explorer.errors import ParameterError

RATE = 16_000
TIME = np.arange(3 * RATE) / RATE


def gate(length_s: float, every_s: float) -> NDArray[np.bool_]:
    return TIME % every_s < length_s


def noise(level: float, seed: int = 0) -> NDArray[np.float64]:
    return level * np.random.default_rng(seed).standard_normal(len(TIME))


MADE = {
    "hum": np.sin(2 * np.pi * 300 * TIME) * 0.1,
    "noise": noise(0.1, 1),
    "chirps": np.sin(2 * np.pi * 3000 * TIME) * gate(0.08, 0.4) * 0.3,
    "pulses": noise(0.3, 2) * gate(0.08, 0.4),
    "clicks": noise(0.5, 3) * gate(0.003, 0.3),
    "tones": np.sin(2 * np.pi * 1500 * TIME) * gate(0.6, 1.5) * 0.2,
    "bursts": noise(0.3, 4) * gate(0.6, 1.5),
}


@pytest.mark.parametrize("kind", MADE)
def test_kinds_of_sound_are_told_apart_in_noise(kind: str) -> None:
    assert character(MADE[kind] + noise(0.003), RATE).kind == kind


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_the_band_holds_the_sound(hz: float) -> None:
    wave = np.sin(2 * np.pi * hz * TIME) * gate(0.1, 0.5) * 0.2 + noise(0.003)
    heard = character(wave, RATE)
    assert heard.low_hz <= hz <= heard.high_hz
    assert heard.high_hz < 3 * heard.low_hz


def test_a_call_is_heard_over_louder_rumble() -> None:
    """Wind below, at twenty times the power, that goes up and down."""
    wind = np.cumsum(noise(1.0, 5))
    wind = 0.3 * (wind - wind.mean()) / np.abs(wind).max()
    call = np.sin(2 * np.pi * 4000 * TIME) * gate(0.1, 0.5) * 0.1
    heard = character(wind + call, RATE)
    assert heard.low_hz < 4000 < heard.high_hz
    assert heard.kind == "chirps"


def test_even_noise_has_nothing_that_stands_out_by_chance() -> None:
    kinds = [character(noise(0.1, seed), RATE).kind for seed in range(10, 20)]
    assert set(kinds) == {"noise"}


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.zeros(0), np.full(RATE, 0.3), np.ones(10)])
def test_what_holds_no_sound_is_silence(wave: NDArray[np.float64]) -> None:
    heard = character(wave, RATE)
    assert heard.kind == "silence"
    assert heard.words == "near silence"


def test_words_are_short_and_rounded() -> None:
    assert Character("pulses", 195.0, 810.0, -30).words == "low pulses 0.2–0.8 kHz"
    assert Character("chirps", 5100.0, 8400.0, -30).words == "high chirps 5–8 kHz"
    assert Character("tones", 1480.0, 1610.0, -30).words == "tones 1.5 kHz"
    assert Character("hum", 50.0, 63.0, -30).words == "low hum 0.05–0.06 kHz"


def test_the_level_is_of_full_scale() -> None:
    assert character(np.sin(2 * np.pi * 440 * TIME), RATE).level_db == pytest.approx(-3, abs=0.1)


def test_several_clips_have_a_kind_if_most_of_them_are_of_it() -> None:
    hums = [Character("hum", 100, 200, -30)] * 3
    other = Character("clicks", 1000, 8000, -30)
    assert common([*hums, other]) == hums[0]
    mixed = common([hums[0], other, Character("tones", 500, 600, -20)])
    assert mixed is not None
    assert mixed.kind == "sounds"
    assert mixed.low_hz == 500
    assert common([]) is None


def test_what_is_no_clip_is_refused() -> None:
    with pytest.raises(ParameterError):
        character(np.zeros((2, 100)), RATE)


@pytest.mark.golden
@pytest.mark.parametrize(
    "folder, kinds, low_hz, high_hz",
    [
        ("birds_na/Chestnut-backed_Chickadee", {"chirps"}, 3000, 10_000),
        ("frogs/spring-peeper", {"chirps"}, 2000, 4000),
        ("frogs/american-toad", {"hum"}, 1200, 2500),
        ("marine_cetaceans/humpback", {"bursts", "tones"}, 40, 800),
    ],
)
def test_real_sounds_are_described_as_an_ear_would(
    shared: Path, folder: str, kinds: set[str], low_hz: float, high_hz: float
) -> None:
    clips = []
    for path in sorted((shared / "audio" / "labelled" / folder).iterdir())[:7]:
        samples, rate = soundfile.read(path, always_2d=True)
        clips.append(character(samples.mean(1)[: 3 * rate], rate))
    heard = common(clips)
    assert heard is not None
    assert heard.kind in kinds
    assert low_hz <= heard.low_hz < heard.high_hz <= high_hz
