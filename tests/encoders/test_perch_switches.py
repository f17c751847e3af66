"""How a published network was trained, found in its program or asked for, never guessed."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import perch_models
import pytest
from savedmodel_files import function, write_program

from explorer.encoders.formats.savedmodel import read_program
from explorer.encoders.perch_switches import find_switches
from explorer.encoders.perch_weights import Switches
from explorer.errors import EncoderError, ParameterError

EVERY = list(product(("legacy", "fixed"), ("swish", "relu"), ("new", "bio", "basic")))


def found(folder: Path, *functions: bytes, **given: str) -> Switches:
    write_program(folder, functions)
    return find_switches(read_program(folder), "surfperch.tar.gz", **given)


def refusal(folder: Path, *functions: bytes, **given: str) -> str:
    with pytest.raises(EncoderError) as caught:
        found(folder, *functions, **given)
    return str(caught.value)


@pytest.mark.parametrize(("smoothing", "activation", "pcen"), EVERY)
def test_every_combination_is_found(
    smoothing: str, activation: str, pcen: str, tmp_path: Path
) -> None:
    copy = perch_models.network(activation, pcen, smoothing)
    wrapper = function("signature_wrapper", {"StatefulPartitionedCall": 1, "Exp": 1}, [])
    assert found(tmp_path, wrapper, copy, copy) == Switches(smoothing, activation, pcen)  # type: ignore[arg-type]


@pytest.mark.parametrize("operation", ["Sigmoid", "Logistic"])
def test_exports_with_other_names_for_a_sigmoid_are_understood(
    operation: str, tmp_path: Path
) -> None:
    swish = perch_models.network("swish", **{"Exp": 0, operation: 92})
    assert found(tmp_path, swish).activation == "swish"
    relu = perch_models.network("relu", **{"Exp": 0, operation: 25, "Maximum": 5, "Relu": 67})
    assert found(tmp_path, relu).activation == "relu"


@pytest.mark.parametrize("counts", [{"Exp": 58}, {"Exp": 25}, {"Maximum": 72}, {"Exp": 0}])
def test_operations_that_fit_neither_activation_are_not_guessed(
    counts: dict[str, int], tmp_path: Path
) -> None:
    message = refusal(tmp_path, perch_models.network("swish", **counts))
    assert "surfperch.tar.gz: the program does not show it clearly" in message
    assert "activation not found" in message
    assert "activation=swish|relu" in message


def test_copies_that_contradict_each_other_are_not_guessed(tmp_path: Path) -> None:
    copies = (perch_models.network("swish", "new"), perch_models.network("swish", "bio"))
    assert "pcen not found" in refusal(tmp_path, *copies)


def test_a_network_without_the_smoothing_as_a_constant_is_not_guessed(tmp_path: Path) -> None:
    operations = perch_models.OPERATIONS["relu"]
    scalars = [np.float32(x) for x in perch_models.SCALARS["bio"]]
    unlike = np.linspace(0, 0.01, 256)  # 256 numbers that are no smoothing
    message = refusal(tmp_path, function("f", operations, [*scalars, unlike]))
    assert "smoothing not found" in message
    assert "activation" not in message
    given = found(tmp_path, function("f", operations, scalars), smoothing="legacy")
    assert given == Switches("legacy", "relu", "bio")


def test_constants_that_contradict_the_smoothing_are_not_guessed(tmp_path: Path) -> None:
    constants = [perch_models.taps(0.145, "legacy"), *map(np.float32, perch_models.SCALARS["new"])]
    operations = perch_models.OPERATIONS["relu"]
    assert "pcen not found" in refusal(tmp_path, function("f", operations, constants))


def test_the_front_end_of_earlier_perch_is_refused(tmp_path: Path) -> None:
    window = np.hanning(641)[:-1]
    taps = perch_models.taps(0.01, "legacy")
    scalars = [np.float32(x) for x in perch_models.SCALARS["new"]]
    older = function("f", perch_models.OPERATIONS["swish"], [window / window.sum(), taps, *scalars])
    assert "front end of Perch before September 2023" in refusal(tmp_path, older)


def test_a_compiled_program_says_that_all_three_must_be_given(tmp_path: Path) -> None:
    compiled = function("__inference_<lambda>_1", {"XlaCallModule": 1}, [])
    message = refusal(tmp_path, compiled)
    assert "compiled (XlaCallModule)" in message
    assert "smoothing=legacy|fixed, activation=swish|relu, pcen=new|bio|basic" in message
    given = {"smoothing": "fixed", "activation": "relu", "pcen": "basic"}
    assert found(tmp_path, compiled, **given) == Switches("fixed", "relu", "basic")


def test_without_a_program_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"there is no program \(saved_model\.pb\)"):
        find_switches(read_program(tmp_path), "here")


def test_what_is_given_counts_more_than_what_is_found(tmp_path: Path) -> None:
    copy = perch_models.network("swish", "new", "legacy")
    assert found(tmp_path, copy, smoothing="fixed") == Switches("fixed", "swish", "new")


def test_an_unknown_choice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"activation .gelu. is unknown\. Use swish or relu"):
        found(tmp_path, perch_models.network(), activation="gelu")


@pytest.mark.golden
def test_the_facts_of_the_reference_exports_are_told_apart(shared: Path, tmp_path: Path) -> None:
    facts = json.loads((shared / "parity" / "savedmodel" / "graph_facts.json").read_text())
    kernels = facts["pcen_kernel_const"]
    for activation, operations in facts["per_function_op_counts"].items():
        for pcen in (n.removeprefix("pcen_") for n in facts["scalar_consts"] if "pcen_" in n):
            newest = perch_models.NEWEST[pcen]
            scalars = [np.float32(x) for x in facts["scalar_consts"][f"pcen_{pcen}"]]
            for smoothing in ("legacy", "fixed"):
                kernel = perch_models.taps(newest, smoothing)
                name = "sum_fixed" if smoothing == "fixed" else f"sum_legacy_s{newest}"
                assert kernel.sum() == pytest.approx(kernels[name], abs=1e-3)
                assert list(kernel.shape) == kernels["shape"]
                decoys = [np.float32(1e-5)] * 69 + [np.float32(1008), np.float32(15687)]
                copy = function("f", operations, [*decoys, kernel, *scalars])
                assert found(tmp_path, copy) == Switches(smoothing, activation, pcen)  # type: ignore[arg-type]
