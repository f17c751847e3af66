"""Encoders by name: what is listed, what is refused, what a plug-in can do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from explorer.encoders import registry
from explorer.encoders.base import Encoder, window_samples
from explorer.errors import EncoderError, ParameterError


def test_spectral_is_always_available_and_as_announced() -> None:
    info = {encoder.name: encoder for encoder in registry.available()}["spectral"]
    encoder = registry.load("spectral", device="cpu")
    assert info.available
    assert isinstance(encoder, Encoder)
    assert (info.version, info.sample_rate, info.window_s, info.dimension) == (
        encoder.version,
        encoder.sample_rate,
        encoder.window_s,
        encoder.dimension,
    )
    assert window_samples(encoder) == 96_000


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="spectral"):
        registry.load("parrot")


def test_listing_encoders_does_not_import_torch() -> None:
    code = (
        "import sys; from explorer.encoders import available; available();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plug_in_is_found_and_a_broken_one_is_listed_not_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = [
        EntryPoint("mine", "explorer.encoders.spectral_info", registry.GROUP),
        EntryPoint("broken", "no_such_package.encoder", registry.GROUP),
        EntryPoint("spectral", "no_such_package.impostor", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    listed = [(info.name, info.available) for info in registry.available()]
    assert ("spectral", True) in listed
    assert ("broken", False) in listed
    assert listed.count(("spectral", True)) == 2  # the built-in, and "mine" which describes it
    with pytest.raises(EncoderError, match="no_such_package"):
        registry.load("broken")
