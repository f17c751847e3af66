"""Finding the recordings under a folder, and what each of them is, without decoding them.

Which files are looked at is said in :mod:`explorer.audio.folders`. One bad file never stops a scan:
it is listed with its cause, and the scan goes on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

from ..errors import AudioError, ParameterError
from . import metadata, riff
from .channels import mixing
from .containers import Sound, open_sound
from .faults import Unreadable
from .folders import Found, find, relative, shown
from .metadata import Origin, ZoneSource
from .windows import MIN_RECORDING_S

SCAN_THREADS = 8
"""Threads that read headers; they wait for the disk or the network more than they compute."""

_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Recording:
    """One audio file and what is known of it."""

    path: Path
    name: str
    duration_s: float
    frames: int
    sample_rate: int
    channels: int
    format: str
    size_bytes: int
    modified_ns: int
    started_at: datetime | None = None
    zone_source: ZoneSource | None = None
    site: str | None = None
    device: str | None = None
    notes: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, and why: ``kind`` in two words, ``cause`` with its cure."""

    path: Path
    name: str
    cause: str
    kind: str = "not readable"


@dataclass(frozen=True)
class Scan:
    """What was found under a folder; ``other_files`` have no ending of a recording."""

    folder: Path
    recordings: tuple[Recording, ...]
    left_out: tuple[LeftOut, ...]
    other_files: int = field(default=0)

    @property
    def hours(self) -> float:
        """Hours of sound in all recordings together."""
        return sum(recording.duration_s for recording in self.recordings) / 3600

    def summary(self) -> str:
        """A few sentences: how many recordings and hours, what was left out, what was assumed."""
        sentences = [self._found()]
        if self.left_out:
            sentences.append(self._left_out())
        assumed = sum(r.zone_source == "assumed" for r in self.recordings)
        if assumed:
            times = "start time carries" if assumed == 1 else "start times carry"
            cure = 'set timezone="Europe/Berlin" or the like to read them in yours'
            sentences.append(f"{assumed} {times} no time zone: read as UTC ({cure}).")
        unknown = sum(r.started_at is None for r in self.recordings)
        if unknown:
            have = "recording has" if unknown == 1 else "recordings have"
            sentences.append(f"{unknown} {have} no start time in metadata or name.")
        noted = sum(bool(r.notes) for r in self.recordings)
        if noted:
            have = "recording has" if noted == 1 else "recordings have"
            sentences.append(f"{noted} {have} notes (see the column notes).")
        return " ".join(sentences)

    def _found(self) -> str:
        n = len(self.recordings)
        where = f"in {self.folder.name or self.folder}/"
        if n == 0:
            others = f" ({self.other_files} other files are there)" if self.other_files else ""
            return f"No recordings matched {where}{others}."
        rates = sorted({r.sample_rate for r in self.recordings})
        kilohertz = " to ".join(f"{rate / 1000:g}" for rate in sorted({rates[0], rates[-1]}))
        noun = "recording" if n == 1 else "recordings"
        return f"{n:,} {noun} matched {where} ({_length(self.hours)} of sound, {kilohertz} kHz)."

    def _left_out(self) -> str:
        kinds = Counter(item.kind for item in self.left_out)
        parts = []
        for kind, n in sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])):
            names = [item.name for item in self.left_out if item.kind == kind]
            shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if n > _NAMES_SHOWN else "")
            parts.append(f"{n:,} {kind} ({shown})")
        return f"{len(self.left_out):,} left out: {', '.join(parts)}."


def scan(
    folder: str | os.PathLike[str],
    *,
    timezone: str | None = None,
    site_pattern: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Find every recording under a folder and read its header and metadata.

    Parameters
    ----------
    folder
        Where to look, folders within folders included; or one audio file.
    timezone
        The zone of start times that carry none: an IANA name or an offset such as ``"+03:00"``.
    site_pattern
        A regular expression with a group named ``site``, searched for in the name relative to the
        folder. Without it the site comes from a Song Meter prefix, else from the parent folder.
    on_progress
        Called with (files done, files to do), from the calling thread.

    Raises
    ------
    ParameterError
        When the folder is not there or a setting cannot be right; never for a bad file.
    """
    root = Path(os.path.normpath(Path(folder).expanduser().absolute()))
    zone, pattern = _settings(timezone, site_pattern)
    if root.is_file():
        found, root = Found([root]), root.parent
    elif root.is_dir():
        found = find(root)
    else:
        raise ParameterError(f"{root}: there is no such folder; check the path")

    def look(path: Path) -> Recording | LeftOut:
        try:
            return _describe(path, root, zone, pattern)
        except Unreadable as error:
            return LeftOut(path, shown(path, root), error.cause, error.kind)
        except (AudioError, OSError) as error:
            return LeftOut(path, shown(path, root), getattr(error, "cause", str(error)))

    recordings: list[Recording] = []
    left_out = [
        LeftOut(Path(e.path), shown(Path(e.path), root), e.cause, e.kind) for e in found.refused
    ]
    with ThreadPoolExecutor(SCAN_THREADS) as pool:
        for done, item in enumerate(pool.map(look, found.files), start=1):
            if isinstance(item, Recording):
                recordings.append(item)
            else:
                left_out.append(item)
            if on_progress is not None:
                on_progress(done, len(found.files))
    recordings.sort(key=lambda item: item.name)
    left_out.sort(key=lambda item: item.name)
    return Scan(root, tuple(recordings), tuple(left_out), found.other_files)


def describe(
    path: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    timezone: str | None = None,
    site_pattern: str | None = None,
) -> Recording:
    """Read what one file is: length, rate, channels, start time, site, device.

    Raises
    ------
    AudioError
        When it is not a recording that can be read, with the cause and the cure.
    """
    path = Path(os.path.normpath(Path(path).absolute()))
    root = (
        Path(os.path.normpath(Path(folder).expanduser().absolute()))
        if folder is not None
        else path.parent
    )
    return _describe(path, root, *_settings(timezone, site_pattern))


def _settings(
    timezone: str | None, site_pattern: str | None
) -> tuple[tzinfo | None, re.Pattern[str] | None]:
    zone = metadata.read_timezone(timezone) if timezone else None
    return zone, metadata.read_site_pattern(site_pattern) if site_pattern else None


def _describe(
    path: Path, root: Path, zone: tzinfo | None, pattern: re.Pattern[str] | None
) -> Recording:
    name = relative(path, root)
    if not _is_text(name):
        cause = "its name is not valid text (UTF-8); rename it"
        raise Unreadable(path, "name not text", cause)
    with open_sound(path) as sound:
        duration_s = sound.frames / sound.sample_rate
        if sound.frames == 0:
            raise Unreadable(path, "empty", "it holds a header and no sound")
        if duration_s < MIN_RECORDING_S:
            cause = f"it is {duration_s * 1000:.2g} ms long; a recording has at least 10 ms"
            raise Unreadable(path, "too short", cause)
        own = _own_metadata(path, sound)
        notes = (*sound.notes, *mixing(sound).notes)
    status = path.stat()
    named = metadata.from_name(name)
    recorded = own.started_at is not None
    started_at, zone_source, zone_notes = metadata.settle_zone(
        own.started_at if recorded else named.started_at, zone, "recorder" if recorded else "name"
    )
    return Recording(
        path=path,
        name=name,
        duration_s=duration_s,
        frames=sound.frames,
        sample_rate=sound.sample_rate,
        channels=sound.channels,
        format=sound.format,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        started_at=started_at,
        zone_source=zone_source,
        site=_site(name, own, named, pattern),
        device=own.device or named.device,
        notes=(*notes, *own.notes, *zone_notes),
        latitude=own.latitude,
        longitude=own.longitude,
    )


def _own_metadata(path: Path, sound: Sound) -> Origin:
    """What the recorder wrote into the file: GUANO where there is one, else AudioMoth's comment."""
    comment = metadata.from_audiomoth(sound.comment, sound.artist)
    content = riff.content(path, sound.chunks, "guan")
    if content is None:
        return comment
    guano = metadata.from_guano(content)
    return Origin(
        started_at=guano.started_at or comment.started_at,
        site=guano.site,
        device=guano.device or comment.device,
        latitude=guano.latitude,
        longitude=guano.longitude,
        notes=guano.notes + comment.notes,
    )


def _site(name: str, own: Origin, named: Origin, pattern: re.Pattern[str] | None) -> str | None:
    if pattern is not None:
        return metadata.site_from_pattern(name, pattern)
    folder = name.rsplit("/", 2)[-2] if "/" in name else None
    return own.site or named.site or folder


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _length(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * 3600:.3g} s"
