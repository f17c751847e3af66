"""What is wrong with a recording, in sentences that end with the cure, from what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from explorer.audio.channels import DEAD_DB
from explorer.audio.health import QUIET_DBFS, RUMBLE_HZ, SoundHealth

Severity = Literal["severe", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Severe: what was recorded is lost or misleads. Warning: look at it. Note: good to know."""

CLIPPED_NOTE, CLIPPED_WARNING, CLIPPED_SEVERE = 0.0001, 0.001, 0.01
"""Shares of samples. A hundredth of a per cent is a few snaps of a shrimp or a passing bird; at one
in a hundred the loud sounds are all distorted."""

SILENT_WARNING, SILENT_SEVERE = 0.01, 0.5
"""Shares of digital silence or stuck values; half a file of it is no recording."""

QUIET_WARNING, QUIET_SEVERE = 0.05, 0.5
"""Shares of seconds without so much as the microphone's own noise."""

DROPOUTS_WARNING, DROPPED_SEVERE = 3, 0.01
"""Number of dropouts, and share of the time that is lost to them."""

OFFSET_NOTE, OFFSET_WARNING = 0.05, 0.25
"""Shares of full scale. Recorders in good health have up to .03; a quarter takes 2.5 dB of room."""

RUMBLE_NOTE = 0.5
"""Share of seconds that are loud and low."""


@dataclass(frozen=True)
class Fault:
    """Something wrong with one recording: its kind, how bad it is, and a sentence with the cure."""

    kind: str
    severity: Severity
    sentence: str


def faults(health: SoundHealth) -> list[Fault]:
    """What is wrong with a recording, worst first.

    Examples
    --------
    >>> [fault.kind for fault in faults(SoundHealth(seconds=60, clipped=0.02, offset=0.3))]
    ['clipping', 'offset']
    """
    found = [
        fault
        for find in (_unreadable, _clipping, _silence, _quiet, _channels, _dropouts, _offset)
        if (fault := find(health)) is not None
    ]
    if health.rumble >= RUMBLE_NOTE:
        found.append(
            Fault(
                "rumble",
                "note",
                f"{_percent(health.rumble)} of the seconds are loud, and below {RUMBLE_HZ} Hz "
                "only: wind, waves, a boat or a storm. A foam cover, a calmer place or "
                "--low-hz when embedding keep it out.",
            )
        )
    return sorted(found, key=lambda fault: SEVERITIES.index(fault.severity))


def _unreadable(health: SoundHealth) -> Fault | None:
    if not health.cause:
        return None
    read = f"Only {health.seconds:.1f} s can be read" if health.seconds else "It cannot be read"
    return Fault("unreadable", "severe", f"{read}: {health.cause}.")


def _clipping(health: SoundHealth) -> Fault | None:
    share = health.clipped
    severity = _graded(share, CLIPPED_SEVERE, CLIPPED_WARNING, CLIPPED_NOTE)
    if severity is None:
        return None
    at = "full scale" if health.peak_dbfs > -0.5 else f"{health.peak_dbfs:.0f} dBFS"
    return Fault(
        "clipping",
        severity,
        f"{_percent(share)} of the samples are clipped (at {at}): loud sounds are distorted. "
        "Lower the recorder's gain next time.",
    )


def _silence(health: SoundHealth) -> Fault | None:
    zeros, stuck = health.silent, health.stuck
    if zeros < SILENT_SEVERE and health.seconds:
        # Dropouts are zeros too, and are told as what they are; a recording that is silent for most
        # of its time is silent, however that began.
        zeros = max(0.0, zeros - health.dropped_s / health.seconds)
    severity = _graded(zeros + stuck, SILENT_SEVERE, SILENT_WARNING)
    if severity is None:
        return None
    what = "zeros" if zeros >= stuck else "one and the same number"
    return Fault(
        "digital silence" if zeros >= stuck else "stuck values",
        severity,
        f"{_percent(zeros + stuck)} of it is {what}, which no microphone gives: check plug, card "
        "and firmware, and leave the recording out of counts.",
    )


def _quiet(health: SoundHealth) -> Fault | None:
    if health.silent + health.stuck >= SILENT_SEVERE:  # that says it all
        return None
    severity = _graded(health.quiet, QUIET_SEVERE, QUIET_WARNING)
    if severity is None:
        return None
    return Fault(
        "dead microphone",
        severity,
        f"{_percent(health.quiet)} of the seconds are below {QUIET_DBFS:.0f} dBFS, less than a "
        "working microphone's own noise: check the microphone, its plug and the gain.",
    )


def _channels(health: SoundHealth) -> Fault | None:
    levels = health.channels_dbfs
    if len(levels) < 2 or max(levels) < QUIET_DBFS:
        return None
    dead = [str(n) for n, level in enumerate(levels) if level < max(levels) - DEAD_DB]
    if not dead:
        return None
    one = len(dead) == 1
    return Fault(
        "dead channel",
        "warning",
        f"Channel{'' if one else 's'} {', '.join(dead)} (counted from 0) {'is' if one else 'are'} "
        "silent: check the microphone; embed with --channel to hear a living one alone.",
    )


def _dropouts(health: SoundHealth) -> Fault | None:
    if not health.dropouts or health.silent >= SILENT_SEVERE:
        return None
    severe = health.dropped_s >= DROPPED_SEVERE * health.seconds
    many = health.dropouts >= DROPOUTS_WARNING
    times = "once" if health.dropouts == 1 else f"{health.dropouts:,} times"
    where = f", first at {health.dropouts_at_s[0]:.1f} s" if health.dropouts_at_s else ""
    return Fault(
        "dropouts",
        "severe" if severe else "warning" if many else "note",
        f"The sound stops and starts again {times}{where} ({_seconds(health.dropped_s)} lost): "
        "the card is too slow or failing; format or replace it.",
    )


def _offset(health: SoundHealth) -> Fault | None:
    severity = _graded(abs(health.offset), None, OFFSET_WARNING, OFFSET_NOTE)
    if severity is None:
        return None
    return Fault(
        "offset",
        severity,
        f"Its zero line is off by {_percent(abs(health.offset))} of full scale, which leaves less "
        "room for loud sounds: the amplifier or the hydrophone's supply may be failing.",
    )


def _graded(
    value: float, severe: float | None, warning: float, note: float | None = None
) -> Severity | None:
    if severe is not None and value >= severe:
        return "severe"
    if value >= warning:
        return "warning"
    return "note" if note is not None and value >= note else None


def _percent(share: float) -> str:
    """A share for people: ``12 %``, ``0.3 %``.

    >>> _percent(0.12), _percent(0.0031), _percent(0.9999)
    ('12 %', '0.31 %', '99.9 %')
    """
    value = 100 * share
    if value < 1:
        return f"{value:.2g} %"
    return f"{min(value, 99.9) if value < 100 else value:.3g} %"  # 99.96 is not quite all


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
