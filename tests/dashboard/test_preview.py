"""A classifier of another place on two maps: before, after adapting, and back again."""

from __future__ import annotations

import base64
import shutil

import numpy as np
import pytest
from places import place

from explorer.collection.card import Card
from explorer.dashboard.check.carrying import Carrying
from explorer.dashboard.check.maps import two_maps
from explorer.dashboard.explore.colouring import colouring, legend
from explorer.dashboard.explore.score import ScorePanel
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
    made = Carrying(state, Desk(state))
    made.sent = []
    made._send_msg = made.sent.append
    return made


def maps(preview):
    return [message for message in preview.sent if message["kind"] == "maps"]


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def saved(collection):
    return sorted(path.name for path in (collection.path / "classifiers").iterdir())


def test_before_and_after_lie_side_by_side_and_undo_goes_back_without_a_trace(state, preview):
    state.xy = np.random.default_rng(0).normal(size=(state.n_windows, 2)).astype("f4")
    files = saved(state.collection)
    assert preview.names == ["both"]
    send(preview, "open", name="both")
    send(preview, "class", name="whistle")
    assert preview.shown["made_in"] == "reef"
    assert not preview.shown["adapted"]
    before = maps(preview)[-1]
    assert (before["after"], before["gained"], before["lost"]) == (None, 0, 0)

    send(preview, "adapt")
    assert preview.share is None
    assert preview.shown["sentence"]
    both = maps(preview)[-1]
    assert both["after"] not in (None, both["before"])
    visit = preview._visit
    scores = [made.scores()[:, made.column("whistle")] for made in (visit.before, visit.after)]
    gained = (scores[0] < visit.threshold) & (scores[1] >= visit.threshold)
    assert both["gained"] == gained.sum()

    send(preview, "undo")
    assert not preview.shown["adapted"]
    assert maps(preview)[-1] == before
    send(preview, "close")
    assert preview.shown is None
    assert saved(state.collection) == files


def test_on_the_large_map_it_is_seen_until_one_goes_back_to_ones_own(state, preview):
    scores = ScorePanel(state, Desk(state))
    plain = colouring(state)
    send(preview, "open", name="both")
    assert state.visiting is None
    send(preview, "adapt")
    send(preview, "large", adapted=False)
    assert state.screen == "explore"
    assert legend(state)[-1][1] == "1  grunt, by both, before adapting"
    assert sum(scores.counts) == state.n_windows
    assert scores.visiting
    before = scores.counts
    send(preview, "large", adapted=True)
    assert legend(state)[-1][1] == "1  grunt, by both, after adapting"
    assert scores.counts != before
    send(scores, "leave")
    assert (state.visiting, state.colour_by, scores.counts) == (None, "class", [])
    assert colouring(state) == plain
    assert preview.shown["adapted"]


def test_it_is_kept_only_when_told_to_and_never_over_another(state, preview):
    send(preview, "open", name="both")
    send(preview, "adapt")
    send(preview, "keep", name="Both")
    assert "another name" in state.notice.text
    assert saved(state.collection) == ["both.safetensors"]
    send(preview, "keep", name="both here")
    assert saved(state.collection) == ["both here.safetensors", "both.safetensors"]
    assert preview.shown["kept"] == "both here"
    send(preview, "open", name="both here")
    assert preview.shown["adapted"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "both.safetensors"])
def test_no_path_is_taken_from_a_browser(state, preview, name):
    send(preview, "open", name=name)
    assert "no classifier" in state.notice.text
    assert state.visiting is None


def test_while_it_is_shown_the_threshold_is_its_own(state, preview):
    scores = ScorePanel(state, Desk(state))
    send(preview, "open", name="both")
    send(preview, "large", adapted=False)
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
    assert (preview.shown, preview.share) == (None, None)


def test_what_was_made_here_is_saved_once_with_its_card_and_its_file(state, preview):
    state.select([0, 1, 2])
    state.new_class_from_selection("hum")
    state.set_threshold(0.7)
    assert preview.made["classes"] == ["hum"]
    send(preview, "save", name="Both")
    assert "another name" in state.notice.text
    send(preview, "save", name="hums")
    assert preview.made["saved"] == "hums"
    loaded = state.collection.load_classifier("hums")
    assert loaded.thresholds == {"hum": 0.7}
    assert state.learned.classifier.name is None  # all sessions share it: a copy is saved
    send(preview, "card", format="json")
    told = preview.sent[-1]
    assert told["name"] == "hums-card.json"
    facts = Card.from_json(base64.b64decode(told["data"]).decode()).facts
    assert facts["classifier"]["thresholds"] == {"hum": 0.7}
    assert facts["classifier"]["sha256"]
    send(preview, "file", name="hums")
    data = base64.b64decode(preview.sent[-1]["data"])
    path = state.collection.path / "classifiers" / "hums.safetensors"
    assert data == path.read_bytes()
    path.unlink()
    send(preview, "file", name="../outside")
    assert "no classifier" in state.notice.text


def test_every_window_that_changes_sides_is_drawn_and_of_the_others_an_even_part():
    rng = np.random.default_rng(0)
    n = 50_000
    before, after = rng.random(n) * 0.4, rng.random(n) * 0.4
    after[:30], before[30:50] = 0.9, 0.9
    made = two_maps(rng.normal(size=(n, 2)), before, after, 0.5)
    assert (made.gained, made.lost) == (30, 20)
    assert (made.change == 1).sum() == 30
    assert (made.change == 2).sum() == 20
    assert len(made.xy) < 7000
    assert made.xy.min() >= 0
    assert made.xy.max() <= 1
    many = two_maps(rng.normal(size=(n, 2)), np.zeros(n), np.ones(n), 0.5)
    assert many.gained == n
    assert (many.change == 1).sum() == 1500
