"""How far an embedding run is, and what it did: for bars, screens and the last sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm.auto import tqdm

from explorer.collection.catalogue import Run
from explorer.encoders.base import Encoder

AFTER_S = 0.5
"""What is done sooner shows no bar."""


@dataclass(frozen=True)
class EmbedProgress:
    """How far a run is; handed to the progress callback after every batch."""

    windows: int
    total: int
    recording: str
    audio_s: float
    elapsed_s: float

    @property
    def times_real_time(self) -> float:
        """Seconds of sound embedded per second."""
        return self.audio_s / self.elapsed_s if self.elapsed_s > 0 else 0.0


@dataclass(frozen=True)
class EmbedReport:
    """What a call of ``embed`` did.

    Attributes
    ----------
    run
        Name of the run.
    windows, recordings
        Embedded by this call.
    total_windows
        In the run now.
    left_out
        Name of each recording that failed in this call, with the cause.
    audio_s, elapsed_s
        Sound embedded, and time taken, in seconds.
    device
        Where the encoder ran.
    narrow
        Recordings of this call whose sample rate reaches less than half of the band that the
        encoder listens to.
    """

    run: str
    windows: int
    recordings: int
    total_windows: int
    left_out: Mapping[str, str]
    audio_s: float
    elapsed_s: float
    device: str
    narrow: int = 0

    def __str__(self) -> str:
        if not self.windows and not self.left_out:
            return f"Nothing to do: all {self.total_windows:,} windows of {self.run} are embedded."
        speed = self.audio_s / self.elapsed_s if self.elapsed_s else 0.0
        text = (
            f"Embedded {self.windows:,} windows of {self.recordings:,} recordings with {self.run} "
            f"on {self.device} in {self.elapsed_s:.1f} s ({speed:,.0f} x real time)."
        )
        if self.narrow:
            text += (
                f" {self.narrow:,} of the recordings hold less than half of the band that the "
                "encoder listens to: it may tell their sounds apart less well."
            )
        if self.left_out:
            text += (
                f" {len(self.left_out)} left out (`left_out` of the collection names each cause)."
            )
        return text


@contextmanager
def bar(run: Run, encoder: Encoder) -> Iterator[Callable[[EmbedProgress], None]]:
    """A progress bar: windows, windows per second, time left, x real time, recording.

    The device is named, so that a computer's processor is never used unnoticed in place of its GPU.
    """
    tqdm.write(f"{run.name} runs on {encoder.device}")
    with tqdm(desc=run.name, unit=" windows", dynamic_ncols=True) as shown:

        def advance(progress: EmbedProgress) -> None:
            shown.total = progress.total
            shown.set_postfix_str(
                f"{progress.times_real_time:,.0f} x real time, {progress.recording[-32:]}",
                refresh=False,
            )
            shown.update(progress.windows - shown.n)

        yield advance


@contextmanager
def count_bar(
    progress: bool | Callable[[int, int], None], title: str, unit: str
) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar for work that tells how many are done, and of how many.

    With a function in place of True that is told instead; with False nobody is.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    else:
        with tqdm(desc=title, unit=unit, dynamic_ncols=True, delay=AFTER_S) as shown:

            def advance(done: int, total: int) -> None:
                shown.total = total
                shown.update(done - shown.n)

            yield advance


@contextmanager
def share_bar(
    progress: bool | Callable[[float, str], None], title: str
) -> Iterator[Callable[[float, str], None]]:
    """A progress bar for work that tells its share done, 0 to 1, and what it is doing.

    With a function in place of True that is told instead; with False nobody is.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda share, doing: None
    else:
        form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}"
        with tqdm(
            total=100, desc=title, bar_format=form, dynamic_ncols=True, delay=AFTER_S
        ) as shown:

            def advance(share: float, doing: str) -> None:
                shown.set_description_str(f"{title}: {doing}", refresh=False)
                shown.update(round(100 * share) - shown.n)

            yield advance
