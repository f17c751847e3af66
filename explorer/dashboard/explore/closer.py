"""A closer look at one sound: large, with what was before and after it, and why it was found.

It opens over whatever screen is open, when ``state.closer`` names a window, and closes when that is
None. What is asked for there goes by seconds and hertz of the recording, not by windows.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
import param

from explorer.audio.listening import Listening
from explorer.audio.selection import measure
from explorer.dashboard.explore.cards import card, told_score
from explorer.dashboard.explore.listens import Listens
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.state.facts import clock
from explorer.dashboard.state.records import clean_name
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

MOST_SECONDS = 180.0
"""Longer stretches are looked at on the map."""

STRIP_S = 45.0
"""So far before and after a window its neighbours' scores are told: more than the most context."""


class CloserLook(Listens):
    """One sound in large; see the module."""

    _esm = asset(
        "dom.js",
        "spectrogram.js",
        "player.js",
        "listening.js",
        "why.js",
        "timefrequency.js",
        "closer.js",
    )
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "spectrogram.css", "listening.css", "why.css", "closer.css")
    ]

    sound = param.Dict(default=None, allow_None=True, doc="The window, as plain values, or None.")
    strip = param.List(doc="Windows around it: row, start_s, end_s, score, judgement.")
    blind = param.Boolean(doc="In a study nothing is told before the answer.")
    said = param.Dict(default=None, allow_None=True, doc="The last notice: it would be hidden.")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        super().__init__(state, desk, pictures, **params)
        state.param.watch(self._show, ["closer", "learned", "active", "classes", "place"])
        state.param.watch(self._say, ["notice"])
        self._show()

    # --- going on ---------------------------------------------------------------------------

    def do_close(self) -> None:
        """Back to the screen."""
        self.state.closer = None

    def do_step(self, by: int) -> None:
        """To another window of the same recording."""
        rows = self._of_recording()
        at = int(np.flatnonzero(rows == self.state.closer)[0])
        self._go(int(rows[int(np.clip(at + int(by), 0, len(rows) - 1))]))

    def do_next(self, by: int) -> None:
        """To another sound of the gallery's list."""
        rows = self._listed()
        at = np.flatnonzero(rows == self.state.closer)
        if not len(rows):
            return
        to = int(np.clip(int(at[0]) + int(by), 0, len(rows) - 1)) if len(at) else 0
        self._go(int(rows[to]))

    def do_window(self, row: int) -> None:
        """To a window of the strip."""
        if row not in self._of_recording():
            raise ParameterError(f"there is no window {row!r} in this recording")
        self._go(int(row))

    def do_new_class(self, name: str) -> None:
        """Begin a class with this sound as its first example."""
        if self.state.closer is None:
            raise ParameterError("no sound is looked at")
        name = clean_name(name)
        self.state.judge([self.state.closer], "positive", name)
        self.state.refresh(active=name)

    def do_like(self, row: int) -> None:
        """More like this one: the gallery shows them."""
        super().do_like(row)
        self.state.closer = None

    # --- looking and listening --------------------------------------------------------------

    def do_view(
        self,
        number: int,
        start_s: float,
        end_s: float,
        size: list[int],
        hz: list[float] | None = None,
    ) -> None:
        """A stretch of the recording is to be drawn; only the last one asked for is."""
        recording, start_s, end_s = self._stretch(start_s, end_s)
        listening, key, theme = self.state.listening, self.key, self.state.theme
        limits = _limits(hz)
        self._last = number

        def work() -> dict[str, Any]:
            if number != self._last:
                return {"late": True}
            return self._pictures.view(
                recording, start_s, end_s, listening, theme, size=(size[0], size[1]), hz=limits
            ).message()

        self._send_soon({"kind": "view", "number": number, "key": key}, work)

    def do_hear(
        self, name: str, start_s: float, end_s: float, hz: list[float] | None = None
    ) -> None:
        """A stretch of the recording is to be heard, as it is seen."""
        recording, start_s, end_s = self._stretch(start_s, end_s)
        listening, limits = self.state.listening, _limits(hz)
        self._send_soon(
            {"kind": "sound", "row": str(name)[:200]},
            lambda: self._pictures.stretch_sound(
                recording, start_s, end_s, listening, hz=limits
            ).message(),
        )

    def do_measure(self, start_s: float, end_s: float, hz: list[float]) -> None:
        """A range that was drawn is to be measured."""
        recording, start_s, end_s = self._stretch(start_s, end_s)
        low, high = _limits(hz) or (0.0, np.inf)

        def work() -> dict[str, Any]:
            clip = self._pictures.stretch(recording, start_s, end_s)
            return vars(measure(clip.samples, clip.rate, low, high))

        self._send_soon({"kind": "measured", "start_s": start_s, "end_s": end_s}, work)

    def do_download(self, start_s: float, end_s: float, hz: list[float] | None = None) -> None:
        """A stretch as a WAV file, as it is heard; its name says how that is."""
        recording, start_s, end_s = self._stretch(start_s, end_s)
        listening, limits = self.state.listening, _limits(hz)

        def work() -> dict[str, Any]:
            sound = self._pictures.stretch_sound(recording, start_s, end_s, listening, hz=limits)
            rate = self._pictures.stretch(recording, start_s, end_s).rate
            name = clip_name(recording, start_s, end_s, listening.suited(rate))
            return sound.message() | {"name": name}

        self._send_soon({"kind": "download"}, work)

    # --- what is shown ----------------------------------------------------------------------

    _last = 0

    def _go(self, row: int) -> None:
        state = self.state
        state.param.update(closer=row, focus=None if state.place == "study" else row)

    def _stretch(self, start_s: float, end_s: float) -> tuple[str, float, float]:
        """The recording and the seconds of it that are meant, as far as there is sound."""
        if self.sound is None:
            raise ParameterError("no sound is looked at")
        start, end = max(0.0, float(start_s)), min(float(end_s), self.sound["duration_s"])
        if not 0 <= start < end:
            raise ParameterError("there is no sound there")
        if end - start > MOST_SECONDS:
            raise ParameterError(f"this shows at most {MOST_SECONDS:.0f} s at once")
        return self.sound["recording"], round(start, 6), round(end, 6)

    def _listed(self) -> Any:
        """The list that one steps through."""
        return self.state.listing()

    def _of_recording(self) -> Any:
        facts, row = self.state.facts, self.state.closer
        if facts is None or row is None:
            raise ParameterError("no sound is looked at")
        rows = np.flatnonzero(facts.recording == facts.recording[row])
        return rows[np.argsort(facts.start_s[rows], kind="stable")]

    def _show(self, *_: Any) -> None:
        state, facts, row = self.state, self.state.facts, self.state.closer
        if facts is None or row is None or row >= state.n_windows:
            self.param.update(sound=None, strip=[])
            return
        self._aim()
        blind = state.place == "study"
        rows = self._of_recording()
        listed = self._listed()
        at = np.flatnonzero(listed == row)
        found = state.similar
        alike = None
        if state.place == "similar" and found is not None and row in found.rows:
            alike = float(found.scores[int(np.flatnonzero(found.rows == row)[0])])
        near = rows[np.abs(facts.start_s[rows] - facts.start_s[row]) <= STRIP_S]
        self.param.update(
            sound=self._facts(row)
            | {
                "alike": alike,
                "like": found.title if alike is not None and found is not None else "",
                "listed": int(at[0]) + 1 if len(at) else 0,
                "of": len(listed),
                "window": int(np.flatnonzero(rows == row)[0]) + 1,
                "windows": len(rows),
            },
            strip=[
                {
                    "row": int(other),
                    "start_s": round(float(facts.start_s[other]), 3),
                    "end_s": round(float(facts.end_s[other]), 3),
                    "at": clock(float(facts.start_s[other])),
                    "score": told_score(state, int(other)),
                    "judgement": None if blind else state.judgement(int(other)),
                }
                for other in near
            ],
            blind=blind,
        )

    def _facts(self, row: int) -> dict[str, Any]:
        state, facts = self.state, self.state.facts
        assert facts is not None
        made = card(state, row, score=told_score(state, row))
        recordings = state.collection.recordings
        entry = recordings[recordings["recording"] == made["recording"]].iloc[0]
        began = facts.began[facts.recording[row]]
        device = entry.get("device")
        return made | {
            "start_s": float(facts.start_s[row]),
            "end_s": float(facts.end_s[row]),
            "duration_s": float(entry["duration_s"]),
            "device": device if isinstance(device, str) else "",
            "began": began.isoformat(timespec="milliseconds") if began else "",
            "reference": reference(state, row),
        }

    def _say(self, *_: Any) -> None:
        notice = self.state.notice
        self.said = None if notice is None else {"text": notice.text, "kind": notice.kind}


def reference(state: State, row: int) -> str:
    """A sound in one line, so that somebody else finds it again.

    Recording, seconds, ISO time with zone, site; collection and encoder run.
    """
    facts = state.facts
    assert facts is not None
    when = facts.when(row)
    parts = [
        f"{facts.recordings[facts.recording[row]]}, "
        f"{facts.start_s[row]:.3f}–{facts.end_s[row]:.3f} s",
        when.isoformat(timespec="milliseconds") if when else "",
        facts.site_of(row),
        f"{state.collection.name} ({state.run})",
    ]
    return "; ".join(part for part in parts if part)


def clip_name(recording: str, start_s: float, end_s: float, listening: Listening) -> str:
    """A file name for a clip that says where it is from and how it is played.

    Examples
    --------
    >>> clip_name("A/dawn 1.wav", 3.0, 6.5, Listening.of("bat"))
    'dawn-1_3.000-6.500s_bat_speed-0.1_band.wav'
    """
    stem = re.sub(r"[^\w.-]+", "-", recording.replace("\\", "/").rsplit("/", 1)[-1])
    stem = stem.rsplit(".", 1)[0].strip("-.")[:80] or "recording"
    sound = listening.sound
    said = [stem, f"{start_s:.3f}-{end_s:.3f}s", listening.preset]
    if sound.speed != 1:
        said.append(f"speed-{sound.speed:g}")
    if sound.pitch is not None:
        said.append(f"pitch-{sound.pitch:g}")
    if listening.band_only:
        said.append("band")
    if sound.volume_db:
        said.append(f"{sound.volume_db:+g}dB")
    return "_".join(said) + ".wav"


def _limits(hz: list[float] | None) -> tuple[float, float] | None:
    if hz is None:
        return None
    low, high = float(hz[0]), float(hz[1])
    if not 0 <= low < high:
        raise ParameterError("frequencies go up from 0 Hz")
    return low, high
