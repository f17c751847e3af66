"""The encoders that can be used here, by name.

Two come with the package. Others are found through the entry-point group `explorer.encoders`: each
entry point names an object with `info()` and `load(...)`, see `EncoderSource`. Nothing heavy is
imported to list what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

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


@dataclass(frozen=True)
class _BuiltIn:
    """A source in this package: `info` from a light module, `load` from the heavy one."""

    info_module: str
    load_module: str

    def info(self) -> EncoderInfo:
        return cast("EncoderSource", import_module(self.info_module)).info()

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> Encoder:
        source = cast("EncoderSource", import_module(self.load_module))
        return source.load(device=device, path=path, window_s=window_s)


_BUILT_IN: dict[str, _BuiltIn] = {
    "birdnet": _BuiltIn("explorer.encoders.birdnet_weights", "explorer.encoders.birdnet"),
    "spectral": _BuiltIn("explorer.encoders.spectral_info", "explorer.encoders.spectral"),
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
    sources = _sources()
    if name == "auto":
        name = next(n for n in _PREFERENCE if n in sources and sources[n].info().available)
    if name not in sources:
        raise ParameterError(f"encoder {name!r} is not known. Known here: {', '.join(sources)}.")
    return sources[name].load(device=device, path=path, window_s=window_s)


def _sources() -> dict[str, EncoderSource]:
    found: dict[str, EncoderSource] = dict(_BUILT_IN)
    for point in entry_points(group=GROUP):
        if point.name not in found:  # a plug-in may add, but not quietly replace
            found[point.name] = _PlugIn(point)
    return found


@dataclass(frozen=True)
class _PlugIn:
    """An entry point, imported only when it is asked about."""

    point: EntryPoint

    def _source(self) -> EncoderSource:
        try:
            return cast("EncoderSource", self.point.load())
        except Exception as error:  # a plug-in's import can fail in any way
            raise EncoderError(
                f"encoder {self.point.name!r} ({self.point.value}) could not be imported: {error}. "
                "Reinstall or uninstall the package that brings it."
            ) from error

    def info(self) -> EncoderInfo:
        return self._source().info()

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> Encoder:
        return self._source().load(device=device, path=path, window_s=window_s)


def _describe(name: str, source: EncoderSource) -> EncoderInfo:
    """Describe one source; a broken plug-in is listed as unavailable, not raised."""
    try:
        return source.info()
    except EncoderError as error:
        return EncoderInfo(name, "?", 0, 0.0, 0, "unknown", False, str(error), "")
