"""Second door: how much of it is there? A study, step by step."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import param

from explorer.collection.study_report import percent
from explorer.dashboard.explore.cards import card, row_of
from explorer.dashboard.explore.listens import JUDGEMENTS, Listens
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.state.asking import Asked, Scope, studies_of
from explorer.dashboard.state.state import State
from explorer.errors import ExplorerError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from explorer.dashboard.state.learning import Learned

QUEUE = 4
"""Windows that are sent ahead, so that the next one is there at the press of a key."""
SECONDS_EACH = 6
"""To hear three seconds, sometimes twice, and to answer."""
WANTED = (0.8, 0.9, 0.95)
STEPS = ["plan", "answer", "result"]


class Counting(Listens):
    """Plan, answer blind, and read off the result; one may stop and go on at any time."""

    _esm = asset("dom.js", "files.js", "spectrogram.js", "player.js", "cards.js", "check-count.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "spectrogram.css", "check.css", "check-count.css")
    ]

    step: Any = param.Selector(default="plan", objects=STEPS)
    where = param.String(doc="What the study is kept to, in words; empty for everywhere.")
    cannot = param.String(doc="Parts of the filter that a study cannot be kept to.")
    studies = param.List(doc="Studies that are there: name, scope, answered, planned.")
    sizes = param.List(doc="How many answers for which interval.")
    queue = param.List(doc="The next windows to answer, as cards without their scores.")
    progress = param.String()
    share = param.Number(default=0.0)
    result = param.Dict(default=None, allow_None=True)
    offers = param.List(doc="Thresholds for wanted precisions.")
    study = param.String(doc="Name of the study.")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        super().__init__(state, desk, pictures, **params)
        self._planned: tuple[int, Any, Any] | None = None
        self._told: Asked | None = None
        self._narrows = False  # answers go on although there is a result
        state.param.watch(self._open, ["door", "active", "learned", "filter", "screen"])
        state.param.watch(self._ask_on, ["asked"])
        state.param.watch(self._offer, ["trust", "classes"])
        self._open()

    # --- what the person does ---------------------------------------------------------------

    def do_begin(self, per_bin: int) -> None:
        """Draw the windows of a new study."""
        self._narrows = False
        self.state.count(per_bin=int(np.clip(int(per_bin), 1, 1000)), anew=True)
        self.step = "answer"

    def do_go_on(self, name: str) -> None:
        """Go on with a study, or look at what it tells."""
        if name not in [study["name"] for study in self.studies]:
            raise ParameterError(f"there is no study {name!r} of this class")
        self._narrows = False
        self.step = "answer"
        self.state.count(study=name)

    def do_step(self, step: str) -> None:
        """To another step; answers are kept as they are given."""
        if step not in STEPS or (step != "plan" and self._asked is None):
            raise ParameterError("begin a study first, or go on with one")
        self._narrows = step == "answer"
        self.step = step
        self._update()
        self._plan()

    def do_narrow(self, within: float) -> None:
        """Answer more, until the share is known to ± this."""
        asked = self._asked
        if asked is None:
            raise ParameterError("begin a study first, or go on with one")
        self._narrows = True
        self.step = "answer"
        self.state.count(study=asked.study.name, within=float(np.clip(float(within), 0.001, 0.5)))

    def do_answer(self, row: int, judgement: str) -> None:
        """Yes, no or unsure to a window of the study."""
        asked, row = self._asked, row_of(self.state, row)
        if judgement not in JUDGEMENTS or asked is None or row not in asked.rows:
            raise ParameterError("this window is not one that the study asks about")
        if self.state.judgement(row) == judgement:
            return  # pressed twice: in a study the second press takes nothing back
        self.state.place = "study"  # so that it is kept as an answer
        self.state.judge([row], judgement)  # type: ignore[arg-type]

    def do_threshold(self, wanted: float) -> None:
        """Take the threshold that is offered for a precision."""
        for offer in self.offers:
            if offer["wanted"] == wanted and offer["threshold"] is not None:
                self.state.set_threshold(offer["threshold"])
                self.state.say(f"Threshold {offer['threshold']:.3g}: {offer['words']}")
                return
        raise ParameterError("no threshold is known for this precision yet")

    def do_export(self) -> None:
        """The result as a table."""
        asked = self._asked
        if asked is None:
            raise ParameterError("begin a study first, or go on with one")

        def give(table: pd.DataFrame) -> None:
            data = table.to_csv(index=False).encode()
            self.tell(
                kind="file",
                name=f"{asked.study.name}-study.csv",
                mime="text/csv",
                data=base64.b64encode(data).decode(),
            )

        self.desk.run(asked.study.report, give, "Writing")

    # --- what is shown ----------------------------------------------------------------------

    @property
    def _asked(self) -> Asked | None:
        asked = self.state.asked
        return asked if asked is not None and asked.class_ == self.state.active else None

    def _left(self) -> bool:
        """Whether a window of the study waits for an answer."""
        return self._asked is not None and len(_open_rows(self.state, self._asked)) > 0

    @property
    def _open_now(self) -> bool:
        return self.state.door == "count" and self.state.screen == "check"

    def _open(self, *_: Any) -> None:
        self.visible = self.state.door == "count"
        if self._asked is None:
            self.step = "plan"
        self._update()
        self._plan()

    def _plan(self) -> None:
        """Work out what studies there are, and what one would take."""
        state, learned, name = self.state, self.state.learned, self.state.active
        if not self._open_now or name is None or name not in learned.classes:
            return
        scope = Scope.of(state.filter)
        wanted = (id(learned), name, scope)
        if self._planned == wanted or self.step != "plan":
            return
        self._planned = wanted

        def apply(found: tuple[list[dict[str, Any]], list[dict[str, Any]], str]) -> None:
            if self._planned == wanted:
                studies, sizes, why = found
                self.param.update(studies=studies, sizes=sizes)
                if why:
                    self.state.say(why, "error")

        self.desk.run(lambda: _plans(state, learned, name, scope), apply, "")

    def _ask_on(self, *_: Any) -> None:
        """The last answer is in: the next window, or the result."""
        asked = self._asked
        known = asked is not None and asked.estimate is not None
        if known and self.step == "answer" and (not self._narrows or not self._left()):
            self.step = "result"
        self._update()

    def _update(self) -> None:
        state, asked = self.state, self._asked
        self._aim()
        scope = Scope.of(state.filter)
        if asked is None:
            self.param.update(
                where=scope.words(),
                cannot=_cannot(state),
                queue=[],
                progress="",
                share=0.0,
                result=None,
                study="",
            )
            return
        rows = _open_rows(state, asked)[:QUEUE]
        self.param.update(
            where=scope.words() if self.step == "plan" else Scope.of(asked.study).words(),
            cannot=_cannot(state),
            queue=[card(state, int(row)) for row in rows],
            progress=asked.progress,
            share=asked.share,
            study=asked.study.name,
        )
        self._report(asked)
        self._offer()

    def _report(self, asked: Asked) -> None:
        """The result with its sites, once for each state of the study."""
        if asked.estimate is None:
            self.result = None
            return
        if self._told is asked or self.step != "result" or not self._open_now:
            return
        self._told = asked

        def apply(table: pd.DataFrame) -> None:
            if self._told is asked:
                self.result = _result(asked, table)

        self.desk.run(asked.study.report, apply, "")

    def _offer(self, *_: Any) -> None:
        """Thresholds for wanted precisions, from the answers of this study."""
        asked, curve = self._asked, self.state.trust.curve(self.state.active)
        told = (
            asked is not None
            and curve is not None
            and curve.study == asked.study.name
            and self.step == "result"
        )
        if not told or curve is None:
            self.offers = []
            return
        offers = []
        for wanted in WANTED:
            found = curve.threshold_for(wanted)
            known = not found.message
            offers.append(
                {
                    "wanted": wanted,
                    "threshold": round(found.value, 4) if known else None,
                    "words": f"{percent(found.precision.value)} % right "
                    f"({percent(found.precision.low)}–{percent(found.precision.high)}), "
                    f"{percent(found.recall.value)} % of calls found"
                    if known
                    else found.message,
                }
            )
        self.offers = offers


def _open_rows(state: State, asked: Asked) -> np.ndarray:
    """Windows on show that nobody has answered yet."""
    judged = state.learned.judgements.get(asked.class_, {})
    return np.array([row for row in asked.rows if int(row) not in judged], dtype=np.int64)


def _cannot(state: State) -> str:
    """What of the filter a study cannot be kept to, in words."""
    rest = state.filter.with_(sites=(), since=None, until=None)
    return rest.words()


def _plans(
    state: State, learned: Learned, name: str, scope: Scope
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Studies of the class, and what one of this scope would take; may run in a thread."""
    studies = []
    for study in studies_of(state.collection, learned, name)[::-1]:
        progress = study.progress
        studies.append(
            {
                "name": study.name,
                "where": Scope.of(study).words(),
                "answered": progress.answered,
                "planned": max(progress.planned, progress.answered),
                "here": Scope.of(study) == scope,
            }
        )
    try:
        table = learned.classifier.study_sizes(
            name, sites=scope.sites, since=scope.since, until=scope.until
        )
    except ExplorerError as error:
        return studies, [], str(error)
    sizes = [
        {
            "per_bin": int(row.per_bin),
            "answers": int(row.answers),
            "plus_minus": float(row.plus_minus),
            "minutes": max(1, round(row.answers * SECONDS_EACH / 60)),
        }
        for row in table.itertuples()
    ]
    return studies, sizes, ""


def _result(asked: Asked, table: pd.DataFrame) -> dict[str, Any]:
    """What a study tells, as plain values."""
    rows = table[["site", "windows", "density", "low", "high"]].to_dict(orient="records")
    clean: list[dict[str, Any]] = [
        {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in row.items()}
        for row in rows
    ]
    return {
        "whole": clean[0],
        "sites": clean[1:],
        "level": float(table.loc[0, "level"]),
        "words": f"In {percent(clean[0]['density'])} % of windows",
        "between": f"{percent(clean[0]['low'])}–{percent(clean[0]['high'])} %",
        "answers": {name: int(table.loc[0, name]) for name in ("yes", "no", "unsure")},
        "methods": str(table.attrs["sentence"]),
        "more": asked.more,
        "within": asked.within,
        "note": asked.note,
    }
