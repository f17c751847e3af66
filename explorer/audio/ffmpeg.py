"""Sound in M4A, MP4 and other files that libsndfile does not read, through PyAV (extra ``av``)."""

from __future__ import annotations

import functools
import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .faults import Unreadable

PREROLL_S = 1.0
"""A decoder is started this long before the place that is asked for, to have settled by then."""

_DISCARD = 1 << 16
_INDEXED = ("mov", "matroska")  # containers whose header holds the true length


def is_ffmpeg_content(head: bytes) -> bool:
    """Whether a file's first bytes are those of a format for ffmpeg (and not for libsndfile)."""
    return (
        head[4:8] == b"ftyp"
        or head[:4] in (b"\x1aE\xdf\xa3", b"wvpk", b"MAC ", b"TTA1", b"\x30\x26\xb2\x75")
        or head[:5] == b"#!AMR"
        or head[:2] == b"\x0bw"  # AC-3
        or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0)  # AAC in ADTS
    )


@functools.cache
def is_installed() -> bool:
    """Whether PyAV is there; found without importing it."""
    return importlib.util.find_spec("av") is not None


class FfmpegSound:
    """A recording that ffmpeg reads."""

    comment = ""
    artist = ""
    notes: tuple[str, ...] = ()
    chunks: tuple[Any, ...] = ()

    def __init__(self, path: Path, *, sequential: bool = False) -> None:
        import av  # noqa: PLC0415 - an extra

        self._av: Any = av
        self.path = path
        self._sequential = sequential
        try:
            self._container: Any = self._av.open(str(path), metadata_errors="replace")
        except (OSError, ValueError) as error:
            raise Unreadable(path, "damaged", "ffmpeg cannot read it; copy it again") from error
        try:
            self._prepare()
        except BaseException:
            self._container.close()
            raise

    def _prepare(self) -> None:
        if not self._container.streams.audio:
            raise Unreadable(self.path, "not audio", "it is a video without sound")
        self._stream = self._container.streams.audio[0]
        self.sample_rate = int(self._stream.rate or 0)
        self.channels = int(self._stream.codec_context.channels)
        if self.sample_rate <= 0 or self.channels <= 0:
            raise Unreadable(self.path, "damaged", "it does not say its sample rate")
        container = self._container.format.name.split(",")[0]
        name = {"mov": "MP4"}.get(container, container.upper())
        self.format = f"{name}/{self._stream.codec_context.name.upper()}"
        self._time_base = Fraction(self._stream.time_base)
        self.frames = self._length(container)
        self._restart()

    def _length(self, container: str) -> int:
        if container in _INDEXED and self._stream.duration:
            return round(self._stream.duration * self._time_base * self.sample_rate)
        if container in _INDEXED and self._container.duration:
            return round(self._container.duration / self._av.time_base * self.sample_rate)
        total = sum(packet.duration or 0 for packet in self._container.demux(self._stream))
        self._container.seek(0)
        return round(total * self._time_base * self.sample_rate)

    def _restart(self) -> None:
        self._decoded: Any = self._container.decode(self._stream)
        self._converter = self._av.AudioResampler(format="flt")
        self._position: int | None = 0
        self._rest = np.zeros((0, self.channels), dtype=np.float32)

    def read(self, start: int, frames: int) -> npt.NDArray[np.float32]:
        """Return samples [frames, channels]; fewer at the end of the sound."""
        try:
            self._go_to(start)
            pieces, missing = [], min(frames, self.frames - start)
            while missing > 0 and len(piece := self._take(missing)):
                pieces.append(piece)
                missing -= len(piece)
        except (OSError, ValueError) as error:
            at = start / self.sample_rate
            raise Unreadable(self.path, "damaged", f"it is damaged near {at:.1f} s") from error
        return np.concatenate(pieces) if pieces else self._rest[:0]

    def _go_to(self, start: int) -> None:
        position = self._position or 0
        # Only where a stream counts time in samples does a seek land on a known one.
        exact = self._time_base.denominator >= self.sample_rate and not self._sequential
        far = start - position > 2 * PREROLL_S * self.sample_rate
        if start < position or (exact and far):
            at_s = max(0.0, start / self.sample_rate - PREROLL_S) if exact else 0.0
            first = int(self._stream.start_time or 0)
            self._container.seek(first + int(at_s / self._time_base), stream=self._stream)
            self._restart()
            self._position = None if at_s > 0 else 0
            if self._position is None:
                self._rest = self._next()
        while (self._position or 0) < start:
            if not len(self._take(min(_DISCARD, start - (self._position or 0)))):
                return

    def _take(self, frames: int) -> npt.NDArray[np.float32]:
        if not len(self._rest):
            self._rest = self._next()
        piece, self._rest = self._rest[:frames], self._rest[frames:]
        self._position = (self._position or 0) + len(piece)
        return piece

    def _next(self) -> npt.NDArray[np.float32]:
        for frame in self._decoded:
            if self._position is None:
                first = int(self._stream.start_time or 0)
                self._position = round(
                    (int(frame.pts) - first) * self._time_base * self.sample_rate
                )
            made = [part.to_ndarray() for part in self._converter.resample(frame)]
            if made:
                flat = np.concatenate([part.reshape(-1) for part in made])
                return flat.reshape(-1, self.channels).astype(np.float32, copy=False)
        return np.zeros((0, self.channels), dtype=np.float32)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> FfmpegSound:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
