"""What a SavedModel says of itself: names and order of its variables, its program's content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from savedmodel_files import (
    OBJECT_GRAPH,
    constant,
    exported,
    function,
    key,
    object_graph,
    protobuf,
    write_bundle,
    write_program,
)

from explorer.encoders.formats.savedmodel import (
    named_variables,
    ordered_variables,
    read_program,
)
from explorer.encoders.formats.tensorbundle import Bundle
from explorer.errors import EncoderError

ATTRIBUTE = "_structured_variables"


def small_tree() -> dict[str, np.ndarray]:
    return {
        f"{top}/encoder/MBConv_{i}/scale": np.full(2, i, "float32")
        for top in ("params", "batch_stats")
        for i in range(12)
    }


def test_variables_have_the_paths_of_the_exporters_tree(tmp_path: Path) -> None:
    bundle = Bundle(write_bundle(tmp_path, exported(small_tree())))
    named = named_variables(bundle, ATTRIBUTE)
    assert named.keys() == small_tree().keys()
    for path, array in small_tree().items():
        np.testing.assert_array_equal(bundle.read(named[path]), array)


def test_the_order_is_that_of_numbers_and_the_trees_is_that_of_text(tmp_path: Path) -> None:
    bundle = Bundle(write_bundle(tmp_path, exported(small_tree())))
    ordered = ordered_variables(bundle)
    assert ordered == [key(number) for number in range(24)]
    # batch_stats comes first, and in it MBConv_0, _1, _10, _11, _2
    assert [float(bundle.read(k)[0]) for k in ordered[:5]] == [0, 1, 10, 11, 2]


def test_a_bundle_saved_within_another_model_keeps_its_order(tmp_path: Path) -> None:
    arrays = {f"model/{name}": array for name, array in exported(small_tree()).items()}
    assert ordered_variables(Bundle(write_bundle(tmp_path, arrays)))[2] == f"model/{key(2)}"


def test_a_bundle_without_names_has_none(tmp_path: Path) -> None:
    unnamed = exported(small_tree(), names=False)
    assert named_variables(Bundle(write_bundle(tmp_path, unnamed)), ATTRIBUTE) == {}
    other = {OBJECT_GRAPH: [object_graph({"a": key(0)}, attribute="layers")]}
    assert named_variables(Bundle(write_bundle(tmp_path, unnamed | other)), ATTRIBUTE) == {}


def test_a_missing_number_in_the_order_is_named(tmp_path: Path) -> None:
    arrays = exported(small_tree(), names=False)
    del arrays[key(7)]
    with pytest.raises(EncoderError, match=r"variables\.index: variable 7 is missing"):
        ordered_variables(Bundle(write_bundle(tmp_path, arrays)))


@pytest.mark.parametrize("links", [{0: [1], 1: [0]}, {0: [1], 1: [2, 3], 2: [3]}, {0: [9]}])
def test_a_graph_of_objects_that_is_no_tree_is_refused(
    links: dict[int, list[int]], tmp_path: Path
) -> None:
    nodes = [
        protobuf({1: [protobuf({1: child, 2: ATTRIBUTE}) for child in links.get(n, [])]})
        for n in range(4)
    ]
    bundle = Bundle(write_bundle(tmp_path, {OBJECT_GRAPH: [protobuf({1: nodes})]}))
    with pytest.raises(EncoderError, match="not a tree"):
        named_variables(bundle, ATTRIBUTE)


# --- programs -------------------------------------------------------------------------------------


def test_functions_are_counted_and_their_small_constants_read(tmp_path: Path) -> None:
    taps = np.arange(256, dtype=np.float32)
    nodes = function("f", {"Exp": 3, "Conv2D": 2}, [taps, np.float32(0.01), np.zeros(5000)])
    write_program(tmp_path, [nodes, function("g", {}, [])], {"label": [-1, 37], "open": [-1]})
    program = read_program(tmp_path)
    assert [f.name for f in program.functions] == ["f", "g"]
    first = program.functions[0]
    assert first.operations == {"Exp": 3, "Conv2D": 2, "Const": 3}
    assert [c.tolist() for c in first.constants] == [taps.tolist(), [np.float32(0.01)]]
    assert program.outputs == {"label": 37, "open": 0}


@pytest.mark.parametrize(
    ("values", "expected"), [([7.0], [7, 7, 7]), ([1.0, 2.0], [1, 2, 2]), ([], [0, 0, 0])]
)
def test_values_that_a_constant_leaves_out_repeat_the_last(
    values: list[float], expected: list[int], tmp_path: Path
) -> None:
    node = constant(np.zeros(3), values)
    write_program(tmp_path, [protobuf({1: protobuf({1: "f"}), 3: node})])
    assert read_program(tmp_path).functions[0].constants[0].tolist() == expected


def test_a_folder_without_a_program_has_an_empty_one(tmp_path: Path) -> None:
    assert read_program(tmp_path).functions == ()


def test_a_damaged_program_is_named(tmp_path: Path) -> None:
    path = write_program(tmp_path, [function("f", {"Exp": 30}, [])])
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(EncoderError, match=r"saved_model\.pb: is damaged"):
        read_program(tmp_path)


# --- an export of TensorFlow's own ----------------------------------------------------------------


@pytest.mark.golden
def test_names_and_order_of_the_reference_export_agree(shared: Path) -> None:
    folder = shared / "parity" / "savedmodel"
    listed = json.loads((folder / "variable_map.json").read_text())
    bundle = Bundle(folder / "variables" / "variables.index")
    by_name = {v["flax_path"]: v["checkpoint_key"] for v in listed}
    assert named_variables(bundle, ATTRIBUTE) == by_name
    in_order = [by_name[path] for path in sorted(by_name, key=lambda path: path.split("/"))]
    assert ordered_variables(bundle) == in_order
