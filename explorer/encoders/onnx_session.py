"""Where onnxruntime runs a file: on the GPU that was asked for, or on the CPU with the reason said.

onnxruntime comes in two packages: `onnxruntime` knows only the CPU, `onnxruntime-gpu` also CUDA.
Asked for a GPU it cannot use, it would quietly take the CPU; here that is an error, or with
"auto" said in the encoder's `device`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from explorer.encoders.devices import choose_device, describe_device
from explorer.errors import EncoderError, MissingDependencyError

_CUDA = "CUDAExecutionProvider"
_NEEDS = "https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#requirements"


def start(model: bytes, file: Path, device: str | torch.device) -> tuple[Any, torch.device, str]:
    """Open a model on a device.

    Parameters
    ----------
    model:
        The content of an ONNX file, or a part of it.
    file:
        Where it comes from; further files of weights lie beside it.
    device:
        "auto", "cpu", "cuda" or "cuda:1".

    Returns
    -------
    The session, the device that it runs on, and that device in words.

    Raises
    ------
    MissingDependencyError
        onnxruntime is not installed.
    EncoderError
        The device that was asked for cannot be used, or the model cannot be opened.
    """
    wanted = choose_device(device)
    why_not = _why_not(wanted)
    if why_not is None:
        session = reopen(model, file, wanted)
        if wanted.type == "cpu" or _CUDA in session.get_providers():
            return session, wanted, describe_device(wanted)
        why_not = f"onnxruntime's CUDA provider did not start; what it needs: {_NEEDS}"
    if str(device) != "auto":
        raise EncoderError(f"device {device} was asked for, but {why_not}. Or use device='cpu'.")
    threads = torch.get_num_threads()
    words = f"CPU, {threads} thread{'s' * (threads != 1)} (a GPU is here, but {why_not})"
    return reopen(model, file, torch.device("cpu")), torch.device("cpu"), words


def reopen(model: bytes, file: Path, device: torch.device) -> Any:
    """Open a model on a device that `start` has given."""
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = 1  # each of torch's threads runs windows of its own
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.fspath(file.parent)
    )
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda":
        settings = {
            "device_id": device.index or 0,
            # The default tries all algorithms anew for each size of batch, which takes seconds.
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",  # torch wants the rest
        }
        providers.insert(0, (_CUDA, settings))
    try:
        return ort.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no root of their own
        raise EncoderError(
            f"{file}: onnxruntime {ort.__version__} cannot open it ({error}). A newer onnxruntime "
            "may know more; else the file is damaged."
        ) from error


def _onnxruntime() -> Any:
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "onnx", "an encoder in an ONNX file") from error
    return onnxruntime


def _why_not(device: torch.device) -> str | None:
    """Say why onnxruntime cannot use a device that torch can; None where it can."""
    ort = _onnxruntime()
    if device.type == "mps":
        return "onnxruntime is used on CUDA and the CPU only, not on Apple's GPU"
    if device.type == "cuda" and _CUDA not in ort.get_available_providers():
        return (
            "the package onnxruntime knows only the CPU: pip uninstall onnxruntime, then "
            "pip install onnxruntime-gpu"
        )
    if device.type == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries as torch brought them
    return None
