"""Two encoders on one collection: runs of their own, and labels that belong to both.

A label is a time range of a recording, so it means the same to an encoder of another window, and to
one that hears the recordings slower or faster.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_recordings import RATE, Listener, write_recordings

import explorer
from explorer.collection.collection import Collection
from explorer.encoders.base import Encoder
from explorer.encoders.spectral import SpectralEncoder

LISTENER = "listener-1_1.0s"
FIRST = "east/EAST_20260301_000000.wav"  # 4 s; sounds in every other second, from the first on


def spectral() -> SpectralEncoder:
    """Another window (1.5 s) and another dimension than `Listener`."""
    return SpectralEncoder(sample_rate=RATE, window_s=1.5, device="cpu")


SPECTRAL = f"spectral-{SpectralEncoder.version}_1.5s"


@pytest.fixture
def reef(tmp_path: Path) -> Collection:
    """Eight recordings, embedded by both; `spectral` came last, so it is asked by default."""
    audio = write_recordings(tmp_path / "recordings")
    collection = explorer.open(tmp_path / "reef.collection", audio=audio)
    collection.embed(Listener(), progress=False)
    collection.embed(spectral(), progress=False)
    return collection


def times(collection: Collection, run: str) -> list[tuple[str, float, float]]:
    """Recording, start and end of the windows that hold a label, as one run cuts them."""
    windows = collection.windows(collection.label_rows(run)["row"], run)
    return list(
        windows[["recording", "start_s", "end_s"]].itertuples(index=False, name=None)  # type: ignore[arg-type]
    )


def pitch_of(collection: Collection, rows: np.ndarray, run: str) -> np.ndarray:
    """The pitch class of the recordings that windows lie in: their number, modulo 4."""
    names = collection.windows(rows, run)["recording"]
    return names.str.extract(r"_(\d\d)0000")[0].astype(int).to_numpy() % 4


def test_each_run_has_its_own_windows_and_embeddings(reef: Collection) -> None:
    assert reef.runs["run"].tolist() == [LISTENER, SPECTRAL]
    for encoder, run in ((Listener(), LISTENER), (spectral(), SPECTRAL)):
        assert reef.embeddings(run).dimension == encoder.dimension
        starts = reef.windows(run=run)["start_s"].to_numpy()
        assert len(starts) == len(reef.embeddings(run))
        np.testing.assert_allclose(starts % encoder.window_s, 0, atol=1e-9)
    assert reef.check().empty


def test_a_second_encoder_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    audio = write_recordings(tmp_path / "recordings", count=4)
    reef = explorer.open(tmp_path / "reef.collection", audio=audio)
    reef.embed(Listener(), progress=False)
    before = np.asarray(reef.embeddings(LISTENER)).tobytes()
    reef.embed(spectral(), progress=False)
    assert np.asarray(reef.embeddings(LISTENER)).tobytes() == before


def test_new_recordings_reach_each_run_when_it_goes_on(reef: Collection, tmp_path: Path) -> None:
    counts = {run: reef.n_windows(run) for run in (LISTENER, SPECTRAL)}
    new = tmp_path / "recordings" / "east" / "EAST_20260401_000000.wav"
    soundfile.write(new, np.random.default_rng(0).normal(0, 0.1, RATE * 3), RATE)
    reef.add(tmp_path / "recordings")
    reef.embed(Listener(), progress=False)
    assert reef.n_windows(LISTENER) == counts[LISTENER] + 3
    assert reef.n_windows(SPECTRAL) == counts[SPECTRAL]
    reef.embed(spectral(), progress=False)
    assert reef.n_windows(SPECTRAL) == counts[SPECTRAL] + 2


def test_a_search_gives_windows_of_the_run_it_asks(reef: Collection) -> None:
    for run, window_s in ((LISTENER, 1.0), (SPECTRAL, 1.5)):
        best = reef.search((FIRST, 2.4), k=3, run=run).iloc[0]
        assert best["recording"] == FIRST
        assert best["start_s"] <= 2.4 < best["end_s"]
        assert best["end_s"] - best["start_s"] == pytest.approx(window_s)


@pytest.mark.parametrize(
    ("labelled", "window", "other", "expected"),
    [
        (LISTENER, 2, SPECTRAL, (FIRST, 1.5, 3.0)),  # 2 to 3 s lies in 1.5 to 3 s
        (SPECTRAL, 1, LISTENER, (FIRST, 2.0, 3.0)),  # of 1 to 2 s, 1.5 to 3 s holds only half
    ],
)
def test_a_label_made_with_one_encoder_names_the_windows_of_the_other(
    reef: Collection, labelled: str, window: int, other: str, expected: tuple[str, float, float]
) -> None:
    (event,) = reef.label([window], "hum", who="ana", run=labelled)
    assert times(reef, other) == [expected]
    assert reef.label_rows(labelled)["row"].tolist() == [window]
    reef.undo([event], who="ana")
    assert times(reef, other) == times(reef, labelled) == []


def test_labels_made_with_one_encoder_teach_the_other(reef: Collection) -> None:
    """Four labels of one pitch, and the windows of that pitch are found by both encoders."""
    windows = reef.windows(run=LISTENER)
    sounding = windows["start_s"] % 2 == 0
    own = pitch_of(reef, np.arange(len(windows)), LISTENER) == 2
    reef.label(windows.index[sounding & own][:4], "two", who="ana", run=LISTENER)
    for run in (LISTENER, SPECTRAL):
        classifier = reef.classifier(run=run)
        assert classifier.run == run
        best = np.argsort(-classifier.scores()[:, 0])[:5]
        assert (pitch_of(reef, best, run) == 2).all()


def test_a_saved_classifier_goes_on_hearing_with_its_own_encoder(reef: Collection) -> None:
    reef.label([2], "hum", who="ana", run=LISTENER)
    made = reef.classifier(run=LISTENER)
    made.save("hum")
    loaded = explorer.open(reef.path).load_classifier("hum")
    assert loaded.run == LISTENER != explorer.open(reef.path).run
    np.testing.assert_array_equal(loaded.scores(), made.scores())


# --- slower and faster ----------------------------------------------------------------------------

BURST_S, LONG_S = 26.75, 40


@pytest.fixture
def burst(tmp_path: Path) -> Collection:
    """One recording of faint noise; something happens at a known second."""
    sound = np.random.default_rng(1).normal(0, 0.001, RATE * LONG_S)
    first = round(BURST_S * RATE)
    sound[first : first + 400] += 0.5 * np.sin(2 * np.pi * 700 * np.arange(400) / RATE)
    folder = tmp_path / "burst"
    folder.mkdir()
    soundfile.write(folder / "BURST_20260301_120000.wav", sound, RATE)
    return explorer.open(tmp_path / "burst.collection", audio=folder)


def oddest(collection: Collection, run: str) -> int:
    """The window that is least like the others."""
    vectors = np.asarray(collection.embeddings(run), dtype=np.float32)
    return int(np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1).argmax())


@pytest.mark.parametrize("encoder", [Listener(), spectral()], ids=lambda encoder: encoder.name)
@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_times_stay_the_recordings_own_at_any_speed(
    encoder: Encoder, speed: float, burst: Collection
) -> None:
    run = burst.embed(encoder, speed=speed, progress=False).run
    row = oddest(burst, run)
    window = burst.windows([row], run).iloc[0]
    assert window["start_s"] <= BURST_S < window["end_s"]
    assert window["end_s"] - window["start_s"] == pytest.approx(encoder.window_s * speed)
    assert window["started_at"].startswith(f"2026-03-01T12:00:{int(window['start_s']):02d}")
    assert row in burst.search((burst.recordings["recording"].iloc[0], BURST_S), run=run).index
    clip = burst.clip(row, run=run)  # at the recording's own speed
    loudest_s = clip.start_s + np.abs(clip.samples).argmax() / clip.rate
    assert loudest_s == pytest.approx(BURST_S, abs=0.06)


def test_a_label_carries_over_between_speeds_and_encoders(burst: Collection) -> None:
    """Labelled where whales are played four times as fast, found in every other run."""
    fast = burst.embed(Listener(), speed=4.0, progress=False).run
    others = [
        burst.embed(spectral(), progress=False).run,
        burst.embed(Listener(), speed=0.5, progress=False).run,
    ]
    ranges = burst.windows([oddest(burst, others[1])], others[1])
    burst.label_ranges(ranges.assign(**{"class": "burst"}), who="ana")
    for run in (fast, *others):
        rows = burst.label_rows(run)["row"].tolist()
        assert rows == [oddest(burst, run)]


def test_a_slower_recording_is_heard_lower(tmp_path: Path) -> None:
    """1,400 Hz is heard as 700 Hz at half the speed: another band of `Listener`."""
    folder = tmp_path / "tone"
    folder.mkdir()
    seconds = np.arange(RATE * 8) / RATE
    soundfile.write(folder / "tone.wav", 0.5 * np.sin(2 * np.pi * 1400 * seconds), RATE)
    tones = explorer.open(tmp_path / "tone.collection", audio=folder)
    for speed, band in ((1.0, 5), (0.5, 2), (2.0, 11)):  # of 250 Hz each
        run = tones.embed(Listener(), speed=speed, progress=False).run
        assert np.asarray(tones.embeddings(run))[1].argmax() == band
