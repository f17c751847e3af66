"""A run may hear a band of the recordings: whatever lies outside decides nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_recordings import RATE, Listener
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.audio.band import Band
from explorer.collection.catalogue import Run
from explorer.collection.collection import Collection
from explorer.errors import ParameterError

GRUNT_HZ, RUMBLE_HZ, HISS_HZ = 600, 30, 3300


@pytest.fixture
def boats(tmp_path: Path) -> Path:
    """Two sounds, each once alone and once with a louder rumble and hiss of a boat."""
    time = np.arange(RATE * 4) / RATE
    generator = np.random.default_rng(3)
    folder = tmp_path / "boats"
    folder.mkdir()
    noise = sum(0.15 * np.sin(2 * np.pi * hz * time) for hz in (RUMBLE_HZ, HISS_HZ))
    for name, pitch in (("grunt", GRUNT_HZ), ("knock", 2 * GRUNT_HZ)):
        sound = 0.05 * np.sin(2 * np.pi * pitch * time) + generator.normal(0, 1e-4, time.size)
        soundfile.write(folder / f"{name} alone.wav", sound, RATE, subtype="FLOAT")
        soundfile.write(folder / f"{name} with boat.wav", sound + noise, RATE, subtype="FLOAT")
    return folder


def opened(tmp_path: Path, audio: Path) -> Collection:
    return explorer.open(tmp_path / "reef.collection", audio=audio)


def rows(collection: Collection, name: str, run: str | None) -> np.ndarray:
    """The embeddings of a recording without its first and last second."""
    windows = collection.windows(run=run)
    found = windows.index[windows["recording"] == f"{name}.wav"][1:-1]
    return np.asarray(collection.embeddings(run), dtype=np.float32)[found]


def test_the_encoder_hears_only_the_band(tmp_path: Path, boats: Path) -> None:
    """A sound with a boat is, in the band, the sound alone; without limits the boat is all."""
    reef = opened(tmp_path, boats)
    plain = reef.embed(Listener(), progress=False).run
    band = reef.embed(Listener(), low_hz=100, high_hz=2500, progress=False).run
    for name in ("grunt", "knock"):
        alone, with_boat = rows(reef, f"{name} alone", band), rows(reef, f"{name} with boat", band)
        np.testing.assert_allclose(with_boat, alone, atol=0.1)
        unlimited = rows(reef, f"{name} with boat", plain)
        assert np.abs(unlimited - with_boat).max() > 5


def test_a_file_of_the_collection_finds_itself_in_a_run_with_a_band(
    tmp_path: Path, boats: Path
) -> None:
    """The question is heard as the run heard the recordings: by its sound, not by its boat."""
    reef = opened(tmp_path, boats)
    reef.embed(Listener(), low_hz=100, high_hz=2500, progress=False)
    hits = reef.search(boats / "grunt with boat.wav", start_s=1.0).set_index(
        ["recording", "start_s"]
    )
    assert hits.loc[("grunt with boat.wav", 1.0), "score"] == pytest.approx(1.0, abs=1e-5)
    assert hits.index.get_level_values("recording")[:8].str.startswith("grunt").all()


def test_a_run_says_its_band_and_names_without_one_stay_as_they_were(
    tmp_path: Path, recordings: Path
) -> None:
    reef = opened(tmp_path, recordings)
    for limits in ({}, {"low_hz": 40}, {"high_hz": 2000.0}, {"low_hz": 40, "high_hz": 2000}):
        reef.embed(Listener(), progress=False, **limits)  # type: ignore[arg-type]
    name = "listener-1_1.0s"
    told = reef.runs.set_index("run")[["low_hz", "high_hz"]]
    assert list(told.index) == [
        name,
        f"{name}_from40Hz",
        f"{name}_to2000Hz",
        f"{name}_40-2000Hz",
    ]
    np.testing.assert_array_equal(told.iloc[0], [np.nan, np.nan])
    np.testing.assert_array_equal(told.iloc[3], [40, 2000])
    reef.close()
    again = explorer.open(reef.path).catalogue.runs()
    assert [run.band for run in again.values()] == [
        Band(),
        Band(low_hz=40),
        Band(high_hz=2000),
        Band(40, 2000),
    ]


def test_the_same_limits_go_on_with_the_same_run(reef: Collection) -> None:
    reef.embed(Listener(), low_hz=40, progress=False)
    assert reef.embed(Listener(), low_hz=40.0, progress=False).windows == 0


def test_the_band_comes_last_in_a_name() -> None:
    name = Run.name_for("bats", "2", 0.3, 0.15, 0.1, "1", Band(20_000, 120_000))
    assert name == "bats-2_0.3s_hop0.15s_x0.1_ch1_20000-120000Hz"


def test_recordings_that_hold_nothing_of_the_band_are_left_out_with_the_cause(
    tmp_path: Path, recordings: Path
) -> None:
    generator = np.random.default_rng(0)
    soundfile.write(recordings / "low.wav", generator.normal(0, 0.1, 3000), 1000)
    reef = opened(tmp_path, recordings)
    report = reef.embed(Listener(), low_hz=500, progress=False)
    assert report.recordings == 8
    assert list(report.left_out) == ["low.wav"]
    assert "1,000 samples a second" in reef.left_out.set_index("recording")["cause"]["low.wav"]


def test_a_band_that_the_encoder_cannot_hear_is_refused_with_the_cure(
    tmp_path: Path, recordings: Path
) -> None:
    """Who asks for a bat's 20 kHz forgot to play it slower."""
    reef = opened(tmp_path, recordings)
    with pytest.raises(ParameterError, match=r"hears up to 4000 Hz at speed 1.*play slower"):
        reef.embed(Listener(), low_hz=20_000, progress=False)
    with pytest.raises(ParameterError, match="must be below"):
        reef.embed(Listener(), low_hz=300, high_hz=200, progress=False)
    assert reef.runs.empty


def test_the_command_line_takes_the_limits(tmp_path: Path, boats: Path) -> None:
    path = tmp_path / "reef.collection"
    limits = ["--low-hz", "40", "--high-hz", "2000"]
    said = CliRunner().invoke(
        cli.app, ["embed", str(path), "--audio", str(boats), "--encoder", "spectral", *limits]
    )
    assert said.exit_code == 0, said.output
    assert "40-2000Hz" in said.output
    assert explorer.open(path).run in said.output
    assert [run.band for run in explorer.open(path).catalogue.runs().values()] == [Band(40, 2000)]
