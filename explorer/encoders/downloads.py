"""Published files of weights: fetched whole and checked, or a message that says what to copy where.

A file is written to `NAME.part`, beside its place, and takes its name only when its size and
SHA-256 are right. A download that breaks off is taken up where it stopped, at once while anything
still comes, and otherwise the next time; what is wrong in the end is thrown away. Only https is
spoken (http with this machine alone, for tests).
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import groupby
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from explorer.errors import EncoderError

TIMEOUT_S = 60.0
"""How long a server may be silent."""

LARGEST_PAGE = 1 << 22
_BLOCK = 1 << 20
_HEADERS = {"User-Agent": "soundscape-explorer"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A file that someone has published.

    Attributes
    ----------
    name:
        What it is called there and here.
    url:
        Where it comes from: a pinned version, whose bytes never change.
    page:
        Where a person finds it.
    size:
        In bytes.
    sha256:
        Of the whole file, in hexadecimal digits; "" where only an MD5 is published.
    md5:
        The same, for servers that publish nothing better, as Zenodo does.
    """

    name: str
    url: str
    page: str
    size: int
    sha256: str
    md5: str = ""


def by_hand(encoder: str, files: Sequence[RemoteFile]) -> str:
    """Say how an encoder's files come here without internet.

    Example
    -------
    >>> files = [RemoteFile("owl.onnx", "", "https://example.org/owl", 2_000_000, "")]
    >>> for clause in by_hand("owl", files).split(", "):
    ...     print(clause)
    On a computer with internet get owl.onnx (2.0 MB) from https://example.org/owl
    copy it here
    and run: explorer encoders add owl PATH/owl.onnx
    """
    wanted = " and ".join(
        " and ".join(f"{file.name} ({_size(file.size)})" for file in same) + f" from {page}"
        for page, same in groupby(files, key=lambda file: file.page)
    )
    into = "into one folder here" if len(files) > 1 else "here"
    them = "them" if len(files) > 1 else "it"
    return (
        f"On a computer with internet get {wanted}, copy {them} {into}, "
        f"and run: explorer encoders add {encoder} PATH/{files[0].name}"
    )


def fetch(
    encoder: str, files: Sequence[RemoteFile], folder: Path, *, otherwise: str | None = None
) -> list[Path]:
    """Bring an encoder's files into a folder; what is there already is not fetched again.

    Parameters
    ----------
    encoder:
        Its name, for messages; a data set may be fetched just as well.
    files:
        In the order in which they are fetched and returned.
    otherwise:
        How the files come here without internet; None for `by_hand`.

    Raises
    ------
    EncoderError
        A file could not be had, or is not what was published; the message says how to bring the
        files here by hand.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "download.lock", timeout=0):
            return [_fetched(file, folder) for file in files]
    except Timeout as error:
        raise EncoderError(
            f"{folder}: another process is downloading {encoder}; wait for it or stop it."
        ) from error
    except (OSError, HTTPException, _Unfit) as error:
        raise EncoderError(
            f"{encoder} could not be downloaded: {_reason(error)}. Run the command again to go on "
            f"where it stopped. {otherwise or by_hand(encoder, files)}"
        ) from error


def read_page(url: str) -> bytes:
    """Read what a server says of its files, at most `LARGEST_PAGE` bytes.

    Raises
    ------
    EncoderError
        There is no answer, or it is no address that is spoken with.
    """
    try:
        _require_safe(url)
        request = urllib.request.Request(url, headers=_HEADERS)  # noqa: S310 - checked above
        with _opener().open(request, timeout=TIMEOUT_S) as answer:
            return cast("bytes", answer.read(LARGEST_PAGE))
    except (OSError, HTTPException, _Unfit) as error:
        raise EncoderError(f"{url} could not be read: {_reason(error)}") from error


class _Unfit(Exception):
    """What a server gave cannot be the file."""


def _fetched(file: RemoteFile, folder: Path) -> Path:
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.is_file() and _is(path, file):
        return path
    missing = file.size - _bytes_of(part)
    free = shutil.disk_usage(folder).free
    if free < missing:
        raise _Unfit(
            f"{folder} has {_size(free)} free, and {_size(missing)} are missing of {file.name} "
            "(EXPLORER_CACHE names another folder)"
        )
    while _bytes_of(part) < file.size:
        before = _bytes_of(part)
        try:
            _take_up(file, part)
        except (OSError, HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError)
            if refused or _bytes_of(part) <= before:
                raise  # or nothing comes any more
            _log.warning("%s: broke off (%s); going on", file.name, _reason(error))
        else:
            if _bytes_of(part) <= before:
                raise _Unfit(f"{file.url} ended after {_size(before)} of {_size(file.size)}")
    if not _is(part, file):
        part.unlink()
        raise _Unfit(f"{file.url} is not the published file: its size or {_kind(file)[0]} differs")
    part.replace(path)
    return path


def _take_up(file: RemoteFile, part: Path) -> None:
    """Append what is missing; begin again where the server knows only whole files."""
    from tqdm.auto import tqdm  # noqa: PLC0415 - half a second that listing encoders does not need

    there = _bytes_of(part)
    headers = dict(_HEADERS)
    if there:
        headers["Range"] = f"bytes={there}-"
    _require_safe(file.url)
    request = urllib.request.Request(file.url, headers=headers)  # noqa: S310 - checked above
    with cast("HTTPResponse", _opener().open(request, timeout=TIMEOUT_S)) as answer:
        goes_on = answer.status == 206
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
            raise _Unfit(f"{file.url} sent another part than was asked for")
        if answer.length not in (None, file.size - there * goes_on):
            raise _Unfit(f"{file.url} does not have the {file.size} bytes of the published file")
        with (
            part.open("ab" if goes_on else "wb") as out,
            tqdm(
                desc=file.name,
                total=file.size,
                initial=there if goes_on else 0,
                unit="B",
                unit_scale=True,
            ) as bar,
        ):
            while block := answer.read(_BLOCK):
                out.write(block)
                bar.update(len(block))
                if out.tell() > file.size:
                    return  # not the file; the check after this says so


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server's pointer elsewhere, as hubs give, but never to an open connection."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_SafeRedirects)


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not local:
        raise _Unfit(f"{url} is not an https address")


def _is(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    name, digest = _kind(file)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, name.replace("-", "")).hexdigest() == digest


def _kind(file: RemoteFile) -> tuple[str, str]:
    """What is known of the file's content: the name of the checksum, and the checksum."""
    return ("SHA-256", file.sha256) if file.sha256 else ("MD5", file.md5)


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{urlsplit(error.url).netloc} answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error) or type(error).__name__
