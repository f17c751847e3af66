"""The classroom's pages, for the server.

What `explorer.dashboard.serving.serve` takes of here::

    classroom = Classroom(collection, address=address)      # room and teacher's code are made here
    pages |= classroom.pages()                              # "/", "/exercise", "/teacher"
    extra_patterns += classroom.routes()                    # pictures, sounds, packed scripts
    print(classroom.welcome(server.port))                   # what the terminal says

The dashboard keeps an address of its own beside these pages. Whoever may see it sees labels, and so
the right answers: `Classroom.for_teacher` lets only the teacher's machine have a page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import panel as pn

from explorer.dashboard.workshop.addresses import is_this_machine, room_urls
from explorer.dashboard.workshop.clips import ClipHandler
from explorer.dashboard.workshop.room import Room
from explorer.dashboard.workshop.scripts import ScriptHandler
from explorer.dashboard.workshop.student import StudentPage
from explorer.dashboard.workshop.teacher import TeacherPage

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for others."""


class Classroom:
    """One room on one collection.

    Parameters
    ----------
    collection
        Whose sounds are listened to.
    teacher_code
        Lets the teacher in from another machine than the serving one; None makes one.
    address
        The address on which the server listens.
    dashboard
        Address of the dashboard, for a link on the teacher's page; none if empty.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        teacher_code: str | None = None,
        address: str = "localhost",
        dashboard: str = "",
    ) -> None:
        self.room = Room(collection)
        self.code = new_code() if teacher_code is None else teacher_code
        self._address, self._dashboard = address, dashboard

    def pages(self) -> dict[str, Callable[[], Any]]:
        """The pages by address; they replace a page at ``/``."""

        def student() -> Any:
            return StudentPage(self.room)

        def teacher() -> Any:
            return TeacherPage(
                self.room, self.code, served=self._address, dashboard=self._dashboard
            )

        return {"/": student, "/exercise": student, "/teacher": teacher}

    def routes(self) -> list[tuple[str, Any, dict[str, Any]]]:
        """What Tornado serves beside the pages."""
        clip = r"/workshop/clip/([\w-]+)/(\w+)\.(light|dark|sound)"
        return [
            (clip, ClipHandler, {"room": self.room}),
            (r"/workshop/script/([\w-]+\.min\.js)", ScriptHandler, {}),
        ]

    def for_teacher(self, page: Callable[[], Any]) -> Callable[[], Any]:
        """A page that only the serving machine gets; others are sent to the room."""

        def guarded() -> Any:
            document = pn.state.curdoc
            context = None if document is None else document.session_context
            request = getattr(context, "request", None)
            if context is None or is_this_machine(request):
                return page()
            return StudentPage(self.room)

        return guarded

    def welcome(self, port: int) -> str:
        """What the terminal says: where to go, and the teacher's code."""
        lines = [f"Teacher, on this machine: http://localhost:{port}/teacher"]
        urls = room_urls(f"localhost:{port}", self._address)
        if urls:
            lines.append(f"Students: {'  or  '.join(urls)}")
            lines.append(f"Teacher's code on another machine: {self.code}")
        else:
            lines.append("Students: only this machine can come in; serve with --address 0.0.0.0")
        return "\n".join(lines)


def new_code() -> str:
    """A code that can be read from a terminal and typed, and not be guessed."""
    letters = [secrets.choice(CODE_LETTERS) for _ in range(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])
