"""A classifier of another place on the map: before, after adapting, and back again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from places import place

from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.explore.colouring import colouring, legend
from explorer.dashboard.explore.preview import Preview
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.state import State


@pytest.fixture(scope="module")
def lagoon(tmp_path_factory):
    """Another recorder, and a classifier of the reef that was copied into its folder."""
    reef, truth = place(tmp_path_factory.mktemp("a") / "reef", seed=1, count=6)
    examples = {name: np.flatnonzero(truth == name)[:6].tolist() for name in ("grunt", "whistle")}
    file = reef.classifier(examples).save("both")
    here, _ = place(
        tmp_path_factory.mktemp("b") / "lagoon", seed=101, another_recorder=True, count=6
    )
    folder = here.path / "classifiers"
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder / "both.safetensors")
    (folder.parent / "outside.safetensors").write_bytes(file.read_bytes())
    return here


@pytest.fixture
def state(lagoon):
    return State(lagoon, user="ada")


@pytest.fixture
def preview(state):
    return Preview(state, Desk(state))


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def saved(collection):
    return sorted(path.name for path in (collection.path / "classifiers").iterdir())


def test_before_and_after_recolour_the_map_and_undo_goes_back_without_a_trace(state, preview):
    scores = ScorePanel(state, Desk(state))
    files = saved(state.collection)
    assert preview.names == ["both"]
    send(preview, "open", name="both")
    send(preview, "class", name="whistle")
    assert preview.shown["made_in"] == "reef"
    assert legend(state)[-1][1] == "1  whistle, by both"
    before = colouring(state)
    counts = scores.counts
    assert sum(counts) == state.n_windows

    send(preview, "adapt")
    assert preview.share is None
    assert preview.shown["sentence"]
    after = colouring(state)
    assert after != before
    assert scores.counts != counts
    assert legend(state)[-1][1] == "1  whistle, by both, after adapting"

    send(preview, "switch", adapted=False)
    assert (colouring(state), scores.counts) == (before, counts)
    send(preview, "switch", adapted=True)
    assert colouring(state) == after
    send(preview, "undo")
    assert (colouring(state), scores.counts) == (before, counts)
    assert not preview.shown["can_switch"]
    send(preview, "close")
    assert (state.visiting, state.colour_by, scores.counts) == (None, "class", [])
    assert saved(state.collection) == files


def test_it_is_kept_only_when_told_to_and_never_over_another(state, preview):
    send(preview, "open", name="both")
    send(preview, "adapt")
    send(preview, "keep", name="Both")
    assert "another name" in state.notice.text
    assert saved(state.collection) == ["both.safetensors"]
    send(preview, "keep", name="both here")
    assert saved(state.collection) == ["both here.safetensors", "both.safetensors"]
    assert preview.shown["kept"] == "both here"
    shown = colouring(state)
    send(preview, "open", name="both here")
    assert preview.shown["can_switch"]
    assert colouring(state) == shown


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "both.safetensors"])
def test_no_path_is_taken_from_a_browser(state, preview, name):
    send(preview, "open", name=name)
    assert "no classifier" in state.notice.text
    assert state.visiting is None


def test_while_it_is_shown_the_threshold_is_its_own(state, preview):
    scores = ScorePanel(state, Desk(state))
    send(preview, "open", name="both")
    send(scores, "threshold", value=0.9)
    assert state.visiting.threshold == 0.9
    assert scores.found == int((state.visiting.scores >= 0.9).sum())


def test_what_was_closed_while_it_adapted_stays_closed(state, preview):
    send(preview, "open", name="both")
    left = []
    preview.desk.run = lambda compute, apply, doing: left.append((compute, apply))
    send(preview, "adapt")
    send(preview, "close")
    compute, apply = left.pop()
    apply(compute())
    assert (state.visiting, preview.share) == (None, None)
