"""The demo's collection: from a checkout, and where only the package is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.collection import demo


def test_the_demo_uses_the_recordings_of_the_checkout(tmp_path: Path, repository: Path) -> None:
    opened = demo.open_demo(tmp_path / "demo.collection")
    assert Path(opened.recordings["path"].iloc[0]).parent == repository / "data" / "demo"
    assert opened.recordings["site"].nunique() == 4
    assert opened.left_out.empty


def test_without_a_checkout_the_demo_synthesises_the_same_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = demo.open_demo(tmp_path / "checkout.collection").recordings
    monkeypatch.setattr(demo, "DEMO_FILES", tmp_path / "not there")
    monkeypatch.setattr(demo.platformdirs, "user_data_path", lambda _: tmp_path / "user")
    made = demo.open_demo().recordings
    assert made["recording"].tolist() == checkout["recording"].tolist()
    assert made["duration_s"].tolist() == checkout["duration_s"].tolist()
