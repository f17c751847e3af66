"""Arrays and their description in one safetensors file; never pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from explorer.errors import FormatVersionError, ParameterError

KEY = "explorer"
"""The entry of the file's metadata that holds our JSON."""


def write(
    path: str | Path,
    tensors: Mapping[str, torch.Tensor],
    about: Mapping[str, Any],
    kind: str,
    version: int,
) -> None:
    """Write arrays and JSON under a temporary name, then rename: the file is whole or not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": kind, "version": version, **about})
    temporary = path.with_name(path.name + ".writing")
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(whole, temporary, metadata={KEY: text})
    temporary.replace(path)


def read(
    path: str | Path, kind: str, version: int
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `write` wrote.

    Raises
    ------
    ParameterError
        If the file is missing, damaged, or something else.
    FormatVersionError
        If its version is newer than ``version``.
    """
    with _opened(path) as (opened, about):
        check_version(str(path), about, kind, version)
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return tensors, about


def format_of(path: str | Path) -> str:
    """What a file that `write` wrote holds, without reading it all.

    Raises
    ------
    ParameterError
        If the file is missing or damaged.
    """
    with _opened(path) as (_, about):
        return str(about.get("format", "no format is named"))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """An open file and its JSON; a damaged one is named."""
    path = Path(path)
    if not path.exists():
        raise ParameterError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="pt") as opened:
            yield opened, json.loads((opened.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ParameterError(f"{path}: not a whole safetensors file ({error})") from error


def check_version(what: str, about: Mapping[str, Any], kind: str, version: int) -> None:
    """Refuse what is of another kind, or of a newer version than is known."""
    if about.get("format") != kind:
        raise ParameterError(f"{what}: this is no {kind}")
    if about["version"] > version:
        raise FormatVersionError(
            f"{what}: written in version {about['version']} of its format, and this program knows "
            f"versions up to {version}. Update with: pip install -U soundscape-explorer"
        )
