"""Top: what is open, the screens, search, undo, theme, who is here, and what there is to say."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.finding import find, go, parse_place
from explorer.dashboard.state.state import SCREENS, Similar, State
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

TITLES = {
    "explore": "Explore",
    "check": "Check",
    "activity": "Activity",
    "recordings": "Recordings",
    "together": "Together",
}
MOST_UPLOAD_BYTES = 50 * 2**20


class Header(Piece):
    """The line at the top of the screen."""

    _esm = asset("dom.js", "header.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "header.css")]

    title = param.String()
    facts = param.String()
    user = param.String()
    theme = param.String()
    busy = param.String()
    notice = param.Dict(default=None, allow_None=True)
    searchable = param.Boolean()
    screen = param.String()
    screens = param.List(
        default=[
            [name, TITLES[name]] for name in SCREENS if find_spec(f"explorer.dashboard.{name}")
        ]
    )
    runs = param.List(doc="[run, words] of each encoder run, for the chooser.")
    run = param.String(default=None, allow_None=True)
    undo = param.String(doc="What undo would take back; empty where there is nothing.")
    others = param.List(doc="Names of the others who have this open now.")
    news = param.Dict(default=None, allow_None=True, doc="What they did, told quietly.")
    follow = param.Boolean(doc="Take the theme from the last visit, or from the system.")
    home = param.String(doc="Address of the page that lists the collections, if there is one.")
    log_out = param.String(doc="Address that logs out, if one can.")

    def __init__(
        self, state: State, desk: Desk, switch: Callable[[str], None], **params: Any
    ) -> None:
        super().__init__(
            state,
            desk,
            title=state.collection.name,
            facts=describe(state),
            user=state.user,
            theme=state.theme,
            searchable=state.n_windows > 0,
            screen=state.screen,
            run=state.run,
            runs=_runs(state),
            **params,
        )
        self._switch = switch
        self._parts: dict[str, list[str]] = {}
        watched = ["theme", "busy", "notice", "screen", "steps", "here", "news"]
        state.param.watch(self._update, watched)

    def do_screen(self, name: str) -> None:
        """Open another screen."""
        self.state.screen = name

    def do_run(self, run: str) -> None:
        """Look through another encoder; labels hold for all of them."""
        if run not in [name for name, _ in self.runs]:
            raise ParameterError(f"there is no run {run!r} here")
        if run != self.state.run:
            self._switch(run)

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.state.undo()

    def do_theme(self) -> None:
        """The other theme."""
        self.state.theme = "light" if self.state.theme == "dark" else "dark"

    def do_suggest(self, text: str) -> None:
        """What the letters typed so far may mean."""
        text = str(text)[:200]
        try:
            fits = find(self.state, text)
        except ParameterError:  # somebody is still typing
            fits = []
        self.tell(kind="fits", text=text, fits=[vars(found) for found in fits])

    def do_go(self, kind: str, name: str) -> None:
        """Open, narrow to, select or search with what was chosen."""
        go(self.state, str(kind), str(name))

    def do_search(self, text: str) -> None:
        """Enter was pressed: take the best that the letters may mean."""
        fits = find(self.state, str(text))
        if fits:
            go(self.state, fits[0].kind, fits[0].name)
        else:
            parse_place(str(text), self.state.recordings_known)  # says what would be understood

    def do_upload(self, name: str, part: int, parts: int, data: str) -> None:
        """A piece of a sound file from the browser; the last one starts the search."""
        if not (0 <= part < parts <= 4096) or len(self._parts.get(name, ())) != part:
            self._parts.clear()
            raise ParameterError("the file did not arrive whole: drop it once more")
        pieces = [*self._parts.get(name, []), data]
        if sum(map(len, pieces)) * 3 // 4 > MOST_UPLOAD_BYTES:
            self._parts.clear()
            raise ParameterError(f"{name}: search with a sound of less than 50 MB")
        if part < parts - 1:
            self._parts = {name: pieces}  # one file at a time
            return
        self._parts.clear()
        try:
            content = b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
        except binascii.Error as error:
            raise ParameterError("the file did not arrive whole: drop it once more") from error
        self._search_file(name, content)

    def do_dismiss(self, number: int) -> None:
        """The notice has been read."""
        self.state.dismiss(number)

    def _search_file(self, name: str, content: bytes) -> None:
        state = self.state
        shown = PurePosixPath(name.replace("\\", "/")).name[:80]
        suffix = PurePosixPath(shown).suffix[:8]

        def compute() -> Similar:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"query{suffix if suffix.isascii() else ''}"
                path.write_bytes(content)
                return state.find(path, shown)

        state.background(compute, state.show_similar, f"Listening to {shown}")

    def _update(self, *_: Any) -> None:
        state, notice = self.state, self.state.notice
        self.param.update(
            theme=state.theme,
            busy=state.busy,
            screen=state.screen,
            undo=state.steps[-1].said if state.steps else "",
            notice=None
            if notice is None
            else {"text": notice.text, "kind": notice.kind, "number": notice.number},
            others=[name for name in state.here if name != state.user],
            news=None
            if state.news is None
            else {"text": state.news.text, "number": state.news.number},
        )


def _runs(state: State) -> list[list[str]]:
    runs = state.collection.runs
    if "run" not in runs:
        return []
    return [[str(row.run), f"{row.windows:,} windows"] for row in runs.itertuples()]


def describe(state: State) -> str:
    """What is in the collection, in one line: ``48 recordings · 8.0 h · 9,600 windows · …``."""
    n = len(state.collection.recordings)
    parts = [f"{n:,} recording{'s' * (n != 1)}", hours_of(state.collection)]
    if state.run is not None:
        parts += [f"{state.n_windows:,} windows", _encoder(state)]
    return " · ".join(parts)


def hours_of(collection: Collection) -> str:
    """How long all recordings are: ``8.0 h``, or ``9 min``."""
    hours = float(collection.recordings["duration_s"].sum()) / 3600
    return f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _encoder(state: State) -> str:
    runs = state.collection.runs
    row = runs[runs["run"] == state.run] if "run" in runs else runs.loc[[state.run]]
    return str(row.iloc[0]["encoder"])
