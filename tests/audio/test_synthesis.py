"""The demo's recordings are plausible, small, described truthfully, and the same every time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from explorer.audio import imitations
from explorer.audio.imitations import Voice
from explorer.audio.synthesis import CALLS, SCENES, render, synthesise

RATE = 24_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    synthesise(folder)
    return folder


def read_truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_same_seed_gives_the_same_samples_and_another_seed_others():
    samples, _, rows = render(SCENES[0], seed=7)
    again, _, rows_again = render(SCENES[0], seed=7)
    np.testing.assert_array_equal(samples, again)
    assert rows == rows_again
    assert not np.array_equal(samples, render(SCENES[0], seed=8)[0])


def test_the_committed_demo_is_what_the_command_makes(demo, repository):
    committed = repository / "data" / "demo"
    assert read_truth(committed) == read_truth(demo)
    assert {path.name for path in committed.glob("*.flac")} == {scene.name for scene in SCENES}
    for scene in SCENES:
        made, _ = soundfile.read(demo / scene.name, dtype="int16")
        kept, _ = soundfile.read(committed / scene.name, dtype="int16")
        # Rounding to 16 bits may fall to the other side where another processor adds in another
        # order: one step at most.
        assert np.abs(made.astype(int) - kept.astype(int)).max() <= 1, scene.name


def test_the_demo_is_small_and_long_enough(demo):
    files = list(demo.glob("*.flac"))
    assert sum(path.stat().st_size for path in files) < 10e6
    assert 6 <= sum(soundfile.info(path).duration for path in files) / 60 <= 10


def test_nothing_clips_and_every_file_says_that_it_is_synthetic(demo):
    for path in demo.glob("*.flac"):
        with soundfile.SoundFile(path) as file:
            assert np.abs(file.read()).max() < 0.9, path.name
            assert "synthetic" in file.comment.lower()


def test_truth_lies_within_the_recordings_and_has_enough_of_each_class(demo):
    truth = read_truth(demo)
    for row in truth:
        assert 0 <= float(row["start_s"]) < float(row["end_s"]) <= 30
        assert row["recording"].startswith(f"{row['site']}_")
    for name in CALLS:
        assert sum(row["class"] == name for row in truth) >= 10, name


def test_a_call_is_where_the_truth_says_it_is(demo):
    """Sound in the class's band stands out over the seconds before, for most calls."""
    heard = []
    for row in read_truth(demo):
        start, end = float(row["start_s"]), float(row["end_s"])
        if row["kind"] != "call" or start < 1 or float(row["distance_m"]) > 30:
            continue
        samples, rate = soundfile.read(demo / row["recording"])
        samples -= samples.mean()
        before = samples[round((start - 0.5) * rate) : round(start * rate)]
        during = samples[round(start * rate) : round(end * rate)]
        heard.append(np.abs(during).max() > 2 * np.median(np.abs(before)))
    assert len(heard) > 80
    assert np.mean(heard) > 0.95


@pytest.mark.parametrize("name", CALLS)
def test_energy_of_a_call_lies_in_its_band(name):
    call = CALLS[name]
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(10):
        wave = call.make(rng, RATE, Voice())
        assert np.abs(wave).max() == pytest.approx(1)
        power = np.abs(np.fft.rfft(wave)) ** 2
        hz = np.fft.rfftfreq(len(wave), 1 / RATE)
        inside.append(power[(hz >= call.low_hz) & (hz <= call.high_hz)].sum() / power.sum())
    assert np.mean(inside) > 0.9


def test_two_note_song_falls_by_the_published_ratio():
    wave = imitations.two_note(np.random.default_rng(3), RATE, Voice())
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    middle = 3650
    high = hz[np.argmax(np.where(hz > middle, power, 0))]
    low = hz[np.argmax(np.where(hz < middle, power, 0))]
    assert high / low == pytest.approx(1.134, abs=0.04)
