"""Which device an encoder runs on, said in words.

A GPU that lies idle while a CPU works for a week is the most expensive silent fault there is, so
`describe_device` says not only what is used but, for a CPU, why nothing better is.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from explorer.errors import EncoderError, ParameterError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """Return the torch device to run on: CUDA, else Apple's MPS, else the CPU.

    A device that is asked for by name is used or refused; it is never replaced by another.

    Parameters
    ----------
    device:
        "auto", "cpu", "cuda" (or "cuda:1"), "mps".

    Raises
    ------
    EncoderError
        The device that was asked for is not there.
    ParameterError
        No such kind of device.

    Example
    -------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps") if torch.backends.mps.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ParameterError(
            f"device {device!r} is unknown. Use auto, cpu, cuda, cuda:1 … or mps."
        ) from error
    if chosen.type not in {"cpu", "cuda", "mps"}:
        raise ParameterError(f"device {device!r} is not supported. Use auto, cpu, cuda or mps.")
    if chosen.type == "cuda":
        _require_cuda(chosen)
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise EncoderError(
            "device mps was asked for, but this machine or this torch has none "
            "(it needs Apple silicon and macOS 12.3). Use device='auto'."
        )
    return chosen


def describe_device(device: str | torch.device) -> str:
    """Say in one line what a device is, and for a CPU why no GPU is used.

    Example
    -------
    >>> describe_device("cpu").startswith("CPU")
    True
    """
    chosen = torch.device(device)
    if chosen.type == "cuda":
        properties = torch.cuda.get_device_properties(chosen)
        return f"{properties.name} ({chosen}, {properties.total_memory / 2**30:.0f} GiB)"
    if chosen.type == "mps":
        return "Apple GPU (mps)"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads != 1)} ({_why_no_gpu()})"


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the number format for an encoder's body: half precision on a GPU, float32 on a CPU.

    float16 keeps three more bits than bfloat16 at the same speed. An encoder may rely on it only
    where its activations are bounded, as behind a normalised spectrogram.
    """
    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if precision == "float32":
        return torch.float32
    if precision not in _HALF:
        raise ParameterError(
            f"precision {precision!r} is unknown. Use auto, float32, bfloat16 or float16."
        )
    return _HALF[precision]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Run what is inside in `dtype` where that is safe; float32 means no autocast at all.

    On an NVIDIA GPU torch lets convolutions of float32 round as half precision does (TF32); whoever
    asks for float32 gets it.
    """
    if dtype != torch.float32:
        return torch.autocast(device.type, dtype=dtype)
    if device.type == "cuda":
        cudnn = torch.backends.cudnn
        return cudnn.flags(
            cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
        )
    return nullcontext()


def _require_cuda(device: torch.device) -> None:
    if not torch.cuda.is_available():
        raise EncoderError(f"device {device} was asked for, but {_why_no_gpu()}.")
    if device.index is not None and device.index >= torch.cuda.device_count():
        raise EncoderError(
            f"device {device} was asked for, but only {torch.cuda.device_count()} CUDA device(s) "
            "can be seen. Look at CUDA_VISIBLE_DEVICES and nvidia-smi."
        )


def _why_no_gpu() -> str:
    """Say why a GPU is not in use, with the cure where there is one."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return "a GPU is here but was not asked for"
    driver = shutil.which("nvidia-smi") is not None
    if driver and torch.version.cuda is None:
        return (
            f"an NVIDIA driver is here, but torch {torch.__version__} is built without CUDA: "
            "install a CUDA build from https://pytorch.org/get-started/locally"
        )
    if driver:
        return (
            f"an NVIDIA driver is here, but torch {torch.__version__} cannot use it: "
            "run `python -c 'import torch; torch.cuda.init()'` for the reason"
        )
    return "no CUDA or MPS device found"
