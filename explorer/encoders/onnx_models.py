"""BirdNET 3.0 and Perch 2: published ONNX files, what they declare, and how they come here.

Each file is pinned: the record or revision that it lies under, its size and its SHA-256. A file of
the same make but with another SHA-256 (another preview, half precision, a cut-down list of species)
can be added too; its embeddings are kept apart under a version of their own. No torch here.

BirdNET 3.0 gives probabilities; their logits are worked out from them, between -16 and 16, since
probabilities closer to 0 or 1 than 1e-7 are no longer told apart. Perch 2's logits are handed on as
perch-hoplite does, 0.97 x - 10, which makes a sigmoid of them a score between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.encoders import downloads, installed, weights
from explorer.encoders.downloads import RemoteFile
from explorer.encoders.normalise import PERCH
from explorer.encoders.onnx_spec import OnnxSpec, class_names, fit
from explorer.encoders.registry import EncoderInfo
from explorer.errors import EncoderError

if TYPE_CHECKING:
    from explorer.encoders.onnx import OnnxEncoder


@dataclass(frozen=True)
class PublishedOnnx:
    """An encoder whose ONNX file and class names someone has published.

    Attributes
    ----------
    spec:
        What is declared of it.
    model, labels:
        The files, as they are fetched.
    also:
        SHA-256 by name of other files that give the same embeddings.
    """

    spec: OnnxSpec
    model: RemoteFile
    labels: RemoteFile
    also: tuple[tuple[str, str], ...] = ()

    def info(self) -> EncoderInfo:
        """Describe the encoder and say whether it is installed."""
        digests = installed.record(self.spec.name)
        spec = self.spec if digests is None else self._version_of(digests[self._model_in(digests)])
        return describe(spec, digests is not None, self._how())

    def add(self, path: Path | None = None) -> str:
        """Install the encoder; return what was done.

        Parameters
        ----------
        path:
            The ONNX file, or its folder, with the file of class names beside it; None fetches both.

        Raises
        ------
        EncoderError
            The files could not be had, or are another encoder's.
        """
        name = self.spec.name
        if path is None:
            folder = weights.folder_of(name)
            model, labels = downloads.fetch(name, (self.model, self.labels), folder)
        else:
            model, labels = self._given(Path(path))
        spec = self._version_of(weights.sha256_of(model))
        tried = try_out(spec, model, labels)
        installed.place(name, {model.name: model, labels.name: labels})
        kept_apart = (
            f"\n{model.name} is not the published file; its embeddings are kept apart as version "
            f"{spec.version}."
            if spec.version != self.spec.version
            else ""
        )
        return f"{name} is added in {weights.folder_of(name)}. {tried}{kept_apart}"

    def load(
        self, *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
    ) -> OnnxEncoder:
        """Make the encoder ready to use, from `path` or as it was added.

        Raises
        ------
        EncoderError
            It is not installed, or has changed since.
        """
        from explorer.encoders.onnx import open_encoder  # noqa: PLC0415

        if path is not None:
            model, labels = self._given(Path(path))
            digest = weights.sha256_of(model)
        else:
            model, labels, digest = self._installed()
        spec = self._version_of(digest)
        return open_encoder(spec, model, labels, device=device, window_s=window_s)

    def _installed(self) -> tuple[Path, Path, str]:
        digests = installed.files_of(self.spec.name)
        if digests is None:
            by_hand = downloads.by_hand(self.spec.name, (self.model, self.labels))
            raise EncoderError(
                f"{self.spec.name} is not installed. Get it with: {self._how()}. Or without "
                f"internet: {by_hand}"
            )
        folder = weights.folder_of(self.spec.name)
        model = self._model_in(digests)
        return folder / model, folder / self.labels.name, digests[model]

    def _model_in(self, digests: dict[str, str]) -> str:
        return next(name for name in digests if name != self.labels.name)

    def _given(self, path: Path) -> tuple[Path, Path]:
        if path.is_dir():
            names = [self.model.name, *(name for name, _ in self.also)]
            there = [path / name for name in names if (path / name).is_file()]
            if not there:
                raise EncoderError(f"{path}: holds no {' or '.join(names)}.")
            path = there[0]
        if not path.is_file():
            raise EncoderError(f"{path}: no such file or folder.")
        labels = path.with_name(self.labels.name)
        if not labels.is_file():
            raise EncoderError(
                f"{labels}: no such file. Get it from {self.labels.page} and put it beside "
                f"{path.name}."
            )
        return path, labels

    def _version_of(self, digest: str) -> OnnxSpec:
        """Another file is another version: its embeddings are not comparable."""
        if digest in {self.model.sha256, *(known for _, known in self.also)}:
            return self.spec
        return replace(self.spec, version=f"{self.spec.version}-{digest[:8]}")

    def _how(self) -> str:
        size = (self.model.size + self.labels.size) / 1e6
        return f"explorer encoders add {self.spec.name} (fetches {size:.0f} MB)"


def describe(spec: OnnxSpec, available: bool, how_to_get: str) -> EncoderInfo:
    """Describe an encoder in an ONNX file; one without onnxruntime cannot be used."""
    if available and find_spec("onnxruntime") is None:
        available, how_to_get = False, 'pip install "soundscape-explorer[onnx]"'
    return EncoderInfo(
        name=spec.name,
        version=spec.version,
        sample_rate=spec.sample_rate,
        window_s=spec.window_s,
        dimension=spec.dimension,
        licence=spec.licence,
        available=available,
        how_to_get=how_to_get,
        reference=spec.reference,
    )


def try_out(spec: OnnxSpec, model: Path, labels: Path | None) -> str:
    """Check a file against what is declared, run a window through it, and say what was done.

    Raises
    ------
    EncoderError
        The file is not what is declared, or does not run.
    """
    logits = fit(spec, model).logits
    if labels is not None:
        class_names(spec, labels, logits.shape[1] if logits and logits.shape else None)
    if find_spec("onnxruntime") is None:
        return (
            "Its inputs and outputs are as declared. It was not run: onnxruntime is not installed "
            '(pip install "soundscape-explorer[onnx]").'
        )
    import torch  # noqa: PLC0415

    from explorer.encoders.onnx import OnnxClassifier, open_encoder  # noqa: PLC0415

    encoder = open_encoder(spec, model, labels, device="cpu")  # runs a window
    if isinstance(encoder, OnnxClassifier):
        encoder.logits(torch.zeros(1, round(spec.window_s * spec.sample_rate)))
    return "Its inputs and outputs are as declared, and it ran."


_ZENODO = "https://zenodo.org/records/20703646"
_PERCH_ONNX = "https://huggingface.co/justinchuby/Perch-onnx"
_PERCH = "https://huggingface.co/cgeorgiaw/Perch"

BIRDNET3 = PublishedOnnx(
    spec=OnnxSpec(
        name="birdnet3",
        version="3.0-preview3.1",
        model="BirdNET+_V3.0-preview3.1_Global_11K_FP32.onnx",
        sample_rate=32_000,
        window_s=3.0,
        dimension=1280,
        licence="CC BY-SA 4.0: name BirdNET, share alike; not for poaching or the military",
        embedding=1,
        logits=0,
        labels="BirdNET+_V3.0-preview3.1_Global_11K_Labels.csv",
        label_columns=("sci_name", "com_name"),
        scores="probabilities",
        reference="Lasseck et al. 2026, BirdNET+ V3.0 developer preview 3.1, "
        "doi:10.5281/zenodo.20703646",
    ),
    # Size and SHA-256 as the BirdNET team's package `birdnet` pins them.
    model=RemoteFile(
        name="BirdNET+_V3.0-preview3.1_Global_11K_FP32.onnx",
        url=f"{_ZENODO}/files/BirdNET%2B_V3.0-preview3.1_Global_11K_FP32.onnx?download=1",
        page=_ZENODO,
        size=541_598_502,
        sha256="999bb627e8954516d6a222eb76438b896fafc3791c2d10e72f02147ccd562c05",
    ),
    labels=RemoteFile(
        name="BirdNET+_V3.0-preview3.1_Global_11K_Labels.csv",
        url=f"{_ZENODO}/files/BirdNET%2B_V3.0-preview3.1_Global_11K_Labels.csv?download=1",
        page=_ZENODO,
        size=809_172,
        sha256="8124b0ea2d187104c5e2cd95a0f937165647e20349c8fd34d4d5ef991821f8f0",
    ),
)
"""BirdNET 3.0, a preview: 11,560 species, windows of any length."""

PERCH2 = PublishedOnnx(
    spec=OnnxSpec(
        name="perch2",
        version="2",
        model="perch_v2_no_dft.onnx",
        sample_rate=32_000,
        window_s=5.0,
        dimension=1536,
        licence="Apache-2.0",
        input="inputs",
        embedding="embedding",
        logits="label",
        labels="labels.csv",
        label_columns=("inat2024_fsd50k",),
        slope=0.97,
        offset=-10.0,
        normalisation=PERCH,
        reference="van Merriënboer et al. 2025, Perch 2.0, arXiv:2508.04665",
    ),
    # The Fourier transform as a product of matrices: the other file's DFT has no CUDA kernel. The
    # publisher gives its distance to the original as 2e-4, less than the half precision in which
    # embeddings are kept.
    model=RemoteFile(
        name="perch_v2_no_dft.onnx",
        url=f"{_PERCH_ONNX}/resolve/da88bf8c37c0b3068fc706fe509f633b9fbd28c1/perch_v2_no_dft.onnx",
        page=_PERCH_ONNX,
        size=413_350_933,
        sha256="4dcf71c18a147198545944bb5149697e89e3ad2e16637fa8f0edf6d13035a017",
    ),
    labels=RemoteFile(
        name="labels.csv",
        url=f"{_PERCH}/resolve/c3c3c816976a6c1bb75140b8fbaef7397a6f708f/assets/labels.csv",
        page=f"{_PERCH}/tree/main/assets",
        size=312_716,
        sha256="e4d5c0397d8fb08bf90c6b13a34810af53504faad927e472fcc567793c9de057",
    ),
    also=(
        (
            "perch_v2.onnx",
            "bf0c8467a924cb074663970ca4a0ab1e143602121930209657d0dff5d5cefa1f",
        ),
    ),
)
"""Perch 2: 14,795 classes, most of them species of birds, frogs, insects and mammals."""
