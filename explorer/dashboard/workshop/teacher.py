"""The teacher's page: make an exercise, let it be answered, reveal, discuss, and look back."""

from __future__ import annotations

import base64
import hmac
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import panel as pn
import param

from explorer.collection.exercise_clips import FEWEST, MOST, UNSURE
from explorer.collection.handover import write
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.workshop import views
from explorer.dashboard.workshop.addresses import is_this_machine, qr_path, room_urls
from explorer.dashboard.workshop.visitor import Often, Page
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.dashboard.workshop.room import News, Room

EVERY_S = 0.25


class TeacherPage(Page):
    """Everything that the teacher sees; nothing of it before she has shown the code."""

    _esm = asset(
        "dom.js",
        "files.js",
        "workshop.js",
        "workshop-clip.js",
        "workshop-results.js",
        "workshop-teacher.js",
    )
    _stylesheets: ClassVar[list[str]] = [*Page._stylesheets, asset("workshop-teacher.css")]

    inside = param.Boolean(default=False, doc="Whether the code was right.")
    room_view = param.Dict(default=None, allow_None=True, doc="The exercise, live.")
    made = param.List(doc="Exercises that there are: name, question, clips, people, phase.")
    classes = param.List(doc="What an exercise can be about: name, yes, no (labelled windows).")
    prepared = param.List(doc="The clips with what is right, while the teacher looks at them.")
    urls = param.List(doc="Where students find the room.")
    qr = param.List(doc="The first of these as a QR code: an SVG path, and its size.")
    dashboard = param.String(doc="Address of the dashboard.")
    limits = param.List(default=[FEWEST, MOST])

    def __init__(self, room: Room, code: str, *, served: str = "localhost", **params: Any) -> None:
        super().__init__(room, **params)
        self._code, self._served = code, served
        self._often = Often(self.desk, self._update, EVERY_S)
        request = _request()
        if is_this_machine(request):
            self._let_in()

    # --- coming in ------------------------------------------------------------------------------

    def do_enter(self, code: str) -> None:
        """Show the code that stands in the terminal."""
        given = "".join(str(code).lower().split())
        if not hmac.compare_digest(given.encode(), self._code.encode()):
            raise ParameterError(
                "this is not the teacher's code: it stands in the terminal of the serving machine"
            )
        self._let_in()

    def _let_in(self) -> None:
        request = _request()
        host = "localhost" if request is None else str(request.headers.get("Host", "localhost"))
        urls = room_urls(host, self._served)
        self.param.update(inside=True, urls=urls, qr=list(qr_path(urls[0])) if urls else [])
        self._list()
        self._update()
        self.follow(self._news)

    def _handle_msg(self, data: Any) -> None:
        # Whoever has not come in can do nothing but try to.
        if not self.inside and isinstance(data, dict):
            allowed = data.get("action") in ("enter", "hello", "dismiss")
            data = data if allowed else {"action": "enter", "code": ""}
        super()._handle_msg(data)

    # --- making ---------------------------------------------------------------------------------

    def do_make(self, classes: list[str], clips: str, n: int, name: str = "") -> None:
        """Make an exercise and go over to it."""
        if clips not in ("labelled", "ranked"):
            raise ParameterError("an exercise is made of labelled windows or of a ranking")
        room = self.room

        def make() -> None:
            exercise = room.collection.new_exercise(
                [str(c) for c in classes], clips, n=int(n), name=str(name), seed=len(self.made)
            )
            room.choose(exercise)

        self.desk.run(make, lambda _: self._list(), "Making the exercise")

    def do_choose(self, name: str) -> None:
        """Go over to an exercise that was made before."""
        room = self.room
        self._do(lambda: room.choose(room.collection.exercise(str(name))))

    def do_again(self) -> None:
        """The same clips for another class."""
        room, exercise = self.room, self.room.exercise
        if exercise is None:
            raise ParameterError("there is no exercise to give again")
        self._do(lambda: room.choose(exercise.again()))

    def do_prepare(self, on: bool) -> None:
        """Look at the clips and at what is right, or put them away again."""
        self.prepared = views.preparation(self.room) if on else []

    def do_settle(self, clip: int, right: str) -> None:
        """Say what is right."""
        self._do(lambda: self.room.settle(clip, right or None))

    def do_leave_out(self, clip: int) -> None:
        """Take a clip out."""
        self._do(lambda: self.room.leave_out(clip))

    # --- leading --------------------------------------------------------------------------------

    def do_start(self) -> None:
        """Let people answer."""
        self._do(self.room.start)

    def do_reveal(self) -> None:
        """Show what all answered."""
        self._do(self.room.reveal)

    def do_tell(self, clip: int | None = None) -> None:
        """Show what is right."""
        self._do(lambda: self.room.tell(clip))

    def do_point(self, clip: int) -> None:
        """Discuss this clip."""
        self.room.point(int(clip))

    def do_majority(self) -> None:
        """Make labels of what most answered."""
        self.desk.run(
            self.room.take_majority,
            lambda n: self.say(f"{n} labels, under the name “workshop”. They can be taken back."),
            "",
        )

    def do_give_back(self) -> None:
        """Take these labels back."""
        self._do(self.room.give_back)

    def do_download(self) -> None:
        """All answers as a table that a spreadsheet opens safely."""
        exercise = self.room.exercise
        if exercise is None:
            raise ParameterError("there is no exercise yet")

        def table() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "answers.csv"
                write(exercise.answers(), path, "csv", exercise.collection)
                return path.read_bytes()

        def send(data: bytes) -> None:
            kept = "".join(c if c.isalnum() else "-" for c in exercise.name)
            text = base64.b64encode(data).decode()
            self.tell(kind="file", name=f"{kept}-answers.csv", mime="text/csv", data=text)

        self.desk.run(table, send, "")

    # --- inside ---------------------------------------------------------------------------------

    def _do(self, act: Any) -> None:
        """Off the event loop, as it waits for the disk."""
        self.desk.run(act, lambda _: self._list(), "")

    def _news(self, news: News) -> None:
        self._often()

    def _update(self) -> None:
        self.room_view = views.teacher(self.room)
        if self.prepared:
            self.do_prepare(True)

    def _list(self) -> None:
        collection = self.room.collection
        labels = collection.labels()
        said = labels.groupby(["class", "judgement"]).size() if len(labels) else {}
        self.made = collection.exercises.drop(columns="created_at").to_dict("records")
        self.classes = [
            {
                "name": name,
                "yes": int(said.get((name, "positive"), 0)),
                "no": int(said.get((name, "negative"), 0)),
            }
            for name in (sorted(labels["class"].unique()) if len(labels) else [])
            if name not in ("yes", "no", "none", UNSURE)
        ]
        self._update()


def _request() -> Any:
    document = pn.state.curdoc
    context = None if document is None else document.session_context
    return getattr(context, "request", None)
