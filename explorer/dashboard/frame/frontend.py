"""Where a notebook is shown, and how what a view needs gets there: JupyterLab, VS Code or Colab.

JupyterLab carries a view's messages itself; VS Code and Colab carry them as an ipywidget's, and in
their own way. Field stations have no internet: all JavaScript is written into the notebook, once,
with the first view; Colab, which is nothing without the internet, fetches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Literal

import panel as pn
from bokeh.document import Document
from bokeh.models.ui import UIElement
from panel.io.notebook import patch_inline_stylesheets

from explorer.dashboard.frame.desk import notebook_turn

Frontend = Literal["default", "vscode", "colab"]
"""Panel's names for how messages go between page and kernel."""

WIDGETS = ("vscode", "ipywidgets")
"""Of them, those that carry messages as an ipywidget's."""

NEEDS_WIDGETS = (
    "In {where} a view needs the package jupyter_bokeh to hear you: pip install jupyter_bokeh, and "
    "restart the kernel. Until then views are pictures."
)

LOADING_S = 4.0
"""So long the page has to take in what views are made of, before the first is drawn."""
AGAIN_S = (6.0, 12.0, 24.0, 48.0)
"""A widget that is drawn before the page knows what it is made of is never drawn, and nobody says
so: while nothing is heard of it, it is drawn again after these pauses."""
LOADING = "<i>The views are being loaded into this notebook …</i>"

_loaded_in: dict[Any, float] = {}
"""Cells whose output holds the JavaScript, and when; run again, they must hold it again."""


def frontend(
    modules: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    names: Mapping[str, Any] | None = None,
) -> Frontend:
    """What shows this notebook.

    Parameters
    ----------
    modules, environment, names
        What is imported, the environment and the notebook's variables; None for those of this
        process.

    Examples
    --------
    >>> frontend({}, {}, {})
    'default'
    >>> frontend({"google.colab": ...}, {}, {})
    'colab'
    >>> frontend({}, {}, {"__vsc_ipynb_file__": "/home/ada/reef.ipynb"})
    'vscode'
    """
    modules = sys.modules if modules is None else modules
    environment = os.environ if environment is None else environment
    if names is None:
        shell = _shell()
        names = {} if shell is None else shell.user_ns
    if "google.colab" in modules:
        return "colab"
    # The variable is there for a kernel on another machine, too; the others for older versions.
    if "__vsc_ipynb_file__" in names or {"VSCODE_PID", "VSCODE_CWD"} & set(environment):
        return "vscode"
    return "default"


def load() -> None:
    """Have the notebook load what its views need, unless an earlier cell did."""
    cell, _ = running_cell()
    if _loaded_in and cell not in _loaded_in:
        return
    where = frontend()
    chosen: dict[str, Any] = {"inline": where != "colab"}
    if pn.config.comms == "default" and where != "default":
        if find_spec("jupyter_bokeh") is None:
            warnings.warn(NEEDS_WIDGETS.format(where=_NAMES[where]), stacklevel=4)
        else:
            chosen["comms"] = where
    pn.extension(**chosen)
    _loaded_in[cell] = time.monotonic()


class Root(pn.Column):
    """The outermost layout of what a cell shows; VS Code gets it as an ipywidget."""

    is_heard: Callable[[], bool] = staticmethod(lambda: True)
    """Whether the page has answered; for whoever makes the layout to say."""

    def widget(self) -> Any:
        """As an ipywidget, to stand in a layout of ipywidgets.

        Raises
        ------
        ImportError
            If the package jupyter_bokeh is missing.

        Examples
        --------
        >>> ipywidgets.HBox([reef.map().widget(), ...])      # doctest: +SKIP
        """
        return self._drawn()[0]

    def _drawn(self) -> tuple[Any, Callable[[], None]]:
        """The widget, and what lets go of it."""
        from jupyter_bokeh.widgets import BokehModel  # noqa: PLC0415

        drawn = [self.get_root(Document())]
        # Combining events would lose all but the last of several messages.
        made = BokehModel(drawn[0], combine_events=False)
        made.layout.width = "100%"
        made._view_count = 0

        def shown(change: Any) -> None:
            """Somebody scrolled away, and perhaps back: then all is drawn anew."""
            if change["old"] and not change["new"] and drawn:
                self._cleanup(drawn.pop())
            elif change["new"] and not change["old"] and not drawn:
                drawn.append(self.get_root(Document()))
                made.update_from_model(drawn[0])

        def let_go() -> None:
            made.unobserve_all()  # it closes itself, and cannot bear to be closed twice
            if drawn:
                self._cleanup(drawn.pop())

        made.observe(shown, "_view_count")
        return made, let_go

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """What is changed within goes out at the end, as `_preprocess` left it."""
        documents = [model.document for model, _ in self._models.values() if model.document]
        for document in documents:
            document.hold()
        try:
            yield
        finally:
            for document in documents:
                document.unhold()

    def _on_msg(self, *args: Any) -> None:
        with notebook_turn:
            super()._on_msg(*args)

    def _preprocess(self, root: Any, changed: Any = None, old_models: Any = None) -> None:
        """Have a widget, too, carry its stylesheets itself: Panel does so for JupyterLab alone."""
        super()._preprocess(root, changed, old_models)
        drawn = (self if changed is None else changed)._models.get(root.ref["id"])
        if drawn is not None and pn.config.inline and pn.config.comms in WIDGETS:
            for model in drawn[0].select({"type": UIElement}):
                patch_inline_stylesheets(model)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if pn.config.comms not in WIDGETS:
            return super()._repr_mimebundle_(include, exclude)
        return self._soon()._repr_mimebundle_(include=include, exclude=exclude), {}

    def _soon(self) -> Any:
        """The widget in a box, in which it is drawn again until the page has answered."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.widget()
        from ipywidgets import HTML, VBox  # noqa: PLC0415

        box = VBox([HTML(LOADING)])
        pauses = iter(AGAIN_S)
        let_go: Callable[[], None] | None = None

        def draw() -> None:
            nonlocal let_go
            if let_go is not None and self.is_heard():
                return
            with notebook_turn:
                old = let_go
                made, let_go = self._drawn()
                box.children = [made]
                if old is not None:
                    old()
            if (pause := next(pauses, None)) is not None:
                loop.call_later(pause, draw)

        wait_s = max(_loaded_in.values(), default=0.0) + LOADING_S - time.monotonic()
        if wait_s > 0:
            loop.call_later(wait_s, draw)
        else:
            draw()
        return box


_NAMES: dict[Frontend, str] = {"vscode": "VS Code", "colab": "Colab", "default": "this notebook"}


def _shell() -> Any:
    """The notebook's IPython shell, or None elsewhere."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def running_cell() -> tuple[Any, int]:
    """The cell that runs now, and the number of this run.

    A cell that cannot be told from others is never the same twice.
    """
    shell = _shell()
    try:
        cell = shell.get_parent()["metadata"].get("cellId")
        return cell or object(), shell.execution_count
    except (AttributeError, KeyError, TypeError):
        return object(), 0


__all__ = ["Frontend", "Root", "frontend", "load", "running_cell"]
