"""A saved classifier on the map, as a person sees it: before, after adapting, and back."""

from __future__ import annotations

from dataclasses import replace

import explorer as ex
from explorer.collection.transfer import Origin


def colours(page):
    """The map as a picture."""
    return page.locator("canvas.base").evaluate("canvas => canvas.toDataURL()")


def made_elsewhere(reef, name):
    """Save a classifier whose file says that embeddings were spread otherwise where it was made."""
    made = reef.classifier({"first": [3, 4, 5]})
    here = Origin.of(made)
    there = replace(here.statistics, mean=here.statistics.mean + 0.5 * here.statistics.spread[::-1])
    made.origin = replace(here, collection="elsewhere", statistics=there)
    made.save(name)


def test_before_and_after_can_be_seen_and_undone(page, served, collection):
    made_elsewhere(ex.open(collection), "calls")
    page.goto(served)
    page.locator("article.sound img").first.wait_for()
    panel = page.get_by_label("Saved classifier", exact=True)
    panel.get_by_label("Show a saved classifier").select_option("calls")
    panel.get_by_text("Adapt to this place").click()
    panel.get_by_text("Undo").wait_for()
    assert panel.get_by_role("button", name="After").get_attribute("aria-pressed") == "true"
    assert panel.locator(".says").inner_text()
    page.get_by_text("first, by calls, after adapting").first.wait_for()
    after = colours(page)
    panel.get_by_role("button", name="Before").click()
    page.get_by_text("first, by calls, before adapting").first.wait_for()
    page.wait_for_timeout(300)
    assert colours(page) != after
    panel.get_by_text("Undo").click()
    panel.get_by_text("Adapt to this place").wait_for()
    panel.get_by_label("Close").click()
    panel.get_by_label("Show a saved classifier").wait_for()
    assert list(ex.open(collection).classifiers["name"]) == ["calls"]
