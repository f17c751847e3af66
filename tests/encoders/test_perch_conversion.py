"""Which model a SavedModel holds: every variable, head and class, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perch_models
import pytest
from perch_models import HEADS, PERCH_HEADS, beside, refusal
from savedmodel_files import exported, function, key, object_graph, write_bundle, write_program

from explorer.encoders.perch_weights import PERCH, SURFPERCH, Switches, find

pytestmark = pytest.mark.usefixtures("cache")


# --- which model it is ----------------------------------------------------------------------------


def test_older_exports_without_names_are_read_by_order(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    older = beside(published, tmp_path / "older", parameters, names=False)
    found = find("surfperch", older)
    for name, array in parameters.items():
        np.testing.assert_array_equal(found.parameters[name], array)


def test_weights_in_shards_and_half_precision_are_read(
    parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    halves = {name: array.astype("float16") for name, array in parameters.items()}
    found = find("surfperch", perch_models.write_model(tmp_path / "model", halves, shards=4))
    for name, array in halves.items():
        assert found.parameters[name].dtype == np.float32
        np.testing.assert_array_equal(found.parameters[name], array)


class Hollow(np.ndarray):
    """An array that has a shape and is written without content: a refused tree is not read."""

    def tobytes(self, order: Any = "C") -> bytes:
        return b""


def hollow(shape: tuple[int, ...] = (3,)) -> np.ndarray:
    return np.broadcast_to(np.float32(), shape).view(Hollow)


@pytest.fixture(scope="module")
def hollow_tree(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: hollow(array.shape) for name, array in parameters.items()}


@pytest.mark.parametrize("names", [True, False])
def test_a_missing_variable_is_named(
    names: bool, published: Path, hollow_tree: dict[str, np.ndarray], tmp_path: Path
) -> None:
    arrays = exported(hollow_tree, names=names)
    del arrays[key(100)]
    folder = beside(published, tmp_path / "model", {})
    write_bundle(folder / "variables", arrays)  # type: ignore[arg-type]
    message = refusal(lambda: find("surfperch", folder))
    assert "variables.index" in message
    assert ("variable 100 is missing") in message


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"params/frontend/smoothing": (128,)}, "params/frontend/smoothing does not belong"),
        ({"params/encoder/MBConv_23/ProjectConv/kernel": (3, 3)}, "MBConv_23/ProjectConv/kernel"),
        ({"params/Dense_1/kernel": (1536, 5)}, "Dense_1/kernel is [1536, 5] and should be [1280"),
        ({"params/Dense_1/bias": (6,)}, "params/Dense_1/bias is [6] and should be [5]"),
        ({"params/Dense_8/kernel": (1280, 5)}, "params/Dense_6/kernel is missing"),
        (
            {"params/encoder/Stem_0/Conv_0/kernel": (3, 3, 1, 40)},
            "params/encoder/Stem_0/Conv_0/kernel is [3, 3, 1, 40] and should be [3, 3, 1, 32]",
        ),
        ({"batch_stats/encoder/Head_0/BatchNorm_0/mean": None}, "BatchNorm_0/mean is missing"),
    ],
)
def test_another_tree_is_refused_with_what_differs(
    change: dict[str, tuple[int, ...] | None],
    cause: str,
    published: Path,
    hollow_tree: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    tree = hollow_tree | {name: hollow(shape or ()) for name, shape in change.items()}
    tree = {name: array for name, array in tree.items() if change.get(name, ()) is not None}
    folder = beside(published, tmp_path / "other", tree)
    message = refusal(lambda: find("surfperch", folder))
    assert str(folder) in message
    assert cause in message


def test_names_and_order_that_do_not_agree_are_refused(
    published: Path, hollow_tree: dict[str, np.ndarray], tmp_path: Path
) -> None:
    order = sorted(hollow_tree, key=lambda path: path.split("/"))
    keys = {path: key(number) for number, path in enumerate(order)}
    one, other = "params/Dense_0/bias", "params/Dense_1/bias"
    keys[one], keys[other] = keys[other], keys[one]
    arrays = exported(hollow_tree) | {"_CHECKPOINTABLE_OBJECT_GRAPH": [object_graph(keys)]}
    folder = beside(published, tmp_path / "swapped", {})
    write_bundle(folder / "variables", arrays)  # type: ignore[arg-type]
    message = refusal(lambda: find("surfperch", folder))
    assert f"do not agree ({one} is {keys[one]} by name, {keys[other]} by order)" in message


def test_other_models_without_names_are_refused(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "other", {"a": hollow(), "b": hollow()}, names=False)
    assert "its 2 variables have no names, and are not the 437" in refusal(
        lambda: find("surfperch", folder)
    )


def test_perch_is_not_taken_for_surfperch_nor_the_reverse(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    message = refusal(lambda: PERCH.add(published))
    assert f"explorer encoders add surfperch {published}" in message
    of_perch = {n: a for n, a in parameters.items() if "Dense_4" not in n and "Dense_5" not in n}
    perch = beside(published, tmp_path / "perch", of_perch, PERCH_HEADS)
    assert "is not SurfPerch" in refusal(lambda: SURFPERCH.add(perch))
    PERCH.add(perch)
    assert list(find("perch").class_names) == list(PERCH_HEADS)


def test_values_that_are_not_numbers_are_refused(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    broken = parameters | {"params/Dense_0/bias": np.full(6, np.nan, "float32")}
    folder = beside(published, tmp_path / "broken", broken)
    assert "Dense_0/bias holds values that are not" in refusal(lambda: find("surfperch", folder))


# --- heads and their classes ----------------------------------------------------------------------


@pytest.fixture
def more_heads(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> Callable[[dict[str, int]], Path]:
    """Add heads to the published model."""

    def write(more: dict[str, int]) -> Path:
        heads = HEADS | more
        extra = {
            name: np.zeros(s, "float32") for name, s in perch_models.head_shapes(heads).items()
        }
        return beside(published, tmp_path / "more", extra | parameters, heads)

    return write


def test_a_further_head_is_a_head_with_its_name_from_the_program(
    more_heads: Callable[[dict[str, int]], Path],
) -> None:
    found = find("surfperch", more_heads({"whale_label": 9}))
    assert list(found.class_names) == [*HEADS, "whale_label"]
    assert found.class_names["whale_label"][8] == "whale_label of kind 8"
    assert found.parameters["params/Dense_6/kernel"].shape == (1280, 9)


def test_heads_that_could_be_one_another_are_not_guessed(
    more_heads: Callable[[dict[str, int]], Path],
) -> None:
    folder = more_heads({"whale_label": 9, "seal_label": 9})
    message = refusal(lambda: find("surfperch", folder))
    assert "which head Dense_6 with its 9 classes is, cannot be told" in message


def test_heads_in_another_order_are_told_by_their_sizes(published: Path, tmp_path: Path) -> None:
    order = ["reef_label", "label", "genus", "family", "order", "fsd50k_label"]
    tree = perch_models.tree({head: HEADS[head] for head in order})
    found = find("surfperch", beside(published, tmp_path / "reordered", tree))
    assert list(found.class_names) == order
    assert {head: len(names) for head, names in found.class_names.items()} == HEADS


def test_without_outputs_the_class_lists_tell_the_heads(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "older")
    write_program(folder, [perch_models.network()], {"output_0": [-1, 6], "output_1": [-1, 1280]})
    assert list(find("surfperch", folder).class_names) == list(HEADS)


def test_a_head_without_a_class_list_has_numbered_classes(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "listless")
    (folder / "assets" / "order.csv").unlink()
    found = find("surfperch", folder)
    assert found.class_names["order"] == ["order 0", "order 1", "order 2"]
    assert "without a list of classes: order\n" in SURFPERCH.add(folder)


def test_a_class_list_of_another_length_is_refused(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "other")
    with (folder / "assets" / "reef_label.csv").open("a") as file:
        file.write("one more\n")
    message = refusal(lambda: find("surfperch", folder))
    assert "reef_label.csv lists 8 classes, but the head has 7" in message


def test_class_lists_keep_letters_commas_and_quotes(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "letters")
    lines = ['"all_reefs"', '"grunt, long",x', "Früh", "", " spaced ", 'a "quote"', "é", "f", "g"]
    (folder / "assets" / "reef_label.csv").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    SURFPERCH.add(folder)
    expected = ["grunt, long", "Früh", "spaced", 'a "quote"', "é", "f", "g"]
    assert find("surfperch").class_names["reef_label"] == expected


# --- how it was trained ---------------------------------------------------------------------------


def test_what_the_program_does_not_show_is_asked_for(published: Path, tmp_path: Path) -> None:
    folder = beside(published, tmp_path / "compiled")
    write_program(folder, [function("f", {"XlaCallModule": 1}, [])], perch_models.outputs(HEADS))
    message = refusal(lambda: SURFPERCH.add(folder))
    assert "smoothing and activation and pcen not found" in message
    assert not SURFPERCH.info().available
    SURFPERCH.add(folder, smoothing="legacy", activation="relu", pcen="bio")
    assert find("surfperch").switches == Switches("legacy", "relu", "bio")
