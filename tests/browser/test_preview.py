"""A saved classifier on two small maps, as a person sees it: before, after adapting, and back."""

from __future__ import annotations

from dataclasses import replace

import explorer as ex
from explorer.collection.transfer import Origin


def drawn(canvas):
    """How many pixels of a small map are drawn on."""
    return canvas.evaluate(
        """canvas => {
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
          let drawn = 0
          for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0
          return drawn
        }"""
    )


def made_elsewhere(reef, name):
    """Save a classifier whose file says that embeddings were spread otherwise where it was made."""
    made = reef.classifier({"first": [3, 4, 5]})
    here = Origin.of(made)
    there = replace(here.statistics, mean=here.statistics.mean + 0.5 * here.statistics.spread[::-1])
    made.origin = replace(here, collection="elsewhere", statistics=there)
    made.save(name)


def test_before_and_after_lie_side_by_side_and_can_be_undone(page, served, collection):
    made_elsewhere(ex.open(collection), "calls")
    page.goto(f"{served}?screen=check")
    page.get_by_role("button", name="Use it elsewhere").click()
    panel = page.get_by_role("region", name="Use it elsewhere")
    panel.get_by_label("Open a saved classifier").select_option("calls")
    panel.get_by_text("made in elsewhere").wait_for()
    assert panel.locator("canvas").count() == 1
    panel.get_by_text("Adapt to this place").click()
    panel.get_by_role("button", name="Undo").wait_for()
    panel.get_by_text("more", exact=False).first.wait_for()
    maps = panel.locator("canvas")
    assert maps.count() == 2
    assert min(drawn(maps.nth(0)), drawn(maps.nth(1))) > 50
    assert "at or above .50" in maps.nth(1).get_attribute("aria-label")
    assert panel.locator(".sentence").inner_text()

    # On the large map, and back to one's own.
    panel.get_by_text("on the large map").last.click()
    page.get_by_text("first, by calls, after adapting").first.wait_for()
    page.get_by_role("region", name="Score").get_by_text("close").click()
    page.get_by_text("first, by calls").first.wait_for(state="detached")

    page.get_by_text("Check", exact=True).first.click()
    panel.get_by_role("button", name="Undo").click()
    panel.get_by_text("Adapt to this place").wait_for()
    assert panel.locator("canvas").count() == 1
    panel.get_by_label("Close").click()
    panel.get_by_label("Open a saved classifier").wait_for()
    assert list(ex.open(collection).classifiers["name"]) == ["calls"]
