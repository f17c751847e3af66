"""Clusters with names, and where a map can be believed: made once, and kept beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from naming_listeners import Namer
from numpy.typing import NDArray
from small_recordings import Listener
from tone_recordings import PITCHES, make_tones, windows_of

from explorer.collection import map_layers
from explorer.collection.cluster_names import _Named, _unlike
from explorer.collection.collection import Collection
from explorer.errors import AudioError, CollectionError, FormatVersionError, ParameterError
from explorer.space import projection

KINDS = [*PITCHES, "rest"]


def kinds_of(collection: Collection) -> NDArray[np.int64]:
    """What sounds in each window: a pitch, or nothing (4)."""
    kind = np.full(collection.n_windows(), 4)
    for number, pitch in enumerate(PITCHES):
        kind[windows_of(collection, pitch)] = number
    return kind


def draw(
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    places: NDArray[np.float64],
    seed: int = 0,
) -> None:
    """Have the map be what we say."""
    monkeypatch.setattr(projection, "project", lambda vectors, **options: places.astype(np.float32))
    collection.project(seed=seed)


def islands(collection: Collection, seed: int = 0) -> NDArray[np.float64]:
    """An island for each kind."""
    kind = kinds_of(collection)
    middles = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [25, 5]])
    return middles[kind] + np.random.default_rng(seed).normal(0, 0.5, (len(kind), 2))


@pytest.fixture(scope="module")
def tones_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embedded once, and not to be changed."""
    collection = make_tones(tmp_path_factory.mktemp("once"))
    collection.close()
    return collection.path


@pytest.fixture
def mapped(tones_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """Sixteen recordings of four pitches with a map that has an island for each."""
    collection = Collection(shutil.copytree(tones_once, tmp_path / "tones.collection"))
    draw(collection, monkeypatch, islands(collection))
    return collection


def cluster_of(collection: Collection, kind: str) -> int:
    """The cluster that most windows of a kind are in."""
    codes = collection.clusters(listen=False).codes[kinds_of(collection) == KINDS.index(kind)]
    return int(np.bincount(codes[codes >= 0]).argmax())


def test_without_a_map_there_are_no_layers(reef: Collection) -> None:
    with pytest.raises(CollectionError, match="no map"):
        reef.clusters()
    with pytest.raises(CollectionError, match="no map"):
        reef.faithfulness()


# --- names --------------------------------------------------------------------------------------


def test_a_cluster_is_named_by_what_it_sounds_like(mapped: Collection) -> None:
    found = mapped.clusters()
    assert len(found) == 5
    assert found.table["windows"].is_monotonic_decreasing
    name = found.names[cluster_of(mapped, "low")]
    assert name.startswith("low ")
    assert "0.3" in name or "0.2" in name
    assert "clips from its middle" in found.reasons[cluster_of(mapped, "low")]
    assert len(set(found.names)) == 5


def test_labels_of_people_come_first_and_are_counted(mapped: Collection) -> None:
    rows = windows_of(mapped, "high")
    mapped.label(rows[:8], "Whoop", who="ana")
    mapped.label(rows[8:9], "Whoop", "negative", who="ana")
    mapped.label(windows_of(mapped, "low")[:2], "Grunt", who="ana")
    found = mapped.clusters(listen=False)
    high = cluster_of(mapped, "high")
    assert found.names[high] == "mostly Whoop"
    assert found.reasons[high].startswith("8 of 9 judged windows here are Whoop")
    assert found.names[cluster_of(mapped, "low")] == "some Grunt"


def test_one_label_or_labels_that_disagree_name_nothing(mapped: Collection) -> None:
    mapped.label(windows_of(mapped, "low")[:1], "Grunt", who="ana")
    high = windows_of(mapped, "high")
    for number, name in enumerate(("a", "b", "c")):
        mapped.label(high[2 * number : 2 * number + 2], name, who="ana")
    names = mapped.clusters(listen=False).names
    assert names[cluster_of(mapped, "low")].startswith("group ")
    assert names[cluster_of(mapped, "high")].startswith("group ")


def test_names_follow_the_labels_of_the_moment(mapped: Collection) -> None:
    low = cluster_of(mapped, "low")
    before = mapped.clusters().names[low]
    events = mapped.label(windows_of(mapped, "low")[:6], "Grunt", who="ana")
    assert mapped.clusters().names[low] == "mostly Grunt"
    mapped.undo(events, who="ana")
    assert mapped.clusters().names[low] == before


def test_the_encoders_own_name_comes_with_a_question_mark(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped.embed(Namer(), progress=False)
    draw(mapped, monkeypatch, islands(mapped))
    found = mapped.clusters()
    best = mapped.species()
    code = cluster_of(mapped, "highest")
    rows = found.rows_of(code)
    usual = best.names[np.bincount(best.codes[rows]).argmax()]
    assert found.names[code] == f"{usual}?"
    assert "best guess" in found.reasons[code]


def test_sounds_are_listened_to_once(mapped: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    names = mapped.clusters().names
    mapped.close()

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("listened to again")

    again = Collection(mapped.path)
    monkeypatch.setattr(again, "clip", refuse)
    assert again.clusters(listen=False).names == names
    assert again.clusters().names == names


def test_what_was_heard_before_a_stop_is_kept(mapped: Collection) -> None:
    def stop(share: float, words: str) -> None:
        if "Listening" in words and share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped.clusters(progress=stop)
    heard = [name for name in mapped.clusters(listen=False).names if not name.startswith("group")]
    assert 1 <= len(heard) < 5
    told: list[float] = []
    mapped.clusters(progress=lambda share, words: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1


def test_recordings_that_are_gone_leave_numbers_for_names_until_they_are_back(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(row: int, **options: object) -> None:
        raise AudioError("reef.wav", "the file is no longer there")

    with monkeypatch.context() as unplugged:
        unplugged.setattr(mapped, "clip", gone)
        assert all(name.startswith("group ") for name in mapped.clusters().names)
    assert not any(name.startswith("group ") for name in mapped.clusters().names)


def test_a_place_or_a_time_is_named_where_it_is_unlike_the_rest(mapped: Collection) -> None:
    """Each pitch is always at one site, silence at both."""
    found = mapped.clusters(listen=False)
    assert "EAST" in found.names[cluster_of(mapped, "low")]
    assert "WEST" in found.names[cluster_of(mapped, "middle")]
    assert "ST" not in found.names[cluster_of(mapped, "rest")]


def test_no_two_names_are_the_same() -> None:
    same = _Named("mostly Whoop", "", ("low hum 0.1 kHz", "LAGOON"))
    assert _unlike([same, same, same, same]) == [
        "mostly Whoop",
        "mostly Whoop, low hum 0.1 kHz",
        "mostly Whoop, LAGOON",
        "mostly Whoop (2)",
    ]


def test_a_cluster_gives_its_windows_by_name(mapped: Collection) -> None:
    found = mapped.clusters(listen=False)
    np.testing.assert_array_equal(found.rows_of(found.names[1]), np.flatnonzero(found.codes == 1))
    with pytest.raises(ParameterError, match="no cluster"):
        found.rows_of("no such name")


# --- trust --------------------------------------------------------------------------------------


def test_a_map_of_the_kinds_is_believed_more_than_one_by_chance(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = mapped.faithfulness()
    draw(mapped, monkeypatch, np.random.default_rng(1).uniform(0, 20, (len(true.share), 2)), seed=1)
    by_chance = mapped.faithfulness()
    assert true.mean > by_chance.mean + 0.2


def test_trust_is_kept_and_made_again_for_another_map(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mapped.faithfulness()
    mapped.close()
    again = Collection(mapped.path)
    told: list[str] = []
    kept = again.faithfulness(progress=lambda share, words: told.append(words))
    np.testing.assert_array_equal(kept.share, first.share)
    np.testing.assert_array_equal(kept.neighbours, first.neighbours)
    assert kept.near == first.near
    assert not told
    (path,) = (mapped.path / "projections" / "layers").glob("*.faithfulness.npz")
    (drawn,) = (mapped.path / "projections").glob("*.npz")
    drawn.unlink()
    draw(again, monkeypatch, islands(again, seed=5))
    assert again.faithfulness(progress=lambda share, words: told.append(words)).share is not None
    assert told
    assert path.exists()


def test_torn_neighbours_lie_far_off_and_are_the_same_before_and_after_measuring(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = islands(mapped)
    low = windows_of(mapped, "low")
    places[low[: len(low) // 2]] += [60, 0]
    draw(mapped, monkeypatch, places, seed=2)
    before = mapped.torn(low[0])
    assert len(before)
    assert (np.linalg.norm(places[before] - places[low[0]], axis=1) > 30).all()
    mapped.faithfulness()
    np.testing.assert_array_equal(mapped.torn(low[0]), before)
    with pytest.raises(ParameterError, match="no window"):
        mapped.torn(10**6)


def test_a_newer_or_broken_layer_is_told(mapped: Collection) -> None:
    mapped.faithfulness()
    mapped.clusters()
    layers = mapped.path / "projections" / "layers"
    (path,) = layers.glob("*.faithfulness.npz")
    path.write_bytes(b"no archive")
    with pytest.raises(CollectionError, match="Delete the file"):
        Collection(mapped.path).faithfulness()
    (names,) = layers.glob("*.clusters.json")
    about = json.loads(names.read_text(encoding="utf-8"))
    names.write_text(json.dumps(about | {"version": map_layers.FORMAT_VERSION + 1}))
    with pytest.raises(FormatVersionError):
        Collection(mapped.path).clusters()
    names.write_text("{")
    with pytest.raises(CollectionError, match="Delete the file"):
        Collection(mapped.path).clusters()


def test_two_encoders_have_layers_of_their_own(
    mapped: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mapped.run
    mapped.embed(Namer(), progress=False)
    draw(mapped, monkeypatch, islands(mapped, seed=3))
    assert Listener.name in str(first)
    assert (
        mapped.clusters(first, listen=False).codes.shape
        == mapped.clusters(listen=False).codes.shape
    )
    mapped.faithfulness(first)
    mapped.faithfulness()
    layers = list((mapped.path / "projections" / "layers").glob("*.faithfulness.npz"))
    assert len(layers) == 2
