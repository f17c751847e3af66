"""A student's page: join with a name, listen, answer, and afterwards see how it went."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import param

from explorer.dashboard.frame.piece import asset
from explorer.dashboard.workshop import views
from explorer.dashboard.workshop.visitor import Often, Page
from explorer.errors import ExplorerError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.dashboard.workshop.room import News, Room

STAGE_EVERY_S, CROWD_EVERY_S = 0.1, 1.0
SECRET_LETTERS = 100


class StudentPage(Page):
    """Everything that one student sees; what she may not know yet is not there."""

    _esm = asset("dom.js", "workshop.js", "workshop-clip.js", "workshop-student.js")

    exercise = param.Dict(default=None, allow_None=True, doc="What all students may know.")
    who = param.String(default="", doc="Under which name; empty before joining.")
    first = param.List(doc="Her answers before the reveal, None where there is none.")
    now = param.List(doc="Her answers as they are now.")

    def __init__(self, room: Room, **params: Any) -> None:
        super().__init__(room, exercise=views.public(room), **params)
        self._secret = ""
        self._joined_to: Any = None
        self._leave: Callable[[], None] | None = None
        self._stage = Often(self.desk, self._update_stage, STAGE_EVERY_S)
        self._crowd = Often(self.desk, self._update_crowd, CROWD_EVERY_S)
        self.follow(self._news)
        self.desk.at_end(self._gone)

    # --- what the student does ------------------------------------------------------------------

    def do_join(self, name: str, secret: str = "") -> None:
        """Take part; without a secret she is new, with one she may be back."""
        if not isinstance(name, str) or not isinstance(secret, str):
            raise ParameterError("a name is text")
        self._secret = secret[:SECRET_LETTERS] or secrets.token_urlsafe(16)
        if self.room.exercise is None:
            self._wait_as(name)
            return
        self._join(name)

    def do_answer(self, clip: int, answer: str) -> None:
        """Answer a clip; the page is told when it is on disk."""
        if not self.who:
            raise ParameterError("join with a name first")

        def kept(error: Exception | None) -> None:
            self.desk.soon(self._kept, clip, answer, error)

        try:
            self.room.answer(self.who, clip, answer, kept)
        except ExplorerError as error:
            self.tell(kind="refused", clip=clip, answer=answer)
            self.say(str(error), "error")
        self._update_answers()

    # --- inside ---------------------------------------------------------------------------------

    def _wait_as(self, name: str) -> None:
        """There is nothing to join yet: the name is kept until there is."""
        self.who = views.person(name)
        self._keep_secret()

    def _join(self, name: str) -> None:
        room, exercise = self.room, self.room.exercise
        self._joined_to = exercise

        def joined(who: str) -> None:
            if self._leave is not None:
                self._leave()
            self._leave = room.enter(who)
            self.who = who
            self._update_answers()
            self._update_stage()
            self._keep_secret()

        self.desk.run(lambda: room.join(name, self._secret), joined, "")

    def _keep_secret(self) -> None:
        self.tell(kind="joined", who=self.who, secret=self._secret)

    def _kept(self, clip: int, answer: str, error: Exception | None) -> None:
        self.tell(kind="kept" if error is None else "lost", clip=clip, answer=answer)
        if error is not None:
            self.say("This answer could not be written down. Tell your teacher.", "error")

    def _news(self, news: News) -> None:
        if news == "stage":
            self._stage()
        else:
            self._crowd()

    def _update_stage(self) -> None:
        exercise = self.room.exercise
        if self.who and exercise is not None and exercise is not self._joined_to:
            self._join(self.who)  # the teacher went over to another exercise
            return
        self._update_answers()
        self.exercise = views.public(self.room)

    def _update_crowd(self) -> None:
        self.exercise = views.public(self.room)

    def _update_answers(self) -> None:
        first, now = self.room.answers_of(self.who)
        self.param.update(first=first, now=now)

    def _gone(self) -> None:
        if self._leave is not None:
            self._leave()
