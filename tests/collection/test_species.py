"""The encoder's own species names: from the embeddings that are kept, and kept in turn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from naming_listeners import ByEar, Namer
from small_recordings import write_recordings

import explorer
from explorer.collection import species as species_
from explorer.collection.collection import Collection
from explorer.collection.species import names_of
from explorer.encoders.base import HeadedEncoder
from explorer.errors import CollectionError, FormatVersionError, ParameterError


@pytest.fixture
def named(tmp_path: Path) -> Collection:
    audio = write_recordings(tmp_path / "recordings")
    collection = explorer.open(tmp_path / "named.collection", audio=audio)
    collection.embed(Namer(), progress=False)
    return collection


def test_names_are_those_that_the_encoder_gives_with_the_sound(named: Collection) -> None:
    assert isinstance(named.encoder(), HeadedEncoder)
    found = named.species()
    sounds = []
    for row in range(len(found)):
        wave = named.clip(row).samples[:8000]
        missing = 8000 - len(wave)
        sounds.append(np.pad(wave, (missing // 2, missing - missing // 2)))
    best = Namer().logits(torch.from_numpy(np.stack(sounds))).topk(2, dim=1)
    clear = (best.values[:, 0] - best.values[:, 1] > 0.05).numpy()
    names = [Namer.class_names[code] for code in best.indices[:, 0].tolist()]
    told = [found.classes[code] for code in found.codes]
    assert clear.mean() > 0.5
    assert np.array(told)[clear].tolist() == np.array(names)[clear].tolist()
    np.testing.assert_allclose(found.scores, best.values[:, 0].sigmoid().numpy(), atol=0.01)


def test_common_and_scientific_names_stand_in_the_table(named: Collection) -> None:
    table = named.species().table
    assert table.columns.tolist() == ["species", "scientific", "score"]
    assert len(table) == named.n_windows()
    assert table["species"].iloc[0].startswith("Bird ")
    assert table["scientific"].iloc[0].startswith("Avis ")


def test_counts_leave_out_what_the_encoder_is_not_sure_of(named: Collection) -> None:
    found = named.species()
    everything = found.counts(at=0)
    assert everything["windows"].sum() == len(found)
    assert everything["windows"].is_monotonic_decreasing
    median = float(np.median(found.scores))
    assert found.counts(at=median)["windows"].sum() == (found.scores >= median).sum()
    assert found.counts(at=1.0).empty


def test_they_are_kept_and_only_new_windows_asked_about(
    named: Collection, tmp_path: Path, monkeypatch
) -> None:
    first = named.species()
    named.close()
    asked: list[int] = []
    best = species_._best

    def counting(encoder, rows):
        asked.append(len(rows))
        return best(encoder, rows)

    monkeypatch.setattr(species_, "_best", counting)
    again = Collection(named.path)
    np.testing.assert_array_equal(again.species().codes, first.codes)
    np.testing.assert_array_equal(again.species().scores, first.scores)
    assert not asked
    write_recordings(tmp_path / "recordings", count=10)
    again.add(tmp_path / "recordings")
    again.embed(Namer(), progress=False)
    more = again.species()
    assert len(more) > len(first)
    assert sum(asked) < len(more)
    old = [first.classes[code] for code in first.codes]
    assert [more.classes[code] for code in more.codes][: len(first)] == old


def test_names_of_other_embeddings_are_not_taken(named: Collection) -> None:
    named.species()
    (path,) = (named.path / "species").glob("*.npz")
    with np.load(path) as stored:
        kept = dict(stored)
    about = json.loads(str(kept["about"])) | {"fingerprint": "another"}
    np.savez(path, **{**kept, "about": np.array(json.dumps(about)), "codes": 0 * kept["codes"]})
    opened = Collection(named.path)
    opened._encoders = named._encoders
    assert set(opened.species().codes.tolist()) != {0}


def test_a_newer_or_broken_file_is_told(named: Collection) -> None:
    named.species()
    (path,) = (named.path / "species").glob("*.npz")
    with np.load(path) as stored:
        kept = dict(stored)
    about = json.loads(str(kept["about"])) | {"version": 99}
    np.savez(path, **{**kept, "about": np.array(json.dumps(about))})
    with pytest.raises(FormatVersionError, match="99"):
        Collection(named.path).species()
    path.write_bytes(b"no archive")
    with pytest.raises(CollectionError, match="Delete the file"):
        Collection(named.path).species()


def test_windows_that_are_not_finite_have_no_guess(named: Collection, monkeypatch) -> None:
    vectors = named.embeddings()
    blocks = [(first, block.copy()) for first, block in vectors.blocks()]
    blocks[0][1][3] = np.nan
    monkeypatch.setattr(vectors, "blocks", lambda rows=0: iter(blocks))
    found = named.species()
    assert found.classes[found.codes[3]] == species_.NO_GUESS
    assert found.scores[3] == 0
    assert (found.codes >= 0).all()


def test_progress_is_told_and_an_error_in_it_stops_the_work(named: Collection) -> None:
    def stop(share: float, words: str) -> None:
        if "Asking" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        named.species(progress=stop)
    told: list[float] = []
    named.species(progress=lambda share, words: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1


def test_an_encoder_without_names_says_so(reef: Collection) -> None:
    with pytest.raises(ParameterError, match="listener is an encoder without names"):
        reef.species()


def test_a_classifier_that_needs_the_sound_says_so(reef: Collection) -> None:
    reef.embed(ByEar(), progress=False)
    with pytest.raises(ParameterError, match="from the sound itself"):
        reef.species()


@pytest.mark.parametrize(
    "written, common, scientific",
    [
        ("Turdus merula_Eurasian Blackbird", "Eurasian Blackbird", "Turdus merula"),
        ("Human vocal_Human vocal", "Human vocal", ""),
        ("Dog_Dog", "Dog", ""),
        ("Turdus merula", "Turdus merula", "Turdus merula"),
        ("amerob", "amerob", ""),
        ("bioph_snapping_shrimp", "bioph snapping shrimp", ""),
    ],
)
def test_names_that_encoders_write_become_names_that_people_use(
    written: str, common: str, scientific: str
) -> None:
    assert names_of(written) == (common, scientific)
