"""What a TensorFlow SavedModel says about itself, without TensorFlow.

::

    saved_model.pb                     the program: functions of operations, and its outputs
    variables/variables.index, .data-… the weights, see `explorer.encoders.formats.tensorbundle`
    assets/….csv                       class lists, where the publisher put them

Variables have no useful names of their own. Which is which stands in the object graph, which the
checkpoint carries: a tree of the exporter's attributes whose leaves are keys of the checkpoint.

Layouts: TensorFlow's core/protobuf/{saved_model,meta_graph,trackable_object_graph}.proto and
core/framework/{function,node_def,tensor}.proto.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from explorer.encoders.formats.protobuf import Message
from explorer.encoders.formats.tensorbundle import Bundle
from explorer.errors import EncoderError

PROGRAM = "saved_model.pb"
INDEX = "variables/variables.index"

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"
_ORDERED = re.compile(r"(?:^|.*/)_variables/(\d+)/\.ATTRIBUTES/VARIABLE_VALUE")
_FLOAT32 = 1
_LARGEST_CONSTANT = 1024  # numbers; larger ones are not looked at


@dataclass(frozen=True)
class Function:
    """One function of the program: how often each operation stands in it, its small constants.

    `constants` are those of float32 with up to 1,024 numbers.
    """

    name: str
    operations: Counter[str]
    constants: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Program:
    """What is known of a SavedModel's program.

    `outputs` are the sizes of the last axis of what `serving_default` returns, by name.
    """

    functions: tuple[Function, ...] = ()
    outputs: dict[str, int] = field(default_factory=dict)


def named_variables(bundle: Bundle, attribute: str) -> dict[str, str]:
    """Return the keys of the variables that hang below an attribute, by their path.

    Empty where the checkpoint has no such attribute: exporters of before 2024 kept the variables
    in a structure that TensorFlow does not follow.

    Example
    -------
    >>> named_variables(bundle, "_structured_variables")                # doctest: +SKIP
    {'batch_stats/encoder/Head_0/BatchNorm_0/mean': '_variables/0/.ATTRIBUTES/VARIABLE_VALUE', …}
    """
    if _OBJECT_GRAPH not in bundle.entries:
        return {}
    graphs = bundle.read_strings(_OBJECT_GRAPH)
    source = f"{bundle.index} ({_OBJECT_GRAPH})"
    nodes = Message(graphs[0] if graphs else b"", source).messages(1)
    for node in nodes:
        for child in node.messages(1):
            if child.text(2) == attribute:
                return dict(_leaves(nodes, child))
    return {}


def _leaves(nodes: list[Message], reference: Message) -> Iterator[tuple[str, str]]:
    """Yield path and key of each variable below a node."""
    left: list[tuple[tuple[str, ...], int]] = [((), reference.integer(1))]
    seen: set[int] = set()
    while left:
        path, number = left.pop()
        if number >= len(nodes) or number in seen:
            raise reference.damaged("its objects are not a tree")
        seen.add(number)
        for attribute in nodes[number].messages(2):
            if attribute.text(1) == _VALUE:
                yield "/".join(path), attribute.text(3)
        left += [((*path, child.text(2)), child.integer(1)) for child in nodes[number].messages(1)]


def ordered_variables(bundle: Bundle) -> list[str]:
    """Return the keys of the exporter's list of variables in its order: 2 before 10.

    Raises
    ------
    EncoderError
        A number in the order is missing.
    """
    keys = {int(found[1]): key for key in bundle.entries if (found := _ORDERED.fullmatch(key))}
    for number in range(len(keys)):
        if number not in keys:
            raise EncoderError(
                f"{bundle.index}: variable {number} is missing, though there are {len(keys)} others"
                ". The checkpoint is not whole: download it anew."
            )
    return [keys[number] for number in range(len(keys))]


def read_program(folder: Path) -> Program:
    """Read the program of a SavedModel; an empty one where there is no file of it.

    Raises
    ------
    EncoderError
        The file is damaged.
    """
    path = folder / PROGRAM
    if not path.is_file():
        return Program()
    graphs = Message(path.read_bytes(), str(path)).messages(2)
    functions: list[Function] = []
    outputs: dict[str, int] = {}
    for graph in graphs:
        functions += [_function(m) for m in graph.message(2).message(2).messages(1)]
        for signature, content in graph.mapping(5).items():
            if signature == "serving_default":
                outputs |= {name: _last_axis(info) for name, info in content.mapping(2).items()}
    return Program(tuple(functions), outputs)


def _function(message: Message) -> Function:
    nodes = message.messages(3)
    constants = [_constant(node) for node in nodes if node.text(2) == "Const"]
    return Function(
        name=message.message(1).text(1),
        operations=Counter(node.text(2) for node in nodes),
        constants=tuple(constant for constant in constants if constant is not None),
    )


def _constant(node: Message) -> np.ndarray | None:
    """Return a constant of float32, or None where it is of another type or large."""
    value = node.mapping(5).get("value")
    tensor = value.message(8) if value else None
    if tensor is None or tensor.integer(1) != _FLOAT32:
        return None
    shape = [dimension.integer(1) for dimension in tensor.message(2).messages(2)]
    count = math.prod(shape)
    if count > _LARGEST_CONSTANT:
        return None
    data = bytes(tensor.blob(4)) or tensor.joined(5)
    if len(data) % 4 or len(data) > 4 * count:
        raise node.damaged(f"the constant {node.text(1)} does not suit its shape")
    numbers = np.frombuffer(data, "<f4")
    # Numbers left out repeat the last one; without any, all are zero.
    missing = count - numbers.size
    return np.append(numbers, np.full(missing, numbers[-1] if numbers.size else 0, "<f4"))


def _last_axis(info: Message) -> int:
    """Return the size of an output's last axis; 0 where it is open or a single number."""
    sizes = [dimension.integer(1) for dimension in info.message(3).messages(2)]
    return sizes[-1] if sizes and sizes[-1] < 1 << 63 else 0  # -1, for open, reads as 2**64 - 1
