"""What can be done with the recordings: embed them, listen for faults, add a folder."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import param

from explorer.audio.windows import WindowGrid
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import EMBED
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.recordings import near, tasks
from explorer.dashboard.recordings.survey import ADD, HEALTH, Survey
from explorer.dashboard.state.state import State
from explorer.encoders.registry import EncoderInfo, available
from explorer.errors import ParameterError

MOST_HOPS = 8
"""Windows overlap at most so that each second is in this many of them."""


class Work(Piece):
    """Three pieces of long work, with their bars."""

    _esm = asset("dom.js", "jobs.js", "work.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "survey.css", "work.css")]

    recordings = param.Integer()
    hours = param.Number()
    runs = param.List(doc="What is embedded: run, words, windows, due.")
    run = param.String(default=None, allow_None=True, doc="The run that is looked at.")
    fresh = param.String(default=None, allow_None=True, doc="A run with windows not looked at yet.")
    encoders = param.List(doc="name, words, licence, ready, how_to_get, windows, minutes.")
    measured = param.Integer()
    jobs = param.Dict(default={}, doc="share, words and left_s of what is under way, by kind.")
    owner = param.Boolean()
    stopper = param.Boolean()
    why_not = param.String(doc="Why no folder can be named here; empty where it can.")
    commands = param.Dict(doc="The same on the command line.")
    timezone = param.String(doc="The zone that was set for times that carry none.")

    def __init__(self, state: State, desk: Desk, survey: Survey, **params: Any) -> None:
        path = state.collection.path
        super().__init__(
            state,
            desk,
            owner=state.may("owner"),
            stopper=state.may("annotator"),
            why_not=near.why_not(state, desk),
            run=state.run,
            commands={
                "add": f'explorer embed "{path.name}" --audio FOLDER',
                "embed": f'explorer embed "{path.name}"',
            },
            **params,
        )
        self.survey = survey
        self._known: list[EncoderInfo] = []
        survey.param.watch(self._update, ["seen"])
        state.param.watch(self._follow, ["jobs", "fresh_run"])
        self._update()
        self._follow()
        desk.run(available, self._take_encoders, "")

    def do_embed(self, encoder: str, overlap: int = 1) -> None:
        """Embed with an encoder; ``overlap`` is in how many windows each second lies."""
        info = next((info for info in self._known if info.name == encoder), None)
        if info is None or not info.available:
            raise ParameterError(f"the encoder {encoder!r} cannot be used here")
        if not 1 <= int(overlap) <= MOST_HOPS:
            raise ParameterError(f"overlap goes from 1 (none) to {MOST_HOPS}")
        hop_s = None if int(overlap) == 1 else info.window_s / int(overlap)
        tasks.embed(self.state, self.desk, encoder, hop_s)

    def do_go_on(self, run: str) -> None:
        """Embed what a run lacks, with its own encoder and hop."""
        made = self.state.collection.catalogue.runs().get(str(run))
        if made is None:
            raise ParameterError(f"there is no run {run!r}")
        if not plain(made):
            raise ParameterError(
                f"{run} was made with settings of its own (speed, band or channel): go on with it "
                "by the command that made it"
            )
        hop_s = None if math.isclose(made.hop_s, made.window_s) else made.hop_s
        tasks.embed(self.state, self.desk, made.encoder, hop_s)

    def do_measure(self) -> None:
        """Listen to all recordings for faults."""
        tasks.measure(self.state, self.desk)

    def do_add(self, folder: str, timezone: str = "", site_pattern: str = "") -> None:
        """Add the recordings of a folder on this machine."""
        if self.why_not:
            raise ParameterError(self.why_not.removesuffix(" On that machine, run:"))
        tasks.add(
            self.state, self.desk, str(folder), str(timezone).strip(), str(site_pattern).strip()
        )

    def do_stop(self, kind: str) -> None:
        """Stop long work."""
        tasks.stop(self.state, str(kind))

    def do_open(self, run: str) -> None:
        """Look at a run, on the map."""
        if run not in self.state.collection.catalogue.runs():
            raise ParameterError(f"there is no run {run!r}")
        self.state.open_run = run

    def _take_encoders(self, known: list[EncoderInfo]) -> None:
        self._known = known
        self._update()

    def _follow(self, *_: Any) -> None:
        jobs = {
            job.kind: {
                "title": job.title,
                "share": job.share,
                "words": job.words,
                "left_s": job.left_s,
            }
            for job in self.state.jobs
            if job.kind in (EMBED, HEALTH, ADD)
        }
        self.param.update(jobs=jobs, fresh=self.state.fresh_run)

    def _update(self, *_: Any) -> None:
        seen, state = self.survey.seen, self.state
        if seen is None:
            return
        collection = state.collection
        duration_s = seen.recordings["duration_s"].to_numpy()
        runs = []
        for name, made in collection.catalogue.runs().items():
            due = int(WindowGrid(made.window_s, made.hop_s).count(duration_s).sum())
            done = sum(collection.catalogue.embedded(name).values())
            runs.append(
                {"run": name, "windows": done, "due": due, "plain": plain(made), "hop": made.hop_s}
            )
        self.param.update(
            recordings=len(seen.recordings),
            hours=float(duration_s.sum()) / 3600,
            runs=runs[::-1],
            measured=seen.measured,
            timezone=collection.catalogue.setting("timezone") or "",
            encoders=[self._encoder(info, duration_s) for info in self._known],
        )

    def _encoder(self, info: EncoderInfo, duration_s: Any) -> dict[str, Any]:
        windows = 0
        if info.available and info.window_s > 0 and len(duration_s):
            windows = int(WindowGrid(info.window_s, info.window_s).count(duration_s).sum())
        return {
            "name": info.name,
            "words": f"{info.window_s:g} s windows, {info.dimension:,} numbers each",
            "version": info.version,
            "licence": info.licence,
            "ready": info.available,
            "how_to_get": "" if info.available else info.how_to_get,
            "about": info.reference,
            "windows": windows,
            "per_s": tasks.speed(self.state.collection, info.name) if info.available else None,
        }


def plain(run: Any) -> bool:
    """Whether a run can be gone on with by its encoder and hop alone."""
    return bool(
        run.speed == 1 and run.channel == "mix" and run.low_hz is None and run.high_hz is None
    )
