"""Opening sound files: what a file is by its content, not by its name or its header's claims.

libsndfile (through soundfile) reads WAV, FLAC, OGG, Opus, MP3, AIFF, W64, RF64, CAF and a dozen
rarer ones; PyAV (the extra ``av``) reads M4A, MP4 and what else ffmpeg knows. A file that cannot be
read ends in one :class:`Unreadable` whose cause is in plain words and ends with the cure.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from ..errors import AudioError
from . import riff

Samples = npt.NDArray[np.float32]


class Unreadable(AudioError):
    """A file with the name of a recording that cannot be read.

    ``kind`` says why in two or three words, for counting: "empty", "not audio", "damaged",
    "too short", "needs ffmpeg", "broken link", "not allowed", "format not known".
    """

    def __init__(self, path: str | os.PathLike[str], kind: str, cause: str) -> None:
        self.kind = kind
        super().__init__(path, cause)


class Sound(Protocol):
    """An open recording: frames are samples per channel."""

    path: Path
    frames: int
    sample_rate: int
    channels: int
    format: str
    comment: str
    artist: str
    seeks_exactly: bool
    notes: tuple[str, ...]

    def read(self, start: int, frames: int) -> Samples:
        """Return samples [frames, channels]; fewer at the end of the sound."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __enter__(self) -> Sound: ...
    def __exit__(self, *error: object) -> None: ...


class SndfileSound:
    """A recording that libsndfile reads."""

    def __init__(self, path: Path, file: soundfile.SoundFile, notes: tuple[str, ...] = ()) -> None:
        self.path = path
        self.notes = notes
        self._file = file
        self.frames = int(file.frames)
        self.sample_rate = int(file.samplerate)
        self.channels = int(file.channels)
        self.format = f"{file.format}/{file.subtype}"
        # Measured: libsndfile seeks to the sample in every format, but an MP3 decoder that starts
        # in the middle differs in the last bit from one that came from the beginning.
        self.seeks_exactly = file.format != "MP3"
        self._position = 0

    @property
    def comment(self) -> str:
        """The comment of the file's own metadata (ICMT in WAV, COMMENT in FLAC and OGG)."""
        return str(self._file.comment or "")

    @property
    def artist(self) -> str:
        """The artist of the file's own metadata; an AudioMoth writes its serial number there."""
        return str(self._file.artist or "")

    def read(self, start: int, frames: int) -> Samples:
        """Return samples [frames, channels]; fewer at the end of the sound."""
        try:
            if start != self._position:
                self._file.seek(start)
            samples = self._file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            at = start / self.sample_rate
            raise Unreadable(self.path, "damaged", f"it is damaged near {at:.1f} s") from error
        self._position = start + len(samples)
        return np.asarray(samples)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> SndfileSound:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Patched(io.RawIOBase):
    """A read-only file whose first bytes are replaced: a header put right without touching it."""

    def __init__(self, path: Path, head: bytes, skip: int) -> None:
        self._file = path.open("rb")  # noqa: SIM115 - closed with this object
        self._head = head
        self._skip = skip
        self._size = len(head) + self._file.seek(0, io.SEEK_END) - skip
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; as in :mod:`io`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where the next read starts."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read; as in :mod:`io`."""
        size = self._size - self._at if size < 0 else min(size, self._size - self._at)
        head = self._head[self._at : self._at + max(size, 0)]
        rest = b""
        if len(head) < size:
            self._file.seek(self._skip + max(self._at - len(self._head), 0))
            rest = self._file.read(size - len(head))
        self._at += len(head) + len(rest)
        return head + rest

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; as in :mod:`io`."""
        data = self.read(len(buffer))
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file underneath."""
        self._file.close()
        super().close()


def open_sound(path: str | os.PathLike[str]) -> Sound:
    """Open a recording of any known format.

    Raises
    ------
    Unreadable
        With a cause in plain words: empty, not audio, damaged, needs ffmpeg, not allowed.
    """
    path = Path(path)
    size, head = _look(path)
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise Unreadable(path, *_diagnose(path, head)) from error
    if file.frames == 0 and head[:4] in (b"RIFF", b"RIFX"):
        file.close()
        file = _open_streamed(path, size)
        note = ("its header gives no length (a streamed recording); all of the sound is read",)
        return SndfileSound(path, file, note)
    return SndfileSound(path, file)


def _look(path: Path) -> tuple[int, bytes]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError as error:
        raise Unreadable(path, "not there", "there is no such file") from error
    except PermissionError as error:
        cause = "reading it is not allowed; change its permissions"
        raise Unreadable(path, "not allowed", cause) from error
    except OSError as error:
        raise Unreadable(path, "not readable", f"{error.strerror or error}") from error
    if size == 0:
        raise Unreadable(path, "empty", "it is empty (0 bytes): the card was full or pulled")
    return size, head


def _open_streamed(path: Path, size: int) -> soundfile.SoundFile:
    with path.open("rb") as file:
        data = next((c for c in riff.chunks(file, size) if c.name == "data"), None)
        if data is None or data.size == 0 or data.announced:
            raise Unreadable(path, "empty", "it holds a header and no sound")
        file.seek(0)
        head = bytearray(file.read(data.offset))
    head[4:8] = struct.pack("<I", min(size - 8, 0xFFFFFFFF))
    head[-4:] = struct.pack("<I", min(data.size, 0xFFFFFFFF))
    patched = Patched(path, bytes(head), skip=len(head))
    try:
        return soundfile.SoundFile(patched)
    except (soundfile.SoundFileError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            patched.close()
        raise Unreadable(path, "damaged", "its header is damaged") from error


def _diagnose(path: Path, head: bytes) -> tuple[str, str]:
    return "not audio", "it is not a sound file that can be read here"
