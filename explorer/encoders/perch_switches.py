"""Finding out from its program how a published SurfPerch or Perch 1.x was trained.

Perch's public code changed three things while the networks were trained: how PCEN weighs the past
(`smoothing`), the activation inside the blocks (`activation`) and PCEN's constants (`pcen`). With a
wrong one the embeddings look sound and are not. A program of plain TensorFlow operations shows all
three: the taps of the smoothing and the constants stand in it, and an activation is an operation.
Where a program does not show one clearly, it is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from explorer.encoders.formats.savedmodel import Function, Program
from explorer.encoders.frontends import PCEN, smoothing_taps
from explorer.encoders.perch_weights import Switches
from explorer.errors import EncoderError, ParameterError

CHOICES: dict[str, tuple[str, ...]] = {
    "smoothing": ("legacy", "fixed"),
    "activation": ("swish", "relu"),
    "pcen": tuple(PCEN),
}

_BLOCKS = 23  # of EfficientNet B1, each with one depthwise convolution
# Each block has a sigmoid in its attention; stem and head are swish. Inside the blocks there are
# 67 activations: 21 expansions, 23 depthwise convolutions, 23 attentions.
_SIGMOIDS = _BLOCKS + 2
_ACTIVATIONS = 67
_OTHERS = 8  # further uses of the same operations that are let pass (5 were seen)
_SIGMOID_OPERATIONS = ("Exp", "Sigmoid", "Logistic")
_RELU_OPERATIONS = ("Maximum", "Relu")


def find_switches(
    program: Program,
    source: str,
    *,
    smoothing: str | None = None,
    activation: str | None = None,
    pcen: str | None = None,
) -> Switches:
    """Return the three switches: what is given here, and the others from the program.

    Raises
    ------
    ParameterError
        A given one is unknown.
    EncoderError
        One that was not given does not show in the program; it is named. Or the program shows the
        front end of Perch before September 2023, which is another.
    """
    given = {"smoothing": smoothing, "activation": activation, "pcen": pcen}
    for name, choice in given.items():
        if choice is not None and choice not in CHOICES[name]:
            raise ParameterError(f"{name} {choice!r} is unknown. Use {' or '.join(CHOICES[name])}.")
    encoders = [f for f in program.functions if f.operations["DepthwiseConv2dNative"] >= _BLOCKS]
    if any(_has_older_front_end(f) for f in encoders):
        raise EncoderError(
            f"{source}: has the front end of Perch before September 2023, which is not supported. "
            "Take a newer version."
        )
    answers = {
        "smoothing": [_smoothing(f) for f in encoders],
        "activation": [_activation(f) for f in encoders],
        "pcen": [_pcen(f) for f in encoders],
    }
    found = {name: choice or _agreed(answers[name]) for name, choice in given.items()}
    open_ones = [name for name, choice in found.items() if choice is None]
    if open_ones:
        choices = ", ".join(f"{name}={'|'.join(CHOICES[name])}" for name in open_ones)
        raise EncoderError(
            f"{source}: {_why(program, encoders)}, so that how the network was trained cannot be "
            f"told: {' and '.join(open_ones)} not found. If you know it from the publisher, give "
            f"it ({choices}); a wrong one gives wrong embeddings."
        )
    return Switches(**found)  # type: ignore[arg-type]


def _agreed(answers: list[str | None]) -> str | None:
    """Return what all copies of the network in a program say."""
    return answers[0] if answers and len(set(answers)) == 1 else None


def _why(program: Program, encoders: list[Function]) -> str:
    if not program.functions:
        return "there is no program (saved_model.pb)"
    if encoders:
        return "the program does not show it clearly"
    if any(f.operations["XlaCallModule"] for f in program.functions):
        return "the program is compiled (XlaCallModule)"
    return "the program holds no EfficientNet B1 in plain operations"


def _has_older_front_end(function: Function) -> bool:
    """Look for the periodic Hann window; it is symmetric since."""
    periodic = np.hanning(641)[:-1]
    windows = [c / c.max() for c in function.constants if c.size == 640 and c.max() > 0]
    return any(np.allclose(window, periodic, atol=1e-4) for window in windows)


def _smoothing(function: Function) -> str | None:
    found = {smoothing for smoothing, _ in _kernels(function)}
    return found.pop() if len(found) == 1 else None


def _kernels(function: Function) -> Iterator[tuple[Literal["legacy", "fixed"], float]]:
    """Yield which smoothing each constant of 256 taps is, and its weight of the newest frame."""
    for taps in function.constants:
        newest = float(taps[-1]) if taps.size == 256 else 0.0
        if not 0 < newest < 1:
            continue
        for smoothing in ("legacy", "fixed"):
            if np.allclose(taps, smoothing_taps(newest, smoothing), rtol=1e-3, atol=1e-6):
                yield smoothing, newest


def _activation(function: Function) -> str | None:
    count = function.operations
    sigmoids = sum(count[name] for name in _SIGMOID_OPERATIONS)
    relus = sum(count[name] for name in _RELU_OPERATIONS)
    if sigmoids - _SIGMOIDS in range(_OTHERS + 1) and relus - _ACTIVATIONS in range(_OTHERS + 1):
        return "relu"
    if sigmoids - _SIGMOIDS - _ACTIVATIONS in range(_OTHERS + 1) and relus <= _OTHERS:
        return "swish"
    return None


def _pcen(function: Function) -> str | None:
    """Tell the constants: by bias and the root of the bias, and by the smoothing where it shows."""
    single = np.array([constant[0] for constant in function.constants if constant.size == 1])
    kernels = {newest for _, newest in _kernels(function)}
    found = [
        name
        for name, use in PCEN.items()
        if all(
            np.isclose(single, x, rtol=1e-4).any() for x in (use.bias, use.bias ** (1 / use.root))
        )
        and all(np.isclose(newest, use.smoothing, rtol=1e-4) for newest in kernels)
    ]
    return found[0] if len(found) == 1 else None
