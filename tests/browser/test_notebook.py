"""The views in JupyterLab's cells, at a field station: without a network."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import explorer


@pytest.fixture
def run(page, jupyterlab, demo):
    """Write a notebook about a copy of the demo, open it, and run its cells."""
    address, folder = jupyterlab

    def run(name, *sources):
        collection = shutil.copytree(demo, folder / f"{name}.collection")
        opening = f"import explorer as ex\nreef = ex.open({str(collection)!r})"
        cells = [
            {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "outputs": [],
             "execution_count": None, "source": source}
            for i, source in enumerate([opening, *sources])
        ]  # fmt: skip
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        text = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
        (folder / f"{name}.ipynb").write_text(json.dumps({**text, "cells": cells}))
        page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
        page.locator(".jp-Cell .cm-content").first.click()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # the kernel answers
        for _ in cells:
            page.keyboard.press("Shift+Enter")
        return collection

    return run


def test_the_app_works_in_jupyterlab_without_a_network(page, run, duration):
    run("look", "reef.explore(user='ada')")
    page.locator("article.sound.focus img").wait_for(timeout=60_000)
    assert page.locator(".user").get_by_text("ada").is_visible()

    # The app's keys work within the app, and the notebook does not hear them.
    page.locator("article.sound").first.click()
    page.keyboard.press("j")
    page.locator("article.sound").nth(1).and_(page.locator(".focus")).wait_for()
    page.locator(".new-class").click()
    page.get_by_label("Name of the new class").fill("dawn song")
    page.keyboard.press("Enter")
    page.locator(".item.active .name", has_text="dawn song").wait_for()
    page.locator("article.sound").nth(2).click()
    page.keyboard.press("y")
    page.get_by_text("2 examples").wait_for()
    assert page.locator(".jp-Cell").count() == page.locator(".jp-CodeCell").count() == 3

    page.locator("article.sound").first.get_by_label("Play").click()
    page.locator("article.sound.playing").wait_for()
    assert duration(page.locator("audio").first) == pytest.approx(3.0, abs=1e-4)


@pytest.mark.parametrize("carried", ["default", "ipywidgets"])
def test_views_in_cells_are_linked(page, run, lasso, carried):
    """As an ipywidget, too: so do VS Code and Colab get them."""
    collection = run(
        carried,
        f"import os; os.environ['PANEL_COMMS'] = {carried!r}",
        "where = reef.map(user='ada')\nwhere",
        "reef.listen(user='ada')",
        "hits = reef.search(3, k=5)\nhits.listen(user='ada')",
        "where.selected.index.tolist()",
    )
    cell = page.locator(".jp-Cell").nth
    sounds, hits = cell(3), cell(4)
    hits.locator("article.sound img").first.wait_for(timeout=90_000)
    sounds.locator("article.sound img").first.wait_for()
    assert page.locator("[data-explorer-still]").count() == 0  # the pictures have gone

    # What is drawn around on the map is heard in the next cell; hits stay hits.
    xy = explorer.open(collection).projection()
    rows = np.argsort(((xy - xy[20]) ** 2).sum(axis=1))[:6]
    cell(2).scroll_into_view_if_needed()
    lasso(page, xy, rows)
    title = sounds.get_by_label("Sounds", exact=True).locator(".title")
    title.get_by_text("selected").wait_for()
    chosen = int(title.locator("b").inner_text().split()[0])
    assert chosen >= 6
    assert "5 sounds" in hits.locator(".title").inner_text()

    # A class that is made in one cell is judged for in the other.
    sounds.locator(".new-class").click()
    sounds.get_by_label("Name of the new class").fill("tone")
    page.keyboard.press("Enter")
    sounds.get_by_text(f"{chosen} examples").wait_for()
    card = hits.locator("article.sound:not(.judged)").first
    card.locator(".words").click()
    for key in "xx":  # it would cut the notebook's cell
        page.keyboard.press(key)
    page.keyboard.press("y")
    sounds.get_by_text(f"{chosen + 1} examples").wait_for()
    page.keyboard.press("z")
    sounds.get_by_text(f"{chosen} examples").wait_for()
    assert page.locator(".jp-CodeCell").count() == 7
    assert page.locator(".jp-MarkdownCell").count() == 0

    # A closer look opens once, in the cell that asked.
    page.keyboard.press("Enter")
    page.locator("dialog[open] .plot img").first.wait_for()
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
