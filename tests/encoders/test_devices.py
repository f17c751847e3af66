"""Devices: a GPU that is asked for is used or refused, and a CPU says why."""

from __future__ import annotations

import pytest
import torch

from explorer.encoders import devices
from explorer.errors import EncoderError, ParameterError


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    "cuda, mps, expected",
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_best_device(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert devices.choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_missing_gpu_is_refused_never_replaced_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pretend(monkeypatch, cuda=False, mps=False)
    with pytest.raises(EncoderError, match=name):
        devices.choose_device(name)


def test_a_second_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=True, mps=False)
    with pytest.raises(EncoderError, match="only 1"):
        devices.choose_device("cuda:1")


def test_nonsense_is_refused() -> None:
    with pytest.raises(ParameterError, match="abacus"):
        devices.choose_device("abacus")


def test_a_cpu_says_why_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=False, mps=False)
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    assert "no CUDA or MPS device found" in devices.describe_device("cpu")
    monkeypatch.setattr(devices.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in devices.describe_device("cpu")


def test_half_precision_is_for_gpus() -> None:
    assert devices.choose_precision("auto", torch.device("cpu")) == torch.float32
    assert devices.choose_precision("auto", torch.device("cuda")) == torch.float16
    assert devices.choose_precision("bfloat16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(ParameterError, match="int4"):
        devices.choose_precision("int4", torch.device("cpu"))  # type: ignore[arg-type]


def test_float32_on_a_gpu_is_not_rounded_to_tf32() -> None:
    before = torch.backends.cudnn.allow_tf32
    with devices.autocast(torch.device("cuda"), torch.float32):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
