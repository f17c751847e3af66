"""Where an encoder's weights come from, and whether they are those that were meant. No torch.

For the record that goes with a result: licence, reference, and the SHA-256 of every file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from explorer.encoders import birdnet_weights, installed, registry, weights
from explorer.errors import ExplorerError


@dataclass(frozen=True)
class Provenance:
    """What is known here of an encoder that embeddings were made with.

    Attributes
    ----------
    name, version
        Of the embeddings.
    licence, reference
        Of the weights; empty where the encoder is not known here.
    weights
        SHA-256 of its files, by name.
    note
        What cannot be told, and why; empty where all is.
    """

    name: str
    version: str
    licence: str = ""
    reference: str = ""
    weights: dict[str, str] = field(default_factory=dict)
    note: str = ""


def provenance(name: str, version: str) -> Provenance:
    """Look up an encoder by the name and version that embeddings were made with.

    >>> provenance("spectral", "1").note
    'It has no weights.'
    >>> provenance("my own", "3").licence
    ''
    """
    try:
        known = next((each for each in registry.available() if each.name == name), None)
        if known is None:
            return Provenance(name, version, note="This encoder is not installed here.")
        if known.version != version:
            note = f"Version {known.version} is installed here: its files are not told."
            return Provenance(name, version, known.licence, known.reference, note=note)
        files = _files(name)
    except (ExplorerError, OSError) as error:
        return Provenance(name, version, note=f"Its files could not be read: {error}")
    note = "" if files else "It has no weights." if name == "spectral" else "Its files are unknown."
    return Provenance(name, version, known.licence, known.reference, files, note)


def _files(name: str) -> dict[str, str]:
    recorded = installed.record(name)
    if recorded is not None:
        return recorded
    if name == birdnet_weights.NAME:
        model = birdnet_weights.find_model()
        return {model.name: weights.sha256_of(model)}
    converted = sorted(weights.folder_of(name).glob("*.safetensors"))
    return {path.name: weights.sha256_of(path) for path in converted}
