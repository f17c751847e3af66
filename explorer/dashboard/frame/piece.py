"""A piece of the screen: Python that knows the state, JavaScript that draws and listens.

Both sides speak in two ways only. Down: parameters, which always hold all that the piece shows, so
that it can be drawn again at any time (and messages for what is too heavy to keep, such as sound).
Up: messages ``{"action": name, …}``, which call the method ``do_name`` with the other entries.

What arrives from a browser is never trusted: only methods that begin with ``do_`` can be called,
and whatever fails is told on the screen and logged, never swallowed.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, ClassVar

import panel as pn
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

TAKES = {"annotator": "labelling", "owner": "saving and embedding"}
"""What the roles are for, as it is said on what is greyed out."""


def asset(*names: str) -> str:
    """Text of files in ``assets/``, one after the other."""
    folder = files("explorer.dashboard") / "assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


class Piece(pn.custom.JSComponent):
    """Base of the pieces; a subclass names its JavaScript and its stylesheet.

    Parameters
    ----------
    state
        What the session's screen is about.
    desk
        Where its heavy work goes.
    """

    whole_page = param.Boolean(default=True, doc="False in a notebook, with its own keys.")
    carrier = param.String(doc="How messages go between page and kernel, in Panel's words.")
    refusals = param.Dict(
        default={}, doc="Why this person may not do what takes a role, by role; else empty."
    )

    _esm = "export function render() { return document.createElement('div') }"
    _stylesheets: ClassVar[list[str]] = []

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        refusals = {role: state.refusal(role, doing) for role, doing in TAKES.items()}
        super().__init__(
            whole_page=desk.served, carrier=pn.config.comms, refusals=refusals, **params
        )
        self.state = state
        self.desk = desk

    def tell(self, **message: Any) -> None:
        """Send a message down."""
        self._send_msg(message)

    def _send_event(self, Event: Any, **values: Any) -> None:
        super()._send_event(Event, **values)
        # An ipywidget has the piece in a document of its own, which Panel does not speak to.
        for root, (model, _) in list(self._models.items()):
            _, _, document, comm = pn.state._views.get(root, (None, None, model.document, None))
            if comm is None and model.document not in (None, document):
                model.document.callbacks.send_event(Event(model=model, **values))

    def do_hello(self) -> None:
        """The piece is on the screen and can be spoken to."""

    def _handle_msg(self, data: Any) -> None:
        with self.desk.turn:
            self._hear(data)

    def _hear(self, data: Any) -> None:
        self.desk.open()
        receipt = data.pop("receipt", None) if isinstance(data, dict) else None
        failed = False
        try:
            action = data.pop("action", "") if isinstance(data, dict) else ""
            handler = getattr(self, f"do_{action}", None)
            if handler is None:
                raise ParameterError(f"this screen does not know the action {action!r}")
            handler(**data)
        except Exception as error:
            failed = True
            self.desk.report(error)
        if receipt is not None:  # heard, and either done or told what is wrong
            self.tell(kind="receipt", receipt=str(receipt)[:40], failed=failed)
