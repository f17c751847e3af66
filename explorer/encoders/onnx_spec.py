"""What is declared of an encoder in an ONNX file, and whether a file is that. No torch here.

An encoder in an ONNX file is a declaration (`OnnxSpec`: rate, window, dimension, which output is
what) and the file. `fit` compares the two and says everything that differs, so that a wrong file is
refused before a week of recordings has gone through it.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explorer.encoders.formats.onnx import Port, Signature, signature
from explorer.encoders.normalise import NONE, Normalisation
from explorer.errors import EncoderError, ParameterError

_FLOATS = ("float32", "float16", "float64")


@dataclass(frozen=True)
class OnnxSpec:
    """What an encoder in an ONNX file takes and gives.

    Attributes
    ----------
    name, version, sample_rate, window_s, dimension, licence:
        As of an `Encoder`; `window_s` is the default where the file takes windows of any length.
    model:
        Name of the ONNX file.
    input, embedding, logits:
        Inputs and outputs by name, or by number from 0. `input` takes `[batch, samples]`,
        `embedding` gives `[batch, dimension]`, `logits` `[batch, n_classes]` or None.
    labels:
        Name of the file of class names, in the order of `logits`.
    label_columns:
        Columns of it that make up a name; empty: each line is one.
    scores:
        What `logits` holds: numbers before a sigmoid, or probabilities behind one.
    slope, offset:
        What is made of each logit: `slope * x + offset`.
    normalisation:
        What is done to each window first.
    reference:
        Where the encoder is described.
    """

    name: str
    version: str
    model: str
    sample_rate: int
    window_s: float
    dimension: int
    licence: str
    input: str | int = 0
    embedding: str | int = 0
    logits: str | int | None = None
    labels: str | None = None
    label_columns: tuple[str, ...] = ()
    scores: Literal["logits", "probabilities"] = "logits"
    slope: float = 1.0
    offset: float = 0.0
    normalisation: Normalisation = NONE
    reference: str = ""


@dataclass(frozen=True)
class Fit:
    """A file that is what was declared: its input, its outputs, and what it leaves open.

    `batch` is None where any number of windows may go in at once; `window_s` is the one to use.
    """

    input: Port
    embedding: Port
    logits: Port | None
    batch: int | None
    window_s: float


def fit(spec: OnnxSpec, model: Path, window_s: float | None = None) -> Fit:
    """Compare a file with what is declared of it.

    Parameters
    ----------
    window_s:
        Another window than the declared one, for files that take any.

    Raises
    ------
    ParameterError
        `window_s` is no length.
    EncoderError
        Names everything that differs, and what the file has.
    """
    found = signature(model)
    wanted_s = spec.window_s if window_s is None else window_s
    if not (math.isfinite(wanted_s) and wanted_s * spec.sample_rate >= 1):
        raise ParameterError(f"{spec.name}: windows of {wanted_s} s hold no sound.")
    faults: list[str] = []
    into = _port(found.inputs, spec.input, "input", faults)
    embedding = _port(found.outputs, spec.embedding, "output", faults)
    logits = None
    if spec.logits is not None:
        logits = _port(found.outputs, spec.logits, "output", faults)
    if len(found.inputs) > 1:
        faults.append(f"it has {len(found.inputs)} inputs, and only one can be filled")
    _compare(into, round(wanted_s * spec.sample_rate), _windows(wanted_s, spec), faults)
    _compare(embedding, spec.dimension, f"dimension is {spec.dimension}", faults)
    _compare(logits, None, "", faults)
    if faults or into is None or embedding is None:
        raise EncoderError(
            f"{model}: is not what is declared of {spec.name}: {'; '.join(faults)}. "
            f"The file has {_listed(found)}. Give the file that is meant, or change what is "
            "declared."
        )
    batch = into.shape[0] if into.shape else None
    return Fit(into, embedding, logits, batch, wanted_s)


def class_names(spec: OnnxSpec, labels: Path, count: int | None = None) -> list[str]:
    """Read the names of an encoder's classes.

    Parameters
    ----------
    count:
        How many there must be; None where the file of the model leaves it open.

    Raises
    ------
    EncoderError
        The file is missing, has other columns, or another number of names.
    """
    try:
        text = labels.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderError(
            f"{labels}: the class names of {spec.name} cannot be read ({error}). Put {spec.labels} "
            f"beside {spec.model}."
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    names = _joined(spec, labels, lines) if spec.label_columns else lines
    if count is not None and len(names) != count:
        raise EncoderError(
            f"{labels}: has {len(names)} class names, but {spec.model} gives {count} scores. "
            "Take the file that came with the model."
        )
    return names


def _joined(spec: OnnxSpec, labels: Path, lines: list[str]) -> list[str]:
    """Names made up of columns of a table, joined by "_" as BirdNET writes them."""
    rows = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",")
    missing = set(spec.label_columns) - set(rows.fieldnames or ())
    if missing:
        raise EncoderError(
            f"{labels}: has no column {', '.join(sorted(missing))}. Take the file that came with "
            f"{spec.model}."
        )
    parts = ([(row[column] or "").strip() for column in spec.label_columns] for row in rows)
    return ["_".join(part for part in row if part) for row in parts]


def _port(ports: tuple[Port, ...], wanted: str | int, what: str, faults: list[str]) -> Port | None:
    if isinstance(wanted, int):
        if 0 <= wanted < len(ports):
            return ports[wanted]
        faults.append(f"it has {len(ports)} {what}s, none with number {wanted}")
        return None
    for port in ports:
        if port.name == wanted:
            return port
    faults.append(f"it has no {what} called {wanted}")
    return None


def _compare(port: Port | None, length: int | None, meant: str, faults: list[str]) -> None:
    """Note what is wrong with a port that should be floats `[any, length]`."""
    if port is None:
        return
    if port.kind not in _FLOATS:
        faults.append(f"{port.name} holds {port.kind}, not floats")
    if port.shape is None:
        return
    if len(port.shape) != 2:
        faults.append(f"{port.name} has {len(port.shape)} dimensions instead of 2")
    elif length is not None and port.shape[1] not in (None, length):
        faults.append(f"{port.name} is {port.shape[1]} long, but {meant}")


def _windows(window_s: float, spec: OnnxSpec) -> str:
    samples = round(window_s * spec.sample_rate)
    return f"windows of {window_s:g} s at {spec.sample_rate} Hz are {samples}"


def _listed(found: Signature) -> str:
    inputs = ", ".join(map(str, found.inputs)) or "nothing"
    return f"inputs {inputs} and outputs {', '.join(map(str, found.outputs))}"
