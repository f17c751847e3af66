"""What is heard is what was recorded (PEERS 14), slower, faster or louder only where asked for."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from sound_files import noise

from explorer.audio.decoding import read_clip, to_wav_bytes
from explorer.audio.playback import PlaybackSettings, in_words, limited, playback
from explorer.audio.selection import measure
from explorer.errors import ParameterError


def chirp(low_hz: float, high_hz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (low_hz + (high_hz - low_hz) * t / (2 * seconds)) * t)).astype(
        np.float32
    )


def peak_hz(heard) -> float:
    return measure(heard.samples, heard.rate).peak_hz


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_clip_is_played_to_the_sample(rate: int, tmp_path) -> None:
    recorded = noise(2, rate, level=0.2)
    soundfile.write(tmp_path / "dawn.wav", recorded, rate, subtype="PCM_16")
    samples, _ = read_clip(tmp_path / "dawn.wav", 0.5, 1.25)
    heard = playback(samples, rate)
    played, at = soundfile.read(io.BytesIO(to_wav_bytes(heard.samples, heard.rate)), dtype="int16")
    whole, _ = soundfile.read(tmp_path / "dawn.wav", dtype="int16")
    assert at == rate
    np.testing.assert_array_equal(played, whole[round(0.5 * rate) : round(1.25 * rate)])


def test_a_bat_at_a_tenth_of_the_speed_sounds_a_tenth_as_high_with_every_sample() -> None:
    bat = chirp(39_800, 40_200, 256_000)
    heard = playback(bat, 256_000, PlaybackSettings(speed=0.1))
    assert peak_hz(heard) == pytest.approx(4_000, abs=40)
    assert heard.seconds == pytest.approx(5.0)
    np.testing.assert_array_equal(heard.samples, bat)


def test_a_recording_too_fast_for_browsers_is_played_as_long_as_it_is() -> None:
    heard = playback(chirp(3_000, 3_100, 256_000), 256_000)
    assert heard.rate == 48_000
    assert len(heard.samples) == 24_000
    assert peak_hz(heard) == pytest.approx(3_050, abs=60)


@pytest.mark.parametrize("rate", [250, 1_000, 4_000])
def test_a_whale_far_below_hearing_is_sped_up_into_it(rate: int) -> None:
    heard = playback(chirp(19.9, 20.1, rate, 20), rate, PlaybackSettings(speed=8))
    assert heard.rate >= 8_000
    assert peak_hz(heard) == pytest.approx(160, abs=4)
    assert heard.seconds == pytest.approx(2.5, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "hz", "seconds"),
    [
        (PlaybackSettings(speed=0.5, pitch=1), 3_000, 2.0),
        (PlaybackSettings(speed=2, pitch=1), 3_000, 0.5),
        (PlaybackSettings(speed=1, pitch=0.5), 1_500, 1.0),
        (PlaybackSettings(speed=0.5, pitch=0.25), 750, 2.0),
    ],
)
def test_time_and_pitch_change_apart(settings: PlaybackSettings, hz: float, seconds: float) -> None:
    heard = playback(chirp(2_980, 3_020, 48_000, 1), 48_000, settings)
    assert heard.seconds == pytest.approx(seconds, abs=1e-4)
    assert peak_hz(heard) == pytest.approx(hz, rel=0.02)


def test_only_the_band_that_is_shown_is_heard() -> None:
    both = chirp(200, 201, 48_000) + chirp(4_000, 4_010, 48_000)
    heard = playback(both, 48_000, PlaybackSettings(low_hz=1_000, high_hz=8_000))
    assert measure(heard.samples, 48_000, 0, 500).level_db < -60
    assert measure(heard.samples, 48_000, 3_000, 5_000).level_db == pytest.approx(
        measure(both, 48_000, 3_000, 5_000).level_db, abs=0.2
    )


def test_louder_is_louder_and_never_beyond_full_scale() -> None:
    quiet = chirp(1_000, 1_001, 48_000) * 0.01
    heard = playback(quiet, 48_000, PlaybackSettings(volume_db=20))
    np.testing.assert_allclose(heard.samples, quiet * 10, rtol=1e-5)
    loud = playback(quiet, 48_000, PlaybackSettings(volume_db=60))
    assert np.abs(loud.samples).max() <= 1
    ramp = limited(np.linspace(-3, 3, 1001).astype(np.float32))
    assert (np.diff(ramp) >= 0).all()


@pytest.mark.parametrize("n", [0, 1, 100])
def test_the_shortest_clips_can_be_played_in_every_way(n: int) -> None:
    for settings in (
        PlaybackSettings(speed=0.1),
        PlaybackSettings(speed=8),
        PlaybackSettings(0.5, 1),
    ):
        for rate in (250, 48_000, 256_000):
            heard = playback(noise(1, 48_000)[:n], rate, settings)
            assert np.isfinite(heard.samples).all()
            assert heard.seconds == pytest.approx(settings.played_s(n / rate), abs=1e-3)


def test_what_cannot_be_played_is_said_in_words() -> None:
    with pytest.raises(ParameterError, match="minutes to listen to"):
        playback(np.zeros(120 * 48_000, np.float32), 48_000, PlaybackSettings(speed=0.1))
    with pytest.raises(ParameterError, match="nothing of it lies above 30 kHz"):
        playback(noise(1, 48_000), 48_000, PlaybackSettings(low_hz=30_000))
    for wrong in ({"speed": 0}, {"pitch": 100}, {"volume_db": 99}, {"low_hz": 5, "high_hz": 2}):
        with pytest.raises(ParameterError):
            PlaybackSettings(**wrong)


def test_what_is_done_to_a_sound_is_said() -> None:
    assert in_words(PlaybackSettings(), 1000) == ""
    assert in_words(PlaybackSettings(speed=1, pitch=0.1), 40_000) == (
        "pitch 1/10: 40 kHz sounds as 4 kHz"
    )


def test_a_call_is_measured_within_its_box() -> None:
    both = chirp(200, 201, 48_000) * 3 + chirp(4_000, 5_000, 48_000)
    found = measure(both, 48_000, 2_000, 8_000)
    assert 3_900 < found.low_hz < 4_200
    assert 4_800 < found.high_hz < 5_100
    assert found.seconds == 0.5
    assert found.level_db == pytest.approx(20 * np.log10(0.3), abs=0.5)
    with pytest.raises(ParameterError, match="larger"):
        measure(both[:10], 48_000)
