"""Fixtures of the encoders' tests: a published model, and a cache with nothing in it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import perch_models
import pytest


@pytest.fixture(scope="session")
def parameters() -> dict[str, np.ndarray]:
    """The random parameters of `published`, by flax path."""
    return perch_models.tree()


@pytest.fixture(scope="session")
def published(parameters: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of SurfPerch as Kaggle gives it; not to be changed."""
    return perch_models.write_model(tmp_path_factory.mktemp("kaggle") / "model", parameters)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The encoders' folder in an empty cache, and no TensorFlow even where there is one."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    return tmp_path / "cache" / "encoders"
