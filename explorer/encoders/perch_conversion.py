"""From a published SavedModel to the arrays of `explorer.encoders.surfperch`, without TensorFlow.

The variables are named twice: by the exporter's tree of names, and by their place in its list,
which is the tree's order. Both must agree; an export that has no names is read by place. What is
found must be an EfficientNet B1 of Perch with its heads and nothing else, to the last shape.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from explorer.encoders import perch_check, weights
from explorer.encoders.efficientnet import check_shapes, flax_shapes
from explorer.encoders.formats.savedmodel import (
    INDEX,
    PROGRAM,
    Program,
    named_variables,
    ordered_variables,
    read_program,
)
from explorer.encoders.formats.tensorbundle import Bundle
from explorer.encoders.formats.unpacking import saved_model
from explorer.encoders.perch_switches import find_switches
from explorer.encoders.perch_weights import (
    DIMENSION,
    GENERATION,
    PERCH,
    SURFPERCH,
    Converted,
    Release,
    Switches,
    numbered,
)
from explorer.encoders.surfperch import HEADS
from explorer.errors import EncoderError

_HEAD = re.compile(r"params/Dense_(\d+)/kernel")
_NOT_HEADS = re.compile(r"embedding|frontend|output_\d+")  # other outputs; those of unnamed exports


def convert(
    path: Path,
    release: Release,
    *,
    check: bool,
    smoothing: str | None = None,
    activation: str | None = None,
    pcen: str | None = None,
) -> Converted:
    """Read a SavedModel's folder or archive.

    Parameters
    ----------
    path:
        The folder, or a .tar.gz, .tgz, .tar or .zip archive of it.
    release:
        Which model it should be.
    check:
        Compare it with the original in TensorFlow, where that is installed.
    smoothing, activation, pcen:
        How the network was trained, where its program does not show it.

    Raises
    ------
    EncoderError
        It is damaged, another model, does not show how it was trained, or fails the comparison.
    """
    with saved_model(path) as folder:
        bundle = Bundle(folder / INDEX)
        keys = _keys(bundle, path)
        shapes = {name: bundle.shape(key) for name, key in keys.items()}
        _check_tree(shapes, path)
        program = read_program(folder)
        class_names = _class_names(_head_sizes(shapes), program, _class_lists(folder), path)
        _check_release(class_names, release, path)
        switches = find_switches(
            program, str(path), smoothing=smoothing, activation=activation, pcen=pcen
        )
        parameters = {name: _array(bundle, name, key) for name, key in keys.items()}
        converted = Converted(
            name=release.name,
            version=_version(parameters, switches),
            switches=switches,
            parameters=parameters,
            class_names=class_names,
            source_sha256=digest_of(folder, bundle),
            self_check="not run",
        )
        return perch_check.checked(converted, folder, path) if check else converted


def _array(bundle: Bundle, name: str, key: str) -> np.ndarray:
    array = np.array(bundle.read(key), dtype=np.float32, order="C")
    if not np.isfinite(array).all():
        raise EncoderError(f"{bundle.index}: {name} holds values that are not numbers.")
    return array


def _check_tree(shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Refuse anything but an EfficientNet B1 of Perch with heads; they may be many and large."""
    expected = flax_shapes("b1")
    for head in range(sum(_HEAD.fullmatch(name) is not None for name in shapes)):
        classes = shapes.get(f"params/Dense_{head}/kernel", (0,))[-1:]
        expected[f"params/Dense_{head}/kernel"] = (DIMENSION, *classes)
        expected[f"params/Dense_{head}/bias"] = classes
    try:  # without content, as none is read before it is known to be right
        check_shapes(
            {name: np.broadcast_to(np.float32(), shape) for name, shape in shapes.items()},
            expected,
            "SurfPerch or Perch 1.x",
        )
    except EncoderError as error:
        raise EncoderError(f"{path}: {error}") from error


def _keys(bundle: Bundle, path: Path) -> dict[str, str]:
    """Return the checkpoint's key of each flax path."""
    named = named_variables(bundle, "_structured_variables")
    ordered = ordered_variables(bundle)
    if not named:
        names = _names_in_order(len(ordered), path)
        return dict(zip(names, ordered, strict=True))
    in_order = [named[name] for name in sorted(named, key=_by_level)]
    if ordered and in_order != ordered:
        pairs = zip(sorted(named, key=_by_level), in_order, ordered, strict=False)
        first = next((f"{n} is {a} by name, {b} by order" for n, a, b in pairs if a != b), None)
        raise EncoderError(
            f"{path}: names and order of its variables do not agree ("
            f"{first or f'{len(in_order)} names, {len(ordered)} variables'}). It is not an export "
            "of Perch's, or was saved anew in another order."
        )
    return named


def _by_level(name: str) -> list[str]:
    """Sort a tree as its exporter does: by the names at each level, as text."""
    return name.split("/")


def _names_in_order(count: int, path: Path) -> list[str]:
    """Name that many variables by their place alone; what is not the encoder's is heads."""
    encoder = flax_shapes("b1")
    heads, odd = divmod(count - len(encoder), 2)
    if heads < 0 or odd:
        raise EncoderError(
            f"{path}: its {count} variables have no names, and are not the {len(encoder)} of an "
            "EfficientNet B1 with two for each head. It is not SurfPerch or Perch 1.x."
        )
    dense = [f"params/Dense_{i}/{part}" for i in range(heads) for part in ("kernel", "bias")]
    return sorted([*encoder, *dense], key=_by_level)


def _head_sizes(shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    """Return how many classes Dense_0, Dense_1, … have."""
    found = {int(m[1]): s[1] for name, s in shapes.items() if (m := _HEAD.fullmatch(name))}
    return [found[number] for number in sorted(found)]


def _check_release(class_names: Mapping[str, list[str]], release: Release, path: Path) -> None:
    """Refuse Perch where SurfPerch is meant, and the reverse: only SurfPerch knows reefs."""
    if ("reef_label" in class_names) != (release is SURFPERCH):
        other = PERCH if release is SURFPERCH else SURFPERCH
        raise EncoderError(
            f"{path}: is not {release.title}: its heads are {', '.join(class_names)}. If it is "
            f"{other.title}, run: explorer encoders add {other.name} {path}"
        )


def _class_names(
    sizes: list[int], program: Program, lists: Mapping[str, list[str]], path: Path
) -> dict[str, list[str]]:
    """Return the classes of each head by its name; those of a head without a list are numbered."""
    outputs = {n: s for n, s in program.outputs.items() if s > 0 and not _NOT_HEADS.fullmatch(n)}
    known = outputs or {name: len(classes) for name, classes in lists.items()}
    class_names = {}
    for head, size in zip(_head_names(sizes, known, path), sizes, strict=True):
        class_names[head] = lists.get(head, numbered(head, size))
        if len(class_names[head]) != size:
            raise EncoderError(
                f"{path}: {head}.csv lists {len(lists[head])} classes, but the head has {size}. "
                "Take the class lists that came with the model."
            )
    return class_names


def _head_names(sizes: list[int], known: Mapping[str, int], path: Path) -> list[str]:
    """Name the heads as Perch orders them, as far as the known sizes allow, and else by size."""
    usual = [*HEADS, *(f"head_{i}" for i in range(len(HEADS), len(sizes)))]
    names = [n if known.get(n) == size else "" for n, size in zip(usual, sizes, strict=False)]
    for i, size in enumerate(sizes):
        if names[i]:
            continue
        fitting = [n for n, s in known.items() if s == size and n not in names]
        if len(fitting) == 1:
            names[i] = fitting[0]
        elif usual[i] not in known and not fitting:
            names[i] = usual[i]
        else:
            sizes_known = ", ".join(f"{n} {s}" for n, s in known.items())
            raise EncoderError(
                f"{path}: which head Dense_{i} with its {size} classes is, cannot be told; known "
                f"are {sizes_known}. The class lists (assets/….csv) or the program are not this "
                "model's: take the folder or archive as it was published."
            )
    return names


def _class_lists(folder: Path) -> dict[str, list[str]]:
    """Read the class lists: the first line names the taxonomy, each other begins with a class."""
    files = sorted(folder.glob("assets/*.csv"))
    if not files and folder.name == "savedmodel":  # as the exporter leaves it
        files = sorted(folder.parent.glob("*.csv"))
    lists = {}
    for path in files:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [row[0].strip() for row in csv.reader(file) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise EncoderError(f"{path}: is not a list of classes ({error}).") from error
        lists[path.stem] = rows[1:]
    return lists


def digest_of(folder: Path, bundle: Bundle) -> str:
    """Return the SHA-256 of what `sha256sum` says of the program, the index and the shards.

    Example
    -------
    ``sha256sum saved_model.pb variables/variables.index variables/variables.data-* | sha256sum``
    """
    files = [folder / PROGRAM, bundle.index, *bundle.shards]
    lines = [
        f"{weights.sha256_of(file)}  {file.relative_to(folder).as_posix()}\n"
        for file in files
        if file.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _version(parameters: Mapping[str, np.ndarray], switches: Switches) -> str:
    """Return a version that differs wherever embeddings do."""
    digest = hashlib.sha256(repr(switches).encode())
    for name in sorted(parameters):
        digest.update(name.encode())
        digest.update(parameters[name].tobytes())
    return f"{GENERATION}-{digest.hexdigest()[:8]}"
