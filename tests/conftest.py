"""Fixtures for all tests: the folder of shared recordings and golden numbers, the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared fixtures (EXPLORER_SHARED, default ../shared); skips where they are absent."""
    folder = Path(os.environ.get("EXPLORER_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the folder of shared fixtures is absent ({folder}); set EXPLORER_SHARED")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this repository."""
    return REPOSITORY
