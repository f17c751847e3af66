"""One recording: what is known of it, how it sounds, what was found, and the way to its windows."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any, ClassVar

import param

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.health import MINUTE_S, SoundHealth
from explorer.audio.overview import overview
from explorer.audio.playback import playback
from explorer.audio.spectrogram import to_png
from explorer.collection import health_store
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.recordings.survey import Survey
from explorer.dashboard.state.state import State
from explorer.errors import AudioError, ExplorerError, ParameterError

WIDTH_PX, HEIGHT_PX = 520, 150
PLAYED_S = 20.0
"""A press plays so much from the place that was pressed."""

LEAST_MINUTES = 3
"""From so many minutes on the level is a curve; before that two numbers say as much."""


class Details(Piece):
    """The recording at hand."""

    _esm = asset("dom.js", "recording.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "survey.css", "recording.css")]

    recording = param.Dict(default={}, doc="id, name, seconds, facts as [label, value].")
    faults = param.List(doc="severity, kind, sentence of what was found in it.")
    level = param.Dict(default=None, allow_None=True, doc="minutes, peaks and clipped shares.")
    measured = param.Boolean()
    windows = param.Integer(doc="How many windows of it are on the map.")
    theme = param.String()

    def __init__(self, state: State, desk: Desk, survey: Survey, **params: Any) -> None:
        super().__init__(state, desk, theme=state.theme, **params)
        self.survey = survey
        survey.param.watch(self._update, ["seen", "chosen"])
        state.param.watch(self._retheme, ["theme"])
        self._update()

    def do_close(self) -> None:
        """Put the recording away."""
        self.survey.chosen = None

    def do_step(self, by: int) -> None:
        """The recording before or after it in its deployment."""
        seen, chosen = self.survey.seen, self.survey.chosen
        for lane in seen.lanes if seen is not None else ():
            if chosen in lane.table.index:
                at = lane.table.index.get_loc(chosen) + (1 if int(by) > 0 else -1)
                if 0 <= at < len(lane.table):
                    self.survey.chosen = int(lane.table.index[at])
                return

    def do_windows(self) -> None:
        """Show its windows on the map and in the gallery."""
        if not self.windows:
            raise ParameterError("it is not embedded yet: there are no windows of it to show")
        self.state.narrow(recording=self.recording["name"])
        self.state.screen = "explore"

    def do_picture(self, recording: int) -> None:
        """The screen lacks the overview of a recording."""
        row, theme = self._row(recording), self.state.theme
        settings = self.state.listening.on(int(row["sample_rate"])).picture

        def draw() -> dict[str, Any]:
            message: dict[str, Any] = {"kind": "picture", "id": int(recording), "theme": theme}
            try:
                drawn = overview(
                    Path(row["path"]), settings, width_px=WIDTH_PX, height_px=HEIGHT_PX
                )
            except ExplorerError as error:
                return message | {"error": _cause(error)}
            png = base64.b64encode(to_png(drawn.picture, theme=theme)).decode()
            scale, unit = (1000, "kHz") if drawn.picture.max_hz > 2000 else (1, "Hz")
            ticks = [[f"{hz / scale:g}", at] for hz, at in drawn.picture.hz_ticks(3) if at < 0.95]
            return message | {
                "src": f"data:image/png;base64,{png}",
                "ticks": ticks,
                "unit": unit,
                "every_s": drawn.every_s,
            }

        self.desk.run(draw, lambda message: self.tell(**message), "")

    def do_sound(self, recording: int, start: float) -> None:
        """Play a piece of a recording from a second on."""
        row, start = self._row(recording), max(0.0, float(start))
        end = min(start + PLAYED_S, float(row["duration_s"]))
        settings = self.state.listening.on(int(row["sample_rate"])).sound

        def make() -> dict[str, Any]:
            try:
                clip = self.state.collection.clip_of(row["recording"], start, end)
            except AudioError as error:
                raise ParameterError(f"{row['recording']}: {_cause(error)}") from error
            heard = playback(clip.samples, clip.rate, settings)
            return {
                "kind": "sound",
                "id": int(recording),
                "start": clip.start_s,
                "speed": settings.speed,
                "data": base64.b64encode(to_wav_bytes(heard.samples, heard.rate)).decode(),
            }

        self.desk.run(make, lambda message: self.tell(**message), "")

    def _row(self, recording: int) -> dict[str, Any]:
        seen = self.survey.seen
        if seen is None or int(recording) not in seen.recordings.index:
            raise ParameterError("this recording is not there any more")
        found: dict[str, Any] = seen.recordings.loc[int(recording)].to_dict()
        return found

    def _retheme(self, *_: Any) -> None:
        self.theme = self.state.theme

    def _update(self, *_: Any) -> None:
        seen, chosen, state = self.survey.seen, self.survey.chosen, self.state
        if seen is None or chosen is None or chosen not in seen.recordings.index:
            self.param.update(recording={}, faults=[], level=None, measured=False, windows=0)
            return
        row = seen.recordings.loc[chosen].to_dict()
        health = health_store.load_one(state.collection.catalogue, chosen)
        mine = seen.findings[seen.findings["recording"] == row["recording"]]
        windows = 0
        if state.facts is not None and state.run is not None:
            windows = len(state.collection.index(state.run).rows_of(chosen))
        self.param.update(
            recording={
                "id": chosen,
                "name": row["recording"],
                "seconds": float(row["duration_s"]),
                "facts": facts(row, health, owner=state.may("owner")),
            },
            faults=mine[["severity", "kind", "sentence"]].to_dict("records"),
            level=level(health),
            measured=health is not None,
            windows=windows,
        )


def _cause(error: ExplorerError) -> str:
    """What is wrong, without the path of the file: where it lies is for owners."""
    return error.cause if isinstance(error, AudioError) else str(error)


def facts(row: dict[str, Any], health: SoundHealth | None, *, owner: bool) -> list[tuple[str, str]]:
    """What is known of a recording, as label and value."""
    zone = {
        "recorder": "as the recorder wrote it",
        "name": "from its name",
        "setting": "from its name, in the zone that was set",
        "assumed": "from its name, read as UTC",
    }.get(row["zone_source"] or "", "")
    channels = {1: "mono", 2: "stereo"}.get(row["channels"], f"{row['channels']} channels")
    found = [
        ("Start", f"{row['started_at'][:19].replace('T', ' ')} {row['started_at'][19:]} ({zone})")
        if row["started_at"]
        else ("Start", "not known: neither in the file nor in its name"),
        ("Length", length(float(row["duration_s"]))),
        ("Site", row["site"] or "not known"),
        ("Recorder", row["device"] or "not known"),
        (
            "Sound",
            f"{row['sample_rate'] / 1000:g} kHz, {channels}, {row['format'].replace('_', ' ')}, "
            f"{row['size_bytes'] / 1e6:,.1f} MB",
        ),
    ]
    if health is not None and health.seconds:
        found.append(
            (
                "Level",
                f"{health.level_dbfs:.0f} dBFS, loudest sample {health.peak_dbfs:.0f} dBFS",
            )
        )
    place = [row.get("latitude"), row.get("longitude")]
    if all(value is not None and math.isfinite(value) for value in place):
        found.append(("Place", f"{place[0]:.5f}, {place[1]:.5f}"))
    if row["notes"]:
        found.append(("Notes", row["notes"]))
    if owner:
        found.append(("File", row["path"]))
    return found


def level(health: SoundHealth | None) -> dict[str, Any] | None:
    """The level of each minute, where there are enough of them for a curve."""
    if health is None or len(health.minutes_dbfs) < LEAST_MINUTES:
        return None
    return {
        "minutes": list(health.minutes_dbfs),
        "peaks": list(health.minutes_peak_dbfs),
        "clipped": list(health.minutes_clipped),
        "minute_s": MINUTE_S,
    }


def length(seconds: float) -> str:
    """A length for people: ``4.2 s``, ``5 min 30 s``, ``1 h 0 min``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
