"""Opening sound files: what a file is by its content, not by its name or its header's claims.

libsndfile (through soundfile) reads WAV, FLAC, OGG, Opus, MP3, AIFF, W64, RF64, CAF and a dozen
rarer ones; PyAV (the extra ``av``) reads M4A, MP4 and what else ffmpeg knows. ``frames`` is always
what can be read: a WAV header without a length, an MP3 without one and a FLAC file that was cut
short are seen through. A file that cannot be read ends in one :class:`Unreadable` whose cause is in
plain words and ends with the cure.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from ..errors import MissingDependencyError
from . import ffmpeg, mpeg, riff
from .faults import Unreadable, diagnose, look

Samples = npt.NDArray[np.float32]

_STEP = 4096
_BLOCK = 1 << 16
_SNDFILE_ERRORS = (soundfile.SoundFileError, RuntimeError, OSError)


class Sound(Protocol):
    """An open recording; a frame is one sample of every channel."""

    path: Path
    frames: int
    sample_rate: int
    channels: int
    format: str
    notes: tuple[str, ...]
    chunks: tuple[riff.Chunk, ...]

    @property
    def comment(self) -> str:
        """The comment in the file's own metadata."""

    @property
    def artist(self) -> str:
        """The artist in the file's own metadata; AudioMoths write their serial number there."""

    def read(self, start: int, frames: int) -> Samples:
        """Return samples [frames, channels]; fewer at the end of the sound."""

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Sound: ...
    def __exit__(self, *error: object) -> None: ...


class SndfileSound:
    """A recording that libsndfile reads."""

    def __init__(
        self,
        path: Path,
        file: soundfile.SoundFile,
        *,
        sequential: bool = False,
        notes: tuple[str, ...] = (),
        chunks: tuple[riff.Chunk, ...] = (),
    ) -> None:
        self.path = path
        self.notes = notes
        self.chunks = chunks
        self._file = file
        self.frames = int(file.frames)
        self.sample_rate = int(file.samplerate)
        self.channels = int(file.channels)
        self.format = f"{file.format}/{file.subtype}"
        # Measured: libsndfile seeks to the sample in every format, but what its MP3 decoder gives
        # differs in the last bits with where it started and how much it was asked for at a time.
        self._in_blocks = sequential and file.format == "MP3"
        self._block_start, self._block = 0, np.zeros((0, self.channels), dtype=np.float32)
        self._position = 0

    @property
    def comment(self) -> str:
        """The comment in the file's own metadata (ICMT in WAV, COMMENT in FLAC and OGG)."""
        return str(self._file.comment or "")

    @property
    def artist(self) -> str:
        """The artist in the file's own metadata; AudioMoths write their serial number there."""
        return str(self._file.artist or "")

    def read(self, start: int, frames: int) -> Samples:
        """Return samples [frames, channels]; fewer at the end of the sound."""
        wanted = max(0, min(frames, self.frames - start))
        try:
            take = self._in_fixed_blocks if self._in_blocks else self._at_once
            return take(start, wanted)
        except _SNDFILE_ERRORS as error:
            at = start / self.sample_rate
            cause = f"it is damaged between {at:.1f} and {at + frames / self.sample_rate:.1f} s"
            raise Unreadable(self.path, "damaged", cause) from error

    def _at_once(self, start: int, frames: int) -> Samples:
        if start != self._position:
            self._file.seek(start)
        samples = np.asarray(self._file.read(frames, dtype="float32", always_2d=True))
        self._position = start + len(samples)
        return samples

    def _in_fixed_blocks(self, start: int, frames: int) -> Samples:
        """Decode from the beginning, always in the same blocks, and cut the samples out."""
        if start < self._block_start:
            self._file.seek(0)
            self._position, self._block_start, self._block = 0, 0, self._block[:0]
        pieces = []
        while True:
            piece = self._block[max(0, start - self._block_start) :][:frames]
            pieces.append(piece)
            start, frames = start + len(piece), frames - len(piece)
            if frames == 0:
                return np.concatenate(pieces)
            self._block_start = self._position
            self._block = self._at_once(self._position, _BLOCK)
            if not len(self._block):
                return np.concatenate(pieces)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> SndfileSound:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_decoded_from_start(format: str) -> bool:
    """Whether a place in the middle of a recording is reached by decoding all that is before it.

    >>> is_decoded_from_start("WAV/PCM_16"), is_decoded_from_start("MP3/MPEG_LAYER_III")
    (False, True)
    """
    kind = format.partition("/")[0]
    return kind == "MP3" or kind not in soundfile.available_formats()


def open_sound(path: str | os.PathLike[str], *, sequential: bool = False) -> Sound:
    """Open a recording of any known format.

    ``sequential`` decodes a lossy file from its beginning, so that a sample is the same bits
    wherever reading started; without it a place in the middle is reached at once.

    Raises
    ------
    Unreadable
        With a cause in plain words: empty, not audio, damaged, needs ffmpeg, not allowed.
    """
    path = Path(path)
    _, head = look(path)
    if ffmpeg.is_ffmpeg_content(head):
        if ffmpeg.is_installed():
            return ffmpeg.FfmpegSound(path, sequential=sequential)
        missing = MissingDependencyError(
            "av", "av", f"reading {path.suffix} files, through ffmpeg,"
        )
        raise Unreadable(path, "needs ffmpeg", str(missing)) from missing
    if mpeg.is_mp3(head):
        return _open_mp3(path, head, sequential=sequential)
    file = _open_with_sndfile(path, head)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _open_riff(path, file)
    if file.format == "FLAC":
        return _open_flac(path, file)
    return SndfileSound(path, file, sequential=sequential)


def _open_riff(path: Path, file: soundfile.SoundFile) -> SndfileSound:
    with path.open("rb") as raw:
        chunks = riff.chunks(raw)
    notes = riff.length_note(path, chunks)
    data = next((chunk for chunk in chunks if chunk.name == "data"), None)
    if file.frames > 0 or data is None or data.announced or not data.size:
        return SndfileSound(path, file, notes=notes, chunks=chunks)
    file.close()
    with path.open("rb") as raw:
        head = bytearray(raw.read(data.offset))
    head[4:8] = struct.pack("<I", min(data.offset + data.size - 8, 0xFFFFFFFF))
    head[-4:] = struct.pack("<I", min(data.size, 0xFFFFFFFF))
    mended = _open_patched(path, bytes(head), skip=len(head))
    return SndfileSound(path, mended, notes=notes, chunks=chunks)


def _open_with_sndfile(path: Path, head: bytes) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except _SNDFILE_ERRORS as error:
        raise Unreadable(path, *diagnose(path, head)) from error


def _open_mp3(path: Path, head: bytes, *, sequential: bool) -> SndfileSound:
    status = path.stat()
    mended = _mended_mp3(path, status.st_size, status.st_mtime_ns)
    if mended is None:
        return SndfileSound(path, _open_with_sndfile(path, head), sequential=sequential)
    notes = ("it is cut short: what is left of it is used",) if mended.cut_short else ()
    patched = _open_patched(path, mended.head, skip=mended.skip)
    return SndfileSound(path, patched, sequential=sequential, notes=notes)


@functools.lru_cache(maxsize=1024)
def _mended_mp3(path: Path, size: int, modified_ns: int) -> mpeg.Mended | None:
    del size, modified_ns  # they make a changed file another entry of the cache
    return mpeg.mend(path)


def _open_flac(path: Path, file: soundfile.SoundFile) -> SndfileSound:
    sound = SndfileSound(path, file)
    try:
        whole = not sound.frames or len(sound.read(sound.frames - 1, 1)) == 1
    except Unreadable:
        whole = False
    if whole:
        return sound
    # After a failed seek the decoder is lost: go on with a new one.
    sound.close()
    status = path.stat()
    announced_s = sound.frames / sound.sample_rate
    frames = _count_frames(path, status.st_size, status.st_mtime_ns)
    sound = SndfileSound(path, soundfile.SoundFile(path))
    sound.frames = frames
    left_s = frames / sound.sample_rate
    sound.notes = (
        f"it is shorter than its header says ({left_s:.1f} of {announced_s:.1f} s): "
        "the card was pulled or the copy broke off",
    )
    return sound


@functools.lru_cache(maxsize=1024)
def _count_frames(path: Path, size: int, modified_ns: int) -> int:
    """Decode a file that was cut short, to its end."""
    del size, modified_ns  # they make a changed file another entry of the cache
    count = 0
    with soundfile.SoundFile(path) as file:
        try:
            while n := len(file.read(_STEP, dtype="float32")):
                count += n
        except _SNDFILE_ERRORS:
            pass
    return count


def _open_patched(path: Path, head: bytes, *, skip: int) -> soundfile.SoundFile:
    patched = _Patched(path, head, skip)
    try:
        return soundfile.SoundFile(patched)
    except _SNDFILE_ERRORS as error:
        patched.close()
        raise Unreadable(path, *diagnose(path, head)) from error


class _Patched(io.RawIOBase):
    """A file whose first ``skip`` bytes are replaced: a header put right without touching it."""

    def __init__(self, path: Path, head: bytes, skip: int) -> None:
        self._file = path.open("rb")
        self._head = head
        self._skip = skip
        self._size = len(head) + self._file.seek(0, io.SEEK_END) - skip
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._at))
        data = self._head[self._at : self._at + wanted]
        if len(data) < wanted:
            self._file.seek(self._skip + max(self._at - len(self._head), 0))
            data += self._file.read(wanted - len(data))
        memoryview(buffer).cast("B")[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
