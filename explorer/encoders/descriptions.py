"""Your own encoder: an ONNX file and ten lines that describe it. No torch here.

A description is a TOML file that lies beside the ONNX file::

    name = "my_reef"                # how you call it from now on
    version = "1"                   # another number when you train it again
    model = "my_reef.onnx"          # the file: [batch, samples] to [batch, dimension]
    sample_rate = 32000             # Hz
    window_s = 3.0                  # seconds; samples = window_s * sample_rate
    dimension = 128                 # how many numbers an embedding has
    licence = "CC BY 4.0, A. Author"

and, where it is needed::

    input = "audio"                 # an input or output by name or by number from 0; each is the
    embedding = "features"          #   first one unless you say otherwise
    logits = "scores"               # an output with a score for each class, and
    labels = "classes.txt"          #   the names of the classes, one a line
    scores = "probabilities"        # where these have been through a sigmoid already
    normalise = { remove_mean = true, peak = 0.25 }    # what is done to each window first
    reference = "doi:10.1234/reef"

`explorer encoders add my_reef.toml` checks all of it, runs a window through the file and keeps it
with the other encoders; from then on `my_reef` works wherever a name of an encoder does. With
`load_description` it is used as it lies, without being added.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.encoders import installed, registry, weights
from explorer.encoders.normalise import Normalisation
from explorer.encoders.onnx_models import describe, try_out
from explorer.encoders.onnx_spec import OnnxSpec
from explorer.errors import EncoderError, ParameterError

if TYPE_CHECKING:
    from explorer.encoders.onnx import OnnxEncoder

_HOW = "explorer encoders add PATH/TO/DESCRIPTION.toml"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # safe as a name of a folder on every system


@dataclass(frozen=True)
class DescribedOnnx:
    """An encoder of one's own that was added here; a source for the registry."""

    name: str

    def info(self) -> registry.EncoderInfo:
        """Describe the encoder and say whether it is all there."""
        spec = read(_place_of(self.name))
        return describe(spec, installed.record(self.name) is not None, _HOW)

    def add(self, path: Path | None = None) -> str:
        """Add the encoder anew."""
        if path is None:
            raise ParameterError(f"{self.name}: say where its description is: {_HOW}.")
        return add_description(path)

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> OnnxEncoder:
        """Make the encoder ready to use, as it was added or from another description."""
        if path is None and installed.files_of(self.name) is None:
            raise EncoderError(f"{self.name}: some of its files are gone. Add it again: {_HOW}.")
        where = _place_of(self.name) if path is None else Path(path)
        return load_description(where, device=device, window_s=window_s)


def installed_descriptions() -> list[DescribedOnnx]:
    """Return the encoders of one's own that were added here, by name.

    Example
    -------
    >>> all(source.name for source in installed_descriptions())
    True
    """
    folders = weights.folder_of("any").parent
    return [
        DescribedOnnx(path.parent.name)
        for path in sorted(folders.glob("*/*.toml"))
        if path.stem == path.parent.name
    ]


def load_description(
    path: str | Path, *, device: str = "auto", window_s: float | None = None
) -> OnnxEncoder:
    """Load the encoder that a description describes.

    Parameters
    ----------
    path:
        The description; its other files lie beside it.
    device:
        "auto", "cpu" or "cuda".
    window_s:
        Another window than the described one, for files that take any.

    Raises
    ------
    EncoderError
        Something in the description is wrong, or the ONNX file is not what it says.

    Example
    -------
    >>> encoder = load_description("my_reef.toml")               # doctest: +SKIP
    >>> reef.embed(encoder)                                      # doctest: +SKIP
    """
    from explorer.encoders.onnx import open_encoder  # noqa: PLC0415

    path = Path(path)
    spec = read(path)
    model, labels = _files(path, spec)
    return open_encoder(spec, model, labels, device=device, window_s=window_s)


def add_description(path: str | Path) -> str:
    """Install the encoder that a description describes; return what was done.

    Parameters
    ----------
    path:
        The description; its other files lie beside it.

    Raises
    ------
    EncoderError
        The description or the file is wrong, the name is another encoder's, or name and version
        already stand for other embeddings.
    """
    path = Path(path)
    spec = read(path)
    model, labels = _files(path, spec)
    own = {source.name for source in installed_descriptions()}
    if spec.name in {"auto", *(info.name for info in registry.available())} - own:
        raise EncoderError(f"{path}: {spec.name} is another encoder here. Give yours another name.")
    _refuse_other_embeddings(path, spec, model)
    tried = try_out(spec, model, labels)
    files = {file.name: file for file in (model, *_weights_beside(model), labels) if file}
    installed.place(spec.name, {f"{spec.name}.toml": path, **files})
    return f"{spec.name} {spec.version} is added in {weights.folder_of(spec.name)}. {tried}"


def read(path: Path) -> OnnxSpec:
    """Read a description.

    Raises
    ------
    EncoderError
        Names the line or the field that is wrong, and what is needed there.
    """
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderError(f"{path}: the description cannot be read ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise EncoderError(f"{path}: is not a description in TOML: {error}.") from error
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        raise EncoderError(
            f"{path}: {', '.join(unknown)} is not known. A description may have: "
            f"{', '.join(_FIELDS)}."
        )
    for name, wanted in _FIELDS.items():
        if name not in fields:
            if wanted.needed:
                raise EncoderError(f"{path}: {name} is missing; {wanted.words} is needed.")
        elif not wanted.fits(fields[name]):
            raise EncoderError(f"{path}: {name} is {fields[name]!r}, but {wanted.words} is needed.")
    if ("logits" in fields) != ("labels" in fields):
        raise EncoderError(f"{path}: logits and labels go together; give both or neither.")
    normalisation = Normalisation(**fields.pop("normalise", {}))
    return OnnxSpec(**{"reference": "your own", **fields}, normalisation=normalisation)


def is_word(value: object) -> bool:
    """Say whether this can be the name or version of an encoder.

    Example
    -------
    >>> is_word("my_reef-2.1"), is_word("my reef"), is_word("../reef"), is_word(2)
    (True, False, False, False)
    """
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


@dataclass(frozen=True)
class _Field:
    """What may stand in a field of a description."""

    fits: Callable[[Any], bool]
    words: str
    needed: bool = False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_file(value: Any) -> bool:
    return _is_text(value) and Path(value).name == value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_port(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, int) and value >= 0 and value is not True)


def _is_normalisation(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= {"remove_mean", "peak"}
        and isinstance(value.get("remove_mean", False), bool)
        and _is_length(value.get("peak", 1.0))
    )


_PORT_WORDS = "a name in quotes, or a number from 0,"
_FIELDS = {
    "name": _Field(is_word, 'a word such as "my_reef" (letters, digits, - _ .)', needed=True),
    "version": _Field(is_word, 'a word in quotes such as "1"', needed=True),
    "model": _Field(_is_file, "the name of an ONNX file beside the description", needed=True),
    "sample_rate": _Field(_is_count, "a whole number of Hz such as 32000", needed=True),
    "window_s": _Field(_is_length, "a number of seconds such as 3.0", needed=True),
    "dimension": _Field(_is_count, "how many numbers an embedding has", needed=True),
    "licence": _Field(_is_text, 'text such as "CC BY 4.0, A. Author"', needed=True),
    "input": _Field(_is_port, _PORT_WORDS),
    "embedding": _Field(_is_port, _PORT_WORDS),
    "logits": _Field(_is_port, _PORT_WORDS),
    "labels": _Field(_is_file, "the name of a text file beside the description"),
    "scores": _Field(lambda value: value in ("logits", "probabilities"), "logits or probabilities"),
    "normalise": _Field(_is_normalisation, "{ remove_mean = true, peak = 0.25 } or a part of it"),
    "reference": _Field(_is_text, "text"),
}


def _place_of(name: str) -> Path:
    return weights.folder_of(name) / f"{name}.toml"


def _files(path: Path, spec: OnnxSpec) -> tuple[Path, Path | None]:
    """The files that a description names, beside it."""
    for name in filter(None, (spec.model, spec.labels)):
        if not path.with_name(name).is_file():
            raise EncoderError(f"{path.with_name(name)}: no such file. Put it beside {path.name}.")
    return path.with_name(spec.model), path.with_name(spec.labels) if spec.labels else None


def _weights_beside(model: Path) -> list[Path]:
    """Files that large models keep their weights in, such as `my_reef.onnx.data`."""
    names = (file for file in model.parent.iterdir() if file.name.startswith(model.name))
    return sorted(file for file in names if file != model and file.is_file())


def _refuse_other_embeddings(path: Path, spec: OnnxSpec, model: Path) -> None:
    """A name and version stand for one kind of embedding; two kinds must not be mixed."""
    digests = installed.record(spec.name)
    if digests is None:
        return
    before = read(_place_of(spec.name))
    free = ("model", "licence", "reference", "labels", "logits", "scores")
    changed = replace(before, **{name: getattr(spec, name) for name in free}) != spec
    if before.version == spec.version and (
        changed or digests[before.model] != weights.sha256_of(model)
    ):
        raise EncoderError(
            f"{path}: {spec.name} {spec.version} is here already and gives other embeddings, and "
            "collections may hold some. Give the description another version."
        )
