"""The same app as a cell's output in JupyterLab, at a field station: without a network."""

from __future__ import annotations

import json
import shutil

import pytest


def notebook(path, source):
    cell = {
        "cell_type": "code", "id": "look", "metadata": {}, "outputs": [],
        "execution_count": None, "source": source,
    }  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps(
            {
                "nbformat": 4,
                "nbformat_minor": 5,
                "metadata": {"kernelspec": kernel},
                "cells": [cell],
            }
        )
    )


def test_the_app_works_in_jupyterlab_without_a_network(page, jupyterlab, demo, tmp_path):
    collection = shutil.copytree(demo, tmp_path / "reef.collection")
    notebook(
        tmp_path / "look.ipynb",
        f"import explorer as ex\nreef = ex.open({str(collection)!r})\nreef.explore(user='ada')",
    )
    page.goto(f"{jupyterlab}/lab/tree/look.ipynb")
    page.locator(".jp-Cell .cm-content").first.click()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # the kernel answers
    page.keyboard.press("Shift+Enter")

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
    assert page.locator(".jp-Cell").count() <= 2
    assert page.locator(".jp-CodeCell").count() == page.locator(".jp-Cell").count()

    page.locator("article.sound").first.get_by_label("Play").click()
    page.locator("article.sound.playing").wait_for()
    duration = page.locator("audio").first.evaluate("audio => audio.duration")
    assert duration == pytest.approx(3.0, abs=1e-4)
