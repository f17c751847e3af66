"""Which files of a folder may be recordings: each once, by rules that can be told in a sentence.

- A file is a candidate when its name ends in one of ``ENDINGS`` (in any case); what it is, is
  decided later by its content. Files with other endings are counted, not opened.
- Hidden files and folders (a leading dot, which takes in macOS's ``._`` files) and the folders that
  systems put on memory cards (``IGNORED_FOLDERS``) are passed over.
- Every file is taken once. A link to a folder is followed unless its target was seen already, so
  links in a circle end; a link to a recording that was seen already is listed, not taken.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from .faults import Unreadable

_SNDFILE = """
wav wave bwf rf64 w64 flac ogg oga opus mp3 aiff aif aifc caf au snd
avr htk ircam sf mpc2k nist sph paf pvf svx 8svx voc
"""
_FFMPEG = "m4a m4b aac mp4 mov mkv mka webm wma amr 3gp ac3 wv ape tta"
RECORDER_ENDINGS = frozenset({"wac", "sud"})
"""Recorders' compressed formats that only their makers' programs open: listed with that cure."""

ENDINGS = frozenset(_SNDFILE.split()) | frozenset(_FFMPEG.split()) | RECORDER_ENDINGS
IGNORED_FOLDERS = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})


@dataclass
class Found:
    """Candidates, what was refused without opening it, and how many files were passed over."""

    files: list[Path] = field(default_factory=list)
    refused: list[Unreadable] = field(default_factory=list)
    other_files: int = 0


def find(root: Path) -> Found:
    """Find the candidates under a folder; real files come before links to them."""
    search = _Search(root)
    search.walk(root)
    search.follow_links()
    return search.found


def shown(path: Path, root: Path) -> str:
    """A name relative to the folder that can be stored even where it is not valid text."""
    return os.fsencode(relative(path, root)).decode("utf-8", errors="backslashreplace")


def relative(path: Path, root: Path) -> str:
    """A name relative to the folder, with forward slashes on every system."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


class _Search:
    def __init__(self, root: Path) -> None:
        self.found = Found()
        self._root = root
        self._links: list[Path] = []
        self._folders: set[tuple[int, int]] = set()

    def walk(self, start: Path) -> list[Path]:
        """Look through a folder; returns the candidates that it added."""
        before = len(self.found.files)
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) in self._folders:
                    continue
                self._folders.add((status.st_dev, status.st_ino))
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                cause = f"the folder cannot be opened ({error.strerror}); change its permissions"
                self._refuse(folder, "folder not readable", cause)
                continue
            waiting.extend(Path(entry.path) for entry in entries if self._sort_out(entry))
        return self.found.files[before:]

    def follow_links(self) -> None:
        """Follow the links that were met, and those that are met on the way."""
        if not self._links:
            return
        seen = {os.path.realpath(path): path for path in self.found.files}
        for link in self._links:  # grows while folders behind links are walked
            if not self._leads_somewhere(link):
                continue
            if link.is_dir():
                new = self.walk(link)
            elif _is_candidate(link):
                new = [link]
                self.found.files.append(link)
            else:
                self.found.other_files += 1
                continue
            for path in new:
                first = seen.setdefault(os.path.realpath(path), path)
                if first is not path:
                    self.found.files.remove(path)
                    cause = f"it is a link to {shown(first, self._root)}, which is taken already"
                    self._refuse(path, "linked twice", cause)

    def _sort_out(self, entry: os.DirEntry[str]) -> bool:
        """Put an entry where it belongs; True for a folder to go into."""
        if entry.name.startswith(".") or entry.name in IGNORED_FOLDERS:
            return False
        path = Path(entry.path)
        if entry.is_symlink():
            self._links.append(path)
        elif entry.is_dir(follow_symlinks=False):
            return True
        elif _is_candidate(path) and entry.is_file(follow_symlinks=False):
            self.found.files.append(path)
        else:
            self.found.other_files += 1
        return False

    def _leads_somewhere(self, link: Path) -> bool:
        try:
            link.stat()
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._refuse(link, "broken link", "it is a link to itself; remove it")
            elif _is_candidate(link):
                cause = f"it is a link to {link.readlink()}, which is not there"
                self._refuse(link, "broken link", cause)
            return False
        return True

    def _refuse(self, path: Path, kind: str, cause: str) -> None:
        self.found.refused.append(Unreadable(path, kind, cause))


def _is_candidate(path: Path) -> bool:
    return path.suffix[1:].lower() in ENDINGS
