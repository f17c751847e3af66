"""SurfPerch's and Perch 1.x's weights: where they come from and lie. No torch here.

Both are published on Kaggle as TensorFlow SavedModels. One is converted once, by
`explorer encoders add surfperch PATH`, and from then on TensorFlow's files are not needed::

    <cache>/encoders/surfperch/surfperch.safetensors       arrays by flax path, and in its metadata:
        format, name, version, source_sha256, licence, self_check,
        smoothing, activation, pcen                         how the network was trained
        class_names                                         JSON: head -> its classes

How a SavedModel is read is in `explorer.encoders.perch_conversion`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from explorer.encoders import weights
from explorer.encoders.registry import EncoderInfo
from explorer.errors import (
    EncoderError,
    FormatVersionError,
    MissingDependencyError,
    ParameterError,
)

if TYPE_CHECKING:
    from explorer.encoders.efficientnet import Activation
    from explorer.encoders.frontends import PcenName, Smoothing
    from explorer.encoders.surfperch import PerchEncoder

Name = Literal["surfperch", "perch"]

SAMPLE_RATE = 32_000
WINDOW_S = 5.0
DIMENSION = 1280
GENERATION = "1"
LICENCE = "Apache-2.0"

_FORMAT = 1
_SUFFIX = ".safetensors"
_KAGGLE = "https://www.kaggle.com/models"


@dataclass(frozen=True)
class Switches:
    """What changed in Perch's code while its networks were trained; see `perch_switches`."""

    smoothing: Smoothing
    activation: Activation
    pcen: PcenName


@dataclass(frozen=True)
class Converted:
    """A published model, read.

    Attributes
    ----------
    name:
        "surfperch" or "perch".
    version:
        The generation and a few digits that differ wherever weights or switches do.
    switches:
        How the network was trained.
    parameters:
        float32 arrays by flax path, e.g. params/Dense_0/kernel.
    class_names:
        The classes of each head, in the order of the heads: Dense_0, Dense_1, …
    source_sha256:
        Of the files it was read from, see `perch_conversion.digest_of`.
    self_check:
        What came of comparing it with the original, in words.
    """

    name: Name
    version: str
    switches: Switches
    parameters: Mapping[str, np.ndarray]
    class_names: Mapping[str, list[str]]
    source_sha256: str
    self_check: str


@dataclass(frozen=True)
class Release:
    """One of the two published models: an encoder's `info`, `add` and `load`."""

    name: Name
    title: str
    handle: str
    reference: str

    def info(self) -> EncoderInfo:
        """Describe the encoder and say whether it was converted."""
        metadata = weights.describe(self.installed) or {}
        return EncoderInfo(
            name=self.name,
            version=metadata.get("version", GENERATION),
            sample_rate=SAMPLE_RATE,
            window_s=WINDOW_S,
            dimension=DIMENSION,
            licence=LICENCE,
            available=metadata.get("format") == str(_FORMAT),
            how_to_get=(
                f"explorer encoders add {self.name} PATH, with the folder or archive from "
                f"{self.page} as PATH; without PATH it is fetched from there"
            ),
            reference=self.reference,
        )

    @property
    def page(self) -> str:
        """Where a person downloads this very version."""
        return f"{_KAGGLE}/{self.handle}"

    @property
    def installed(self) -> Path:
        """Where the converted weights lie, or will."""
        return weights.folder_of(self.name) / (self.name + _SUFFIX)

    def add(
        self,
        path: Path | None = None,
        *,
        smoothing: str | None = None,
        activation: str | None = None,
        pcen: str | None = None,
    ) -> str:
        """Convert the published model and keep it; say in a few lines what was done.

        Parameters
        ----------
        path:
            The SavedModel's folder, an archive of it as Kaggle gives it, or an already converted
            file. None: it is fetched from Kaggle with the package kagglehub.
        smoothing, activation, pcen:
            How the network was trained, where its program does not show it; see `perch_switches`.

        Raises
        ------
        MissingDependencyError
            No path was given and kagglehub is not installed.
        EncoderError
            It could not be fetched, is damaged, is another model, does not show how it was trained,
            or gives other embeddings here than in TensorFlow.
        """
        switches = {"smoothing": smoothing, "activation": activation, "pcen": pcen}
        if path is not None and path.suffix == _SUFFIX:
            if any(switches.values()):
                raise ParameterError(
                    f"{path}: is converted already and says how the network was trained. Give the "
                    "SavedModel to convert it in another way."
                )
            converted = _read(self, path)
        else:
            source = path if path is not None else self._fetch()
            converted = _convert(source, self, check=True, **switches)
        _write(converted, self.installed)
        return self._summary(converted)

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> PerchEncoder:
        """Make the encoder ready to use; its window is 5 s and nothing else."""
        from explorer.encoders import surfperch  # noqa: PLC0415 - torch takes a second to load

        return surfperch.load(self.name, device=device, path=path, window_s=window_s)

    def _fetch(self) -> Path:
        try:
            hub = import_module("kagglehub")
        except ImportError as error:
            purpose = f"fetching {self.title} from Kaggle (or give the PATH of a copy)"
            raise MissingDependencyError("kagglehub", "kaggle", purpose) from error
        try:
            return Path(hub.model_download(self.handle))
        except Exception as error:  # no network, no such model, consent wanted: of many libraries
            raise EncoderError(
                f"{self.title} could not be fetched from Kaggle ({error}). Where there is "
                f"internet, download it from {self.page}, copy the archive here "
                f"and run: explorer encoders add {self.name} ARCHIVE"
            ) from error

    def _summary(self, converted: Converted) -> str:
        heads = ", ".join(f"{head} ({len(n)})" for head, n in converted.class_names.items())
        unlisted = [h for h, n in converted.class_names.items() if n == numbered(h, len(n))]
        note = f"; without a list of classes: {', '.join(unlisted)}" if unlisted else ""
        use = converted.switches
        return (
            f"{self.title} {converted.version} is ready: {self.installed}\n"
            f"Heads (classes): {heads}{note}\n"
            f"Trained with: smoothing {use.smoothing}, activation {use.activation}, "
            f"PCEN constants {use.pcen}\n"
            f"Self-check against the original: {converted.self_check}."
        )


SURFPERCH = Release(
    name="surfperch",
    title="SurfPerch",
    handle="google/surfperch/TensorFlow2/1",
    reference="Williams et al. 2024, doi:10.1098/rstb.2024.0280",
)
PERCH = Release(
    name="perch",
    title="Perch",
    handle="google/bird-vocalization-classifier/tensorFlow2/bird-vocalization-classifier/8",
    reference="Ghani et al. 2023, doi:10.1038/s41598-023-49989-z",
)
RELEASES = {release.name: release for release in (SURFPERCH, PERCH)}


def numbered(head: str, classes: int) -> list[str]:
    """Return names for the classes of a head that came without a list of them.

    Example
    -------
    >>> numbered("order", 2)
    ['order 0', 'order 1']
    """
    return [f"{head} {number}" for number in range(classes)]


def find(name: Name, path: str | Path | None = None) -> Converted:
    """Return the weights of an encoder.

    Parameters
    ----------
    name:
        "surfperch" or "perch".
    path:
        A converted file, or a SavedModel's folder or archive, which is then converted anew and not
        kept. None: what `explorer encoders add` kept.

    Raises
    ------
    EncoderError
        There are none, they are damaged, or they are another model's.
    FormatVersionError
        They were converted by a newer version of this program.
    """
    release = RELEASES[name]
    if path is None:
        if not release.installed.is_file():
            raise EncoderError(
                f"{name}: its weights are not on this machine yet. Run: "
                f"{release.info().how_to_get}."
            )
        return _read(release, release.installed)
    path = Path(path)
    if path.suffix == _SUFFIX:
        return _read(release, path)
    return _convert(path, release, check=False)


def _write(converted: Converted, path: Path) -> None:
    use = converted.switches
    metadata = {
        "format": str(_FORMAT),
        "name": converted.name,
        "version": converted.version,
        "smoothing": use.smoothing,
        "activation": use.activation,
        "pcen": use.pcen,
        "class_names": json.dumps(dict(converted.class_names), ensure_ascii=False),
        "source_sha256": converted.source_sha256,
        "self_check": converted.self_check,
        "licence": LICENCE,
    }
    try:
        weights.write(path, converted.parameters, metadata)
    except OSError as error:
        raise EncoderError(
            f"{path}: could not be written ({error}). Free space there, or let EXPLORER_CACHE name "
            "another folder."
        ) from error


def _read(release: Release, path: Path) -> Converted:
    cure = f"Convert it anew: {release.info().how_to_get}."
    if not path.is_file():
        raise EncoderError(f"{path}: no such file.")
    kept = weights.read(path)
    if kept is None:
        raise EncoderError(f"{path}: is damaged. {cure}")
    parameters, metadata = kept
    format = metadata.get("format", "")
    if format.isdecimal() and int(format) > _FORMAT:
        raise FormatVersionError(
            f"{path}: was converted by a newer version of this program (format {format}, known "
            f"here: {_FORMAT}). Update this program."
        )
    if metadata.get("name") != release.name:
        raise EncoderError(
            f"{path}: holds {metadata.get('name', 'something else')}, not {release.name}."
        )
    try:
        return Converted(
            name=release.name,
            version=metadata["version"],
            switches=Switches(
                metadata["smoothing"],  # type: ignore[arg-type]
                metadata["activation"],  # type: ignore[arg-type]
                metadata["pcen"],  # type: ignore[arg-type]
            ),
            parameters=parameters,
            class_names=json.loads(metadata["class_names"]),
            source_sha256=metadata["source_sha256"],
            self_check=metadata["self_check"],
        )
    except (KeyError, ValueError) as error:
        raise EncoderError(f"{path}: its description lacks something ({error}). {cure}") from error


def _convert(path: Path, release: Release, *, check: bool, **switches: str | None) -> Converted:
    from explorer.encoders.perch_conversion import convert  # noqa: PLC0415 (it needs torch)

    return convert(path, release, check=check, **switches)
