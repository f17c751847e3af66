"""The encoders that can be used here, by name.

They come from three places: this package; descriptions of ONNX files that the user has added (see
`explorer.encoders.descriptions`); and other packages, through the entry-point group
`explorer.encoders`. Each is a source with `info()` and `load(...)`, see `EncoderSource`, and where
weights must be fetched or converted first, `add(...)`. Nothing heavy is imported to list them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from explorer.errors import EncoderError, ParameterError

if TYPE_CHECKING:
    from explorer.encoders.base import Encoder

GROUP = "explorer.encoders"


@dataclass(frozen=True)
class EncoderInfo:
    """What a user needs to know before choosing an encoder.

    `window_s`, `sample_rate` and `dimension` are the defaults where an encoder leaves a choice.
    `how_to_get` is the cure where `available` is False.
    """

    name: str
    version: str
    sample_rate: int
    window_s: float
    dimension: int
    licence: str
    available: bool
    how_to_get: str
    reference: str


class EncoderSource(Protocol):
    """What an entry point of the group `explorer.encoders` points to: a module or an object.

    In a package's pyproject.toml::

        [project.entry-points."explorer.encoders"]
        my_encoder = "my_package.my_encoder"
    """

    def info(self) -> EncoderInfo:
        """Describe the encoder without loading it; must be quick."""
        ...

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> Encoder:
        """Make the encoder ready to use."""
        ...


@runtime_checkable
class InstallableSource(EncoderSource, Protocol):
    """A source whose encoder has to be installed before it can be used."""

    def add(self, path: Path | None = None, **settings: str | None) -> str:
        """Install the encoder from a file or folder, or fetch it; say what was done."""
        ...


_BUILT_IN = {
    "birdnet": "explorer.encoders.birdnet_weights",
    "birdnet3": "explorer.encoders.onnx_models:BIRDNET3",
    "surfperch": "explorer.encoders.perch_weights:SURFPERCH",
    "perch": "explorer.encoders.perch_weights:PERCH",
    "perch2": "explorer.encoders.onnx_models:PERCH2",
    "beats": "explorer.encoders.beats_info",
    "spectral": "explorer.encoders.spectral_info",
}
_PREFERENCE = ("birdnet", "spectral")  # what "auto" tries, best first


def available() -> list[EncoderInfo]:
    """Describe every encoder that is known here, those that cannot be used yet included.

    Example
    -------
    >>> "spectral" in [encoder.name for encoder in available() if encoder.available]
    True
    """
    return [_describe(name, source) for name, source in _sources().items()]


def load(
    name: str = "auto",
    *,
    device: str = "auto",
    path: str | Path | None = None,
    window_s: float | None = None,
) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name:
        One of `available()`, or "auto": BirdNET where its weights are found, else `spectral`.
    device:
        "auto", "cpu", "cuda", "mps"; see `explorer.encoders.devices.choose_device`.
    path:
        A file of weights, for encoders that take one.
    window_s:
        Window length in seconds, for encoders that leave a choice.

    Raises
    ------
    ParameterError
        No encoder of that name.
    EncoderError
        It is known but cannot be used here; the message says how to get it.

    Example
    -------
    >>> load("spectral", device="cpu").name
    'spectral'
    """
    if name == "auto":
        name = next(name for name in _PREFERENCE if _source(name).info().available)
    return _source(name).load(device=device, path=path, window_s=window_s)


def add(name: str, path: Path | None = None, **settings: str | None) -> str:
    """Install an encoder, and say in a few lines what was done.

    Parameters
    ----------
    name:
        One of `available()`; or the path of a description of your own, `my_reef.toml`.
    path:
        The weights as their authors publish them; None fetches them where that is possible.
    settings:
        What only this encoder knows, such as the switches of SurfPerch.

    Raises
    ------
    ParameterError
        No encoder of that name, or none that can be added, or a setting it does not know.
    EncoderError
        The weights could not be had, or are not what they should be.
    """
    from explorer.encoders import descriptions  # noqa: PLC0415 - it imports this module

    if name.endswith(".toml"):
        return descriptions.add_description(name)
    source = _source(name)
    given = {key: value for key, value in settings.items() if value is not None}
    if not isinstance(source, InstallableSource):
        raise ParameterError(f"{name} cannot be added: {source.info().how_to_get}.")
    try:
        return source.add(path, **given)
    except TypeError as error:
        if not given:
            raise
        raise ParameterError(f"{name} has no settings such as {', '.join(given)}.") from error


def _source(name: str) -> EncoderSource:
    sources = _sources()
    if name not in sources:
        raise ParameterError(f"encoder {name!r} is not known. Known here: {', '.join(sources)}.")
    source = sources[name]
    return source.resolve() if isinstance(source, _Point) else source


def _sources() -> dict[str, EncoderSource]:
    from explorer.encoders import descriptions  # noqa: PLC0415 - it imports this module

    found: dict[str, EncoderSource] = {
        name: _Point(EntryPoint(name, value, GROUP)) for name, value in _BUILT_IN.items()
    }
    for point in entry_points(group=GROUP):
        # A plug-in may add, but not quietly replace.
        found.setdefault(point.name, _Point(point))
    for described in descriptions.installed_descriptions():
        found.setdefault(described.name, described)
    return found


@dataclass(frozen=True)
class _Point:
    """A source by the name of its module or object, imported only when it is asked about."""

    point: EntryPoint

    def resolve(self) -> EncoderSource:
        try:
            return cast("EncoderSource", self.point.load())
        except Exception as error:  # a plug-in's import can fail in any way
            raise EncoderError(
                f"encoder {self.point.name!r} ({self.point.value}) could not be imported: {error}. "
                "Reinstall or uninstall the package that brings it."
            ) from error

    def info(self) -> EncoderInfo:
        return self.resolve().info()

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> Encoder:
        return self.resolve().load(device=device, path=path, window_s=window_s)


def _describe(name: str, source: EncoderSource) -> EncoderInfo:
    """Describe one source; a broken plug-in is listed as unavailable, not raised."""
    try:
        return source.info()
    except EncoderError as error:
        return EncoderInfo(name, "?", 0, 0.0, 0, "unknown", False, str(error), "")
