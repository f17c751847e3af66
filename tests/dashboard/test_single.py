"""The views in a notebook's cells: linked with each other, and a picture where nobody answers."""

from __future__ import annotations

import asyncio
import gc

import numpy as np
import panel as pn
import pytest
from panel.io.notebook import ipywidget
from tone_recordings import PITCHES, make_tones, windows_of

from explorer.collection.collection import Collection
from explorer.dashboard.explore.map import MapPiece
from explorer.dashboard.frame import frontend as notebook
from explorer.dashboard.frame.frontend import frontend
from explorer.dashboard.single import session as sessions
from explorer.dashboard.single import views
from explorer.dashboard.single.sounds import GIVEN, Given, Sounds
from explorer.dashboard.single.stills import map_still, when_still
from explorer.dashboard.state.facts import gather
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return make_tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def reef(tones, monkeypatch):
    """Windows of four pitches, with a map of them (any will do)."""
    xy = np.random.default_rng(0).random((tones.n_windows(), 2), dtype=np.float32)
    monkeypatch.setattr(Collection, "projection", lambda self, run=None: xy)
    return tones


def piece(view, kind):
    return next(iter(view.select(kind)))


def send(shown, action, **more):
    shown._handle_msg({"action": action, **more})


def in_a_notebook(show):
    """Call it where an event loop runs, as in a notebook's kernel."""

    async def cell():
        return show()

    return asyncio.run(cell())


def test_views_of_a_collection_look_at_one_state(reef):
    where, sounds = views.show_map(reef, user="ada"), views.show_sounds(reef, user="ada")
    where.state.select([2, 3, 5])
    gallery = piece(sounds, Sounds)
    assert [card["row"] for card in gallery.cards] == [2, 3, 5]
    assert where.selected.index.tolist() == [2, 3, 5]
    assert where.selected.collection is reef
    assert views.show_map(reef, user="ben").state is not where.state


def test_a_state_is_let_go_with_its_last_view(reef):
    view = views.show_map(reef, user="carl")
    assert any("carl" in key for key in sessions._sessions[reef])
    pn.state._views.clear()
    del view
    gc.collect()
    assert not any("carl" in key for key in sessions._sessions[reef])


def test_hits_stay_as_they_are_while_others_are_selected(reef):
    hits = reef.search(7, k=5)
    view = views.show_sounds(reef, hits, user="ada")
    gallery = piece(view, Sounds)
    assert [card["row"] for card in gallery.cards] == hits.index.tolist()
    assert [card["score"] for card in gallery.cards] == pytest.approx(hits["score"].tolist())
    assert gallery.place == GIVEN
    assert gallery.like == "most like what was searched for"
    view.state.select([0, 1])
    assert [card["row"] for card in gallery.cards] == hits.index.tolist()
    send(gallery, "place", place="selection")
    assert [card["row"] for card in gallery.cards] == [0, 1]
    send(gallery, "place", place=GIVEN)
    assert [card["row"] for card in gallery.cards] == hits.index.tolist()


def test_a_table_of_another_hop_is_shown_by_the_windows_nearest_to_it(reef):
    facts = gather(reef.index())
    hits = reef.search(7, k=5)
    moved = hits.assign(start_s=hits["start_s"] + 0.2, end_s=hits["end_s"] + 0.2)
    assert Given.of(facts, moved).rows.tolist() == hits.index.tolist()
    elsewhere = hits.assign(recording="no such.wav")
    assert len(Given.of(facts, elsewhere).rows) == 0
    with pytest.raises(ParameterError, match="recording, start_s and end_s"):
        Given.of(facts, hits[["score"]])
    with pytest.raises(ParameterError, match="numbered from 0"):
        Given.of(facts, [len(facts)])


def test_a_closer_look_opens_in_the_cell_that_asked(reef):
    one, other = views.show_sounds(reef, user="ada"), views.show_sounds(reef, [4, 5], user="ada")
    looks = [piece(view, views.Closer) for view in (one, other)]
    send(piece(other, Sounds), "closer", row=4)
    assert [look.sound is not None for look in looks] == [False, True]
    assert looks[1].sound["of"] == 2
    send(looks[1], "next", by=1)
    assert other.state.closer == 5
    send(looks[1], "close")
    assert [look.sound for look in looks] == [None, None]


def test_the_views_of_a_classifier_go_by_its_scores_whatever_is_labelled(reef):
    name = PITCHES[0]
    made = reef.classifier({name: windows_of(reef, name, 3)})
    view = made.map(user="ada")
    state = view.state
    assert (state.active, state.colour_by) == (name, "score")
    before = state.scores.copy()
    assert before == pytest.approx(made.scores()[:, 0])
    state.judge([int(np.argmin(before))], "positive")
    assert state.scores == pytest.approx(before)
    assert state.judgement(int(np.argmin(before))) == "positive"
    state.undo()
    assert made.listen(user="ada").state is state
    assert reef.map(user="ada").state is not state


def test_when_counts_though_no_screen_is_open(reef):
    view = reef.when(user="ada")
    heat = piece(view, views.HeatMap)
    assert heat.words
    with pytest.raises(ParameterError, match="no class"):
        reef.when(user="ada", class_="nobody has heard of it")


def test_a_cell_is_a_picture_until_page_and_kernel_have_met(reef):
    def show():
        view = reef.map(user="flo")
        assert len(view) == 1  # what is told to it now would be lost
        data, _ = view._repr_mimebundle_()
        assert "data-explorer-still" in data["text/html"]
        assert "data:image/png;base64," in data["text/html"]
        assert len(data["text/html"]) < 100_000  # it is kept in the notebook's file
        send(view._cell, "hello")
        send(view._cell, "theme", dark=True)  # the notebook is
        send(view._cell, "alone")
        assert piece(view, MapPiece).ready
        assert "dark" in view.css_classes
        assert view._cell.awake

    pn.extension()
    in_a_notebook(show)


def test_what_a_cell_showed_before_it_ran_again_is_not_kept_up_to_date(reef, monkeypatch):
    runs = iter([1, 2, 2])
    monkeypatch.setattr(
        "explorer.dashboard.single.view.running_cell", lambda: ("the cell", next(runs))
    )

    def show():
        first = reef.listen(user="dora")
        first._repr_mimebundle_()
        send(first._cell, "alone")
        gallery = piece(first, Sounds)
        reef.listen(user="dora")._repr_mimebundle_()
        first.state.select([1, 2])
        assert gallery.place != "selection"
        assert len(first) == 1

    pn.extension()
    in_a_notebook(show)


def test_as_an_ipywidget_it_is_filled_and_spoken_to(reef):
    def show():
        view = reef.listen(user="eva")
        widget = view.widget()
        sent = []
        widget.send = lambda content, buffers=None: sent.append(str(content))
        send(view._cell, "alone")
        assert any("objects" in text or "children" in text for text in sent)
        del sent[:]
        piece(view, Sounds).tell(kind="why", row=3, proofs=[], sentence="")
        assert any("MessageSent" in text for text in sent)
        assert not widget.combine_events  # or messages would be lost
        assert ipywidget(view) is not None

    in_a_notebook(show)


def test_a_widget_that_the_page_does_not_answer_is_drawn_again(reef, monkeypatch):
    monkeypatch.setattr(notebook, "LOADING_S", 0.0)
    monkeypatch.setattr(notebook, "AGAIN_S", (0.01, 0.01, 0.01))

    async def show():
        view = reef.listen(user="gil")
        box = view._soon()
        drawn = [box.children[0]]
        for _ in range(100):
            await asyncio.sleep(0.005)
            if box.children[0] is not drawn[-1]:
                drawn.append(box.children[0])
                if len(drawn) == 3:
                    send(view._cell, "alone")
        assert len(drawn) == 3  # and no more, once it has answered
        assert len(view._models) == 1

    asyncio.run(show())


@pytest.mark.parametrize(
    ("modules", "environment", "names", "expected"),
    [
        ({"google.colab"}, {}, {}, "colab"),
        (set(), {"VSCODE_PID": "12"}, {}, "vscode"),
        (set(), {}, {"__vsc_ipynb_file__": "reef.ipynb"}, "vscode"),
        (set(), {"TERM_PROGRAM": "vscode", "VSCODE_GIT_IPC_HANDLE": "x"}, {}, "default"),
    ],
    ids=["Colab", "VS Code", "VS Code on a remote kernel", "JupyterLab from VS Code's terminal"],
)
def test_where_the_notebook_is_shown_is_seen(modules, environment, names, expected):
    assert frontend(dict.fromkeys(modules), environment, names) == expected


def test_javascript_is_written_into_a_notebook_once(monkeypatch):
    loaded = []
    cells = iter(["a", "b", "a"])
    monkeypatch.setattr(notebook, "_loaded_in", {})
    monkeypatch.setattr(notebook, "running_cell", lambda: (next(cells), 1))
    monkeypatch.setattr(notebook.pn, "extension", lambda **options: loaded.append(options))
    for _ in range(3):
        notebook.load()
    assert loaded == [{"inline": True}] * 2  # a cell that is run again must hold it again


def test_names_in_a_picture_are_text(reef, monkeypatch):
    view = reef.map(user="ada")
    view.state.colour_by = "class"
    shown = map_still(view._session)
    assert "<script" not in shown
    assert "Map of" in shown
    assert when_still(view._session) == "" or "recorded" in when_still(view._session).lower()


def test_nothing_embedded_is_said_with_what_to_do(tmp_path):
    empty = Collection(tmp_path / "empty.collection")
    with pytest.raises(ParameterError, match=r"call embed\(\) first"):
        empty.map()
