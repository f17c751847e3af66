"""The map: what the browser is told to draw, and which windows lie within what was drawn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from explorer.dashboard.explore.beside import Twins, match
from explorer.dashboard.explore.colouring import OUT, colouring, legend
from explorer.dashboard.explore.map import MOST_ON_TOP, MapPiece, inside, map_limits, places
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.layers import CLUSTER, TRUST, Layer
from explorer.dashboard.state.state import State


@pytest.fixture
def state(fake):
    return State(fake(recordings=30), user="ada")


@pytest.fixture
def piece(state):
    return MapPiece(state, Desk(state))


def send(piece, action, **values):
    piece._handle_msg({"action": action, **values})


def codes(piece):
    return np.frombuffer(piece.codes, dtype=np.uint8)


def numbers(told, kind=np.uint32):
    return np.frombuffer(told, dtype=kind)


def of_kind(state, kind):
    return np.flatnonzero(state.collection._kind == kind)


def test_points_in_a_polygon_that_is_not_convex():
    horseshoe = np.array([[0, 0], [4, 0], [4, 4], [3, 4], [3, 1], [1, 1], [1, 4], [0, 4]], float)
    points = np.array([[0.5, 3], [2, 3], [3.5, 3], [2, 0.5], [9, 9]], float)
    assert inside(points, horseshoe).tolist() == [0, 2, 3]


@pytest.mark.parametrize("corners", [4, 300])
def test_what_a_hand_draws_around_many_windows_holds_the_same_as_corner_by_corner(corners):
    rng = np.random.default_rng(corners)
    points = rng.normal(0, 3, (40_000, 2)).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = 5 + 0.4 * rng.normal(size=corners)
    drawn = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    each = [inside(part, drawn) + at for at, part in parts(points, 10_000)]
    assert inside(points, drawn).tolist() == np.concatenate(each).tolist()
    folded = drawn[rng.permutation(corners)]  # an outline that crosses itself
    each = [inside(part, folded) + at for at, part in parts(points, 10_000)]
    assert inside(points, folded).tolist() == np.concatenate(each).tolist()


def parts(points, size):
    return [(at, points[at : at + size]) for at in range(0, len(points), size)]


def test_a_shape_without_an_inside_holds_nothing():
    points = np.zeros((50_000, 2))
    assert not len(inside(points, np.array([[-1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])))


def test_places_of_windows_are_right_to_a_step(state):
    low, high = map_limits(state.xy)
    told = np.frombuffer(places(state.xy), dtype=np.uint16).reshape(-1, 2) / 65535
    assert np.abs(low + told * (high - low) - state.xy).max() < (high - low).max() / 65535
    assert places(state.xy) is places(state.xy)  # made once for all sessions


def test_what_is_drawn_around_is_selected(state, piece):
    low, high = map_limits(state.xy)
    wanted = of_kind(state, 2)
    middle = (state.xy[wanted].mean(axis=0) - low) / (high - low)
    corners = middle + 0.12 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    send(piece, "select", corners=corners.tolist())
    assert len(np.intersect1d(state.selection, wanted)) > 0.9 * len(wanted)
    before = len(state.selection)
    send(piece, "tap", row=int(of_kind(state, 0)[0]), add=True)
    assert len(state.selection) == before + 1


def test_an_outline_around_nothing_lets_go_of_the_selection(state, piece):
    state.select([1, 2])
    send(piece, "select", corners=[[0, 0], [0.001, 0], [0, 0.001]])
    assert len(state.selection) == 0
    assert piece.emptied == 1


@pytest.mark.parametrize(
    "message",
    [
        {"action": "select", "corners": [[0, 0]]},
        {"action": "select", "corners": [["a", "b"], [0, 0], [1, 1]]},
        {"action": "tap", "row": 10**9},
        {"action": "tap", "row": "1"},
        {"action": "beside", "run": "../x"},
    ],
)
def test_what_a_browser_says_that_cannot_be_changes_nothing(state, piece, message):
    piece._handle_msg(dict(message))
    assert state.notice.kind == "error"
    assert len(state.selection) == 0


def test_a_class_has_its_colour_and_shape(state, piece):
    state.select(of_kind(state, 1)[:5])
    state.new_class_from_selection("grunt")
    shown = numbers(piece.found)
    examples = numbers(piece.found_examples, np.uint8) == 1
    assert set(shown[examples]) == set(state.active_class.positives)
    assert examples.sum() == 5
    assert set(numbers(piece.found_styles, np.uint8)) == {0}
    assert piece.found_shapes == ["circle"]
    assert (codes(piece)[shown] == 1).all()
    state.colour_by = "score"
    assert not piece.found
    assert piece.ramp


def test_what_the_filter_leaves_out_is_only_a_trace(state, piece):
    state.narrow(sites=("Creek-01",))
    assert ((codes(piece) == OUT) == ~state.kept).all()
    state.widen()
    assert not (codes(piece) == OUT).any()


def test_of_many_selected_windows_a_sample_from_all_over_gets_a_ring(fake):
    state = State(fake(recordings=150, per_recording=30), user="ada")
    piece = MapPiece(state, Desk(state))
    state.select(np.arange(state.n_windows))
    assert len(numbers(piece.marks)) == MOST_ON_TOP
    assert numbers(piece.marks)[-1] == state.n_windows - 1
    assert piece.selected == state.n_windows
    state.focus = 7  # from card to card: the rings stay
    assert piece.focus == 7
    assert len(numbers(piece.marks)) == MOST_ON_TOP


def test_clusters_are_named_on_the_map_and_can_be_selected(state, piece):
    kinds = state.collection._kind
    centres = np.stack([state.xy[kinds == k].mean(axis=0) for k in range(7)])
    names = tuple(f"kind {k}" for k in range(7))
    state.layers = {CLUSTER: Layer(CLUSTER, codes=kinds, names=names, places=centres)}
    state.colour_by = CLUSTER
    assert [label["name"] for label in piece.labels] == list(names)
    send(piece, "label", code=3)
    assert state.selection.tolist() == of_kind(state, 3).tolist()


def test_trust_shows_true_neighbours_that_lie_apart(state, piece):
    state.layers = {TRUST: Layer(TRUST, values=np.linspace(0, 1, state.n_windows), meaning="so")}
    state.collection.torn = lambda row, run=None: [row + 1, row + 2]
    state.colour_by = TRUST
    state.focus = 5
    assert piece.torn == [[5, 6], [5, 7]]
    assert piece.meaning == "so"
    assert legend(state)[0][1] == "none"
    assert colouring(state).code.max() > colouring(state).code.min()


def index(recording, start, length):
    start = np.asarray(start, dtype=float)
    return SimpleNamespace(
        recording_id=np.asarray(recording, dtype=np.int32), start_s=start, end_s=start + length
    )


def test_windows_of_two_encoders_find_each_other_by_time():
    short = index([1, 1, 1, 2, 2], [0, 3, 6, 0, 3], 3)
    long = index([1, 1, 2, 3], [0, 5, 0, 0], 5)
    assert match(short, long).tolist() == [0, 2, 3, -1]


def test_a_selection_goes_over_to_the_other_map_and_back():
    twin = np.array([0, 0, 2, -1])
    linked = Twins(np.zeros((4, 2), np.float32), twin)
    rows, origin = linked.there(np.array([0, 1]))
    assert (rows.tolist(), origin.tolist()) == ([0, 1], [0, 0])
    assert linked.here(np.array([1, 2, 3])).tolist() == [0, 2]
    assert linked.one(2) == 2
    assert linked.one(1) is None
