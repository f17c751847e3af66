"""The object that a notebook holds: recordings in, hits and detections out."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_recordings import RATE, Listener, write_recordings

import explorer
from explorer.collection.collection import Collection
from explorer.errors import CollectionError, EncoderError, FormatVersionError, ParameterError


def test_recordings_come_with_site_and_start(reef: Collection) -> None:
    first = reef.recordings.iloc[0]
    assert first["recording"] == "east/EAST_20260301_000000.wav"
    assert first["site"] == "EAST"
    assert first["started_at"] == "2026-03-01T00:00:00+00:00"


def test_every_window_carries_its_own_time_with_zone(tmp_path: Path, recordings: Path) -> None:
    reef = explorer.open(
        tmp_path / "reef.collection", audio=recordings, timezone="Australia/Brisbane"
    )
    reef.embed(Listener(), progress=False)
    assert reef.windows([2])["started_at"].iloc[0] == "2026-03-01T00:00:02.000+10:00"
    assert reef.index().hour[2] == pytest.approx(2 / 3600, abs=1e-5)


def test_the_time_zone_is_remembered(tmp_path: Path, recordings: Path) -> None:
    explorer.open(tmp_path / "reef.collection", audio=recordings, timezone="+03:00").close()
    again = explorer.open(tmp_path / "reef.collection", audio=recordings)
    assert again.recordings["started_at"].iloc[0].endswith("+03:00")


def test_a_window_finds_itself_first(reef: Collection) -> None:
    hits = reef.search(5, k=10)
    assert hits.index[0] == 5
    assert hits["score"].is_monotonic_decreasing


def test_three_ways_to_ask_for_one_window_agree(reef: Collection) -> None:
    window = reef.windows([6]).iloc[0]
    path = reef.recordings.set_index("recording").loc[window["recording"], "path"]
    by_row = reef.search(6, k=8)
    by_moment = reef.search((window["recording"], window["start_s"] + 0.4), k=8)
    by_file = reef.search(path, k=8, start_s=window["start_s"])
    assert by_row.index.tolist() == by_moment.index.tolist() == by_file.index.tolist()
    np.testing.assert_allclose(by_file["score"], by_row["score"], atol=1e-3)


def test_four_examples_find_the_others(reef: Collection) -> None:
    """Every fourth recording has the same pitch, sounding in every other second."""
    index = reef.index()
    sounding = index.window % 2 == 0
    pitch = np.array([number % 4 for number in range(8)])
    # Recordings are entered by name: EAST 0, 2, 4, 6 then WEST 1, 3, 5, 7.
    numbers = np.array([0, 2, 4, 6, 1, 3, 5, 7])[index.position]
    is_class = sounding & (pitch[numbers] == 1) & (index.end_s - index.start_s > 0.99)
    examples = np.flatnonzero(is_class)[:2]
    classifier = reef.classifier({"two": examples})
    ranked = np.argsort(-classifier.scores()[:, 0])
    assert is_class[ranked[: is_class.sum()]].mean() > 0.9


def test_detections_merge_neighbours_and_know_their_time(reef: Collection) -> None:
    classifier = reef.classifier({"hum": [0, 2]})
    windows = classifier.detections(0.0, merge=False)
    events = classifier.detections(0.0)
    assert len(windows) == reef.n_windows()
    assert len(events) == len(reef.recordings)  # threshold 0: each recording is one event
    first = events.iloc[0]
    assert first["started_at"] == "2026-03-01T00:00:00.000+00:00"
    assert first["score"] == windows.loc[windows["recording"] == first["recording"], "score"].max()


def test_a_saved_classifier_gives_the_same_scores(reef: Collection) -> None:
    made = reef.classifier({"hum": [0, 2], "low": [9]}, negatives={"hum": [1]})
    made.save("two sounds", threshold=0.7)
    loaded = explorer.open(reef.path).load_classifier("two sounds")
    np.testing.assert_array_equal(loaded.scores(), made.scores())
    assert reef.classifiers["classes"].tolist() == [["hum", "low"]]
    assert reef.check().empty


@pytest.mark.parametrize("name", ["../escape", "", "a/b", "CON:"])
def test_a_classifier_cannot_be_saved_outside_its_folder(reef: Collection, name: str) -> None:
    with pytest.raises(ParameterError):
        reef.classifier({"hum": [0]}).save(name)


def test_clips_are_the_very_samples_of_the_window(reef: Collection) -> None:
    """PEERS 14: playback of the wrong piece of audio."""
    window = reef.windows([7]).iloc[0]
    path = reef.recordings.set_index("recording").loc[window["recording"], "path"]
    whole, _ = soundfile.read(path, dtype="float32")
    clip = reef.clip(7)
    first = int(window["start_s"] * RATE)
    np.testing.assert_array_equal(clip.samples, whole[first : first + len(clip.samples)])
    assert len(clip.samples) == round((window["end_s"] - window["start_s"]) * RATE)


def test_a_moved_folder_is_linked_again(reef: Collection, recordings: Path, tmp_path: Path) -> None:
    reef.label([0], "hum", who="ana")
    moved = tmp_path / "disk2" / "recordings"
    moved.parent.mkdir()
    shutil.move(recordings, moved)
    assert (reef.check()["kind"] == "recording").all()
    reef.add(moved)
    assert reef.check().empty
    assert reef.labels()["recording"].tolist() == ["east/EAST_20260301_000000.wav"]
    assert len(reef.clip(0).samples) == RATE


def test_two_folders_with_the_same_names_stay_apart(reef: Collection, tmp_path: Path) -> None:
    reef.add(write_recordings(tmp_path / "card2", count=3, seconds=6))
    names = reef.recordings["recording"].tolist()
    assert len(names) == len(set(names)) == 11
    assert "card2/east/EAST_20260301_000000.wav" in names


def test_a_recording_that_changed_after_embedding_is_told(
    reef: Collection, recordings: Path
) -> None:
    path = recordings / "east" / "EAST_20260301_000000.wav"
    soundfile.write(path, np.zeros(RATE * 9), RATE)
    reef.add(recordings)
    assert reef.left_out["cause"].str.contains("changed since it was embedded").tolist() == [True]
    assert reef.recordings["duration_s"].iloc[0] == 4.0


def test_unreadable_files_are_listed_with_cause(tmp_path: Path, recordings: Path) -> None:
    (recordings / "east" / "broken.wav").write_bytes(b"")
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    assert reef.left_out["recording"].tolist() == ["east/broken.wav"]
    assert "empty" in reef.left_out["cause"].iloc[0]


def test_a_folder_with_other_things_does_not_become_a_collection(recordings: Path) -> None:
    with pytest.raises(CollectionError, match="not empty"):
        explorer.open(recordings)


def test_a_file_is_searched_with_the_window_that_the_run_has(
    tmp_path: Path, recordings: Path
) -> None:
    path = tmp_path / "reef.collection"
    reef = explorer.open(path, audio=recordings)
    reef.embed("spectral", window_s=1.5, speed=0.5, progress=False)
    again = explorer.open(path)
    assert again.windows()["end_s"].iloc[0] == 0.75
    sound = again.recordings["path"].iloc[0]
    assert again.search(sound, k=1, start_s=0.75).index[0] == 1


def test_another_version_of_the_encoder_is_refused_for_queries(
    tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reef.collection"
    explorer.open(path, audio=recordings).embed("spectral", progress=False)
    monkeypatch.setattr("explorer.encoders.spectral_info.VERSION", "2")
    monkeypatch.setattr("explorer.encoders.spectral.SpectralEncoder.version", "2")
    again = explorer.open(path)
    with pytest.raises(EncoderError, match=r"spectral 2 is installed.*version 1.*embed again"):
        again.search(again.recordings["path"].iloc[0])


def test_a_window_length_is_for_encoders_by_name(reef: Collection) -> None:
    with pytest.raises(ParameterError, match="this one is loaded"):
        reef.embed(Listener(), window_s=2.0, progress=False)


def test_asking_before_embedding_says_what_to_do(tmp_path: Path, recordings: Path) -> None:
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    with pytest.raises(CollectionError, match="explorer embed"):
        reef.search(0)


def test_a_newer_catalogue_is_refused_with_the_cure(reef: Collection) -> None:
    reef.close()
    with sqlite3.connect(reef.path / "catalogue.sqlite") as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(FormatVersionError, match="pip install -U"):
        explorer.open(reef.path)


def test_the_map_is_kept_with_its_settings(reef: Collection) -> None:
    assert reef.projection() is None
    coordinates = reef.project(n_neighbours=5)
    assert coordinates.shape == (reef.n_windows(), 2)
    np.testing.assert_array_equal(explorer.open(reef.path).projection(), coordinates)


def test_a_map_of_fewer_windows_is_out_of_date(reef: Collection, recordings: Path) -> None:
    reef.project(n_neighbours=5)
    soundfile.write(recordings / "west" / "WEST_20260501_000000.wav", np.zeros(RATE * 2), RATE)
    reef.add(recordings)
    reef.embed(Listener(), progress=False)
    assert reef.projection() is None


def test_a_damaged_shard_is_found_by_check(reef: Collection) -> None:
    shard = next((reef.path / "embeddings").rglob("*.npy"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(bytes(data))
    found = reef.check()
    assert found["kind"].tolist() == ["shard"]
    assert "SHA-256" in found["finding"].iloc[0]


def test_hits_show_and_play_in_a_notebook_and_names_are_text(
    tmp_path: Path, recordings: Path
) -> None:
    path = recordings / "<img src=x onerror=alert(1)>.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    reef.embed(Listener(), progress=False)
    page = reef.search((path.name, 0.5), k=3)._repr_html_()
    assert page.count("<audio") == 3
    assert page.count("data:image/png") == 3
    assert "<img src=x" not in page


def test_hits_are_a_table_that_keeps_its_sounds_when_sliced(reef: Collection) -> None:
    hits = reef.search(5, k=10)
    east = hits[hits["site"] == "EAST"]
    assert east.collection is reef
    assert "<audio" in east._repr_html_()
