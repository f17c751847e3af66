"""Makes the collection in memory available to the tests of the dashboard."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def fake() -> Callable[..., Any]:
    """The class FakeCollection."""
    path = Path(__file__).with_name("fake_collection.py")
    spec = importlib.util.spec_from_file_location("fake_collection", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FakeCollection
