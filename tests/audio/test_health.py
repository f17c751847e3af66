"""What a recording's sound says of its recorder: one small recording for each fault."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sound_files import noise, write

from explorer.audio import health
from explorer.audio.health import SoundHealth, measure
from explorer.audio.health_faults import faults
from explorer.audio.health_runs import Runs, runs_of

RATE = 8000
SHARED = Path(os.environ.get("EXPLORER_SHARED", Path(__file__).parents[3] / "shared"))


def swells(seconds=4.0, rate=RATE):
    """A microphone's noise with a tone that comes and goes: nothing is wrong with it."""
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time) * np.sin(np.pi * time / seconds) ** 2
    return (tone + noise(seconds, rate, level=0.003)).astype(np.float32)


@pytest.fixture
def made(tmp_path):
    """Write samples as a file, and measure it."""

    def write_and_measure(samples, rate=RATE, name="sound.wav", subtype=None):
        return measure(write(tmp_path / name, samples, rate, subtype))

    return write_and_measure


def kinds(found: SoundHealth) -> list[str]:
    return [fault.kind for fault in faults(found)]


def severities(found: SoundHealth) -> dict[str, str]:
    return {fault.kind: fault.severity for fault in faults(found)}


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus"])
def test_a_good_recording_has_no_faults(made, name):
    assert kinds(made(swells(rate=48_000), 48_000, name)) == []


def test_levels_are_those_of_the_samples(made):
    found = made(np.tile(np.float32([0.5, -0.5]), RATE * 65))
    assert found.peak_dbfs == found.level_dbfs == -6.0
    assert found.minutes_dbfs == (-6.0, -6.0, -6.0)
    assert found.seconds == 130.0


def test_each_minute_has_its_own_level(made):
    samples = noise(150, RATE, level=0.1)
    samples[60 * RATE : 120 * RATE] *= 0.1
    assert made(samples).minutes_dbfs == pytest.approx((-20, -40, -20), abs=0.2)


def test_a_recording_driven_into_full_scale_is_clipped(made):
    found = made(np.clip(4 * swells(), -1, 1))
    assert severities(found) == {"clipping": "severe"}
    assert found.clipped > 0.05
    assert "Lower the recorder's gain" in faults(found)[0].sentence


def test_an_amplifier_that_clips_below_full_scale_is_found_too(made):
    found = made(np.clip(3 * swells(), -0.4, 0.4))
    assert kinds(found) == ["clipping"]
    assert "-8 dBFS" in faults(found)[0].sentence


def test_a_loud_low_tone_is_not_clipped(made):
    time = np.arange(RATE * 10) / RATE
    for peak in (0.5, 0.98):
        assert made(np.float32(peak * np.sin(2 * np.pi * 25 * time))).clipped == 0


def test_the_peaks_of_a_float_recorder_beyond_full_scale_are_not_clipped(made):
    assert made(8 * swells(), subtype="FLOAT").clipped == 0


def test_digital_silence_is_severe(made):
    found = made(np.zeros(RATE * 3, np.float32))
    assert severities(found) == {"digital silence": "severe"}
    assert found.level_dbfs == health.FLOOR_DBFS
    assert found.digest == ""


def test_a_recorder_that_is_silent_for_most_of_the_time_and_comes_back_is_silent(made):
    sound = swells(10.0)
    sound[2 * RATE : 8 * RATE] = 0
    assert kinds(made(sound)) == ["digital silence"]


def test_a_converter_that_is_stuck_is_found(made):
    samples = swells()
    samples[RATE : 2 * RATE] = 0.123
    assert "stuck values" in kinds(made(samples))


def test_a_dead_microphone_is_found(made):
    lsb = np.random.default_rng(0).integers(-1, 2, RATE * 5) / 32768
    assert severities(made(np.float32(lsb))) == {"dead microphone": "severe"}


def test_a_dead_channel_is_named_and_the_other_is_enough_not_to_call_it_silence(made):
    found = made(np.stack([np.zeros(RATE * 4, np.float32), swells()], axis=1))
    assert kinds(found) == ["dead channel"]
    assert "Channel 0" in faults(found)[0].sentence


def test_sudden_zeros_are_dropouts_with_their_places(made):
    samples = swells() + noise(4, RATE, 5, level=0.02)
    for start in (1.0, 1.7, 2.5):
        samples[round(start * RATE) : round(start * RATE) + 80] = 0
    found = made(samples)
    assert severities(found) == {"dropouts": "warning"}
    assert (found.dropouts, found.dropouts_at_s) == (3, (1.0, 1.7, 2.5))
    assert found.dropped_s == pytest.approx(0.03, abs=0.001)


def test_sound_that_fades_into_silence_and_out_of_it_is_no_dropout(made):
    fade = np.concatenate([np.linspace(1, 0, RATE), np.zeros(RATE), np.linspace(0, 1, RATE)])
    assert made(np.float32(fade * noise(3, RATE))).dropouts == 0


def test_eight_bits_are_coarse_and_not_full_of_dropouts(made):
    assert made(0.03 * swells(), subtype="PCM_U8").dropouts == 0


def test_an_offset_is_found_and_does_not_count_as_level(made):
    found = made(0.3 + 0.3 * swells())
    assert kinds(found) == ["offset"]
    assert found.offset == pytest.approx(0.3, abs=0.001)
    assert found.level_dbfs < -20


def test_loud_wind_is_hinted_at_and_a_loud_whistle_is_not(made):
    time = np.arange(RATE * 5) / RATE
    wind = np.float32(0.3 * np.sin(2 * np.pi * 17 * time) + noise(5, RATE, level=0.01))
    whistle = np.float32(0.3 * np.sin(2 * np.pi * 700 * time) + noise(5, RATE, level=0.01))
    assert kinds(made(wind)) == ["rumble"]
    assert kinds(made(whistle)) == []


def test_a_fault_in_the_middle_is_told_with_what_was_read(tmp_path):
    samples = swells()
    samples[3 * RATE] = np.nan
    found = measure(write(tmp_path / "nan.wav", samples, RATE, "FLOAT"))
    assert "NaN" in found.cause
    assert severities(found) == {"unreadable": "severe"}
    assert measure(tmp_path / "gone.wav").cause == "there is no such file"


@pytest.mark.parametrize("block", [1, 977, 4096, 10**9])
def test_blocks_change_nothing(tmp_path, monkeypatch, block):
    samples = np.clip(3 * swells() + noise(4, RATE, 3, 0.01), -0.4, 0.4)
    samples[5000:5100] = 0
    samples[8000:9000] = 0
    samples[15_900:24_100] = 0.25
    path = write(tmp_path / "sound.wav", samples, RATE)
    whole = measure(path)
    monkeypatch.setattr(health, "BLOCK_SAMPLES", block)
    found = measure(path)
    for name in ("clipped", "silent", "stuck", "dropouts", "dropped_s", "minutes_dbfs"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name)), name
    assert whole.dropouts == 2
    assert whole.stuck == pytest.approx(8200 / len(samples))


def test_runs_over_many_small_pieces_are_the_runs_of_the_whole():
    generator = np.random.default_rng(2)
    samples = np.repeat(generator.integers(-3, 4, 400), generator.integers(1, 40, 400)) / 8
    samples = samples.astype(np.float32)
    starts, lengths = runs_of(samples, 8)
    zero = samples[starts] == 0
    for size in (1, 7, 64, 1000):
        runs = Runs(rate=100)  # 10 ms are a sample: the least run decides
        runs._stuck = 8
        for at in range(0, len(samples), size):
            runs.add(samples[at : at + size])
        ended = runs.end()
        assert ended.silent == lengths[zero].sum()
        assert ended.stuck == lengths[~zero].sum()


def test_what_was_measured_survives_json():
    found = SoundHealth(seconds=3.0, minutes_dbfs=(-20.0,), dropouts_at_s=(1.0, 2.0))
    assert SoundHealth.from_dict({**found.to_dict(), "of a later version": 1}) == found


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good_reference_32k_2s.wav", []),
        ("content/clipped.wav", ["clipping"]),
        ("content/digital_silence.wav", ["digital silence"]),
        ("content/nearly_silent.wav", ["dead microphone"]),
        ("content/dc_offset.wav", ["offset"]),
        ("channels/stereo_left_dead.wav", ["dead channel"]),
        ("channels/stereo_antiphase.wav", []),
        ("depths/float_peaks_over_1.wav", []),
        ("depths/8bit_unsigned.wav", []),
        ("depths/nan_inf_float.wav", ["unreadable"]),
        ("damaged/zero_byte.wav", ["unreadable"]),
        ("real/AudiomothNoBatCalls.WAV", ["digital silence"]),
    ],
)
def test_the_odd_files_show_their_faults_and_no_others(shared, name, expected):
    assert kinds(measure(shared / "audio" / "odd" / name)) == expected


@pytest.mark.golden
def test_no_odd_file_ends_in_an_error(shared):
    files = [path for path in (shared / "audio" / "odd").rglob("*.*") if path.suffix != ".json"]
    for path in files:
        if path.is_file() and "four_hours" not in path.name:
            faults(measure(path))


@pytest.mark.golden
def test_a_day_of_a_real_recorder_is_healthy_but_for_wind_at_noon(shared):
    folder = shared / "audio" / "soundscapes" / "songmeter_day"
    found = {path.stem: kinds(measure(path)) for path in sorted(folder.iterdir())}
    windy = [name[-6:] for name, wrong in found.items() if wrong]
    assert {kind for wrong in found.values() for kind in wrong} == {"rumble"}
    assert all("100000" <= time <= "173000" for time in windy)
