"""From "how far can I trust it?" to a number for the paper, as a person sees it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import explorer as ex
from explorer.collection.card import Card


@pytest.fixture
def holds(collection, repository):
    """Which windows hold a buzz, and some of them labelled before anybody looks."""
    reef = ex.open(collection)
    truth = pd.read_csv(repository / "data" / "demo" / "truth.csv")
    windows = reef.windows()
    found = np.zeros(len(windows), dtype=bool)
    for call in truth[truth["class"] == "buzz"].itertuples():
        common = np.minimum(windows["end_s"], call.end_s) - np.maximum(
            windows["start_s"], call.start_s
        )
        found |= ((windows["recording"] == call.recording) & (common > 0.5)).to_numpy()
    reef.label(np.flatnonzero(found)[::3], "buzz", who="ada")
    reef.label(np.flatnonzero(~found)[::25], "buzz", "negative", who="ada")
    reef.close()
    return found


def test_trust_it_count_it_and_take_it_along(page, served, collection, holds):
    reef = ex.open(collection)
    study = reef.classifier(kind="centroid").study("buzz", per_bin=4)
    asked = study.to_label(None).index
    for row in asked[:-5]:
        study.label([row], "positive" if holds[row] else "negative", who="ada")

    # How well it is found is there without asking, with what it rests on.
    page.goto(f"{served}?screen=check&class=buzz")
    trust = page.get_by_role("region", name="How well it is found")
    trust.locator(".figures b").first.wait_for()
    trust.get_by_text(re.compile("Labels were chosen|drawn at random")).wait_for()
    trust.get_by_role("img", name=re.compile("ROC curve")).wait_for()
    classes = page.get_by_role("region", name="Classes")
    classes.get_by_text("AUC").first.wait_for()

    # The threshold answers the keyboard, and can be undone.
    slider = trust.get_by_role("slider", name="Threshold")
    slider.focus()
    page.keyboard.press("ArrowRight")
    trust.get_by_text("at or above .51").wait_for()

    # The study: what it would take, then on with the one that was begun.
    page.get_by_role("button", name="Count: how much is there?").click()
    count = page.get_by_role("region", name="How much is there?")
    count.get_by_text(re.compile(r"about ±")).first.wait_for()
    assert count.get_by_role("button", name=re.compile("^Draw")).is_enabled()
    count.get_by_role("button", name=re.compile("Go on")).click()
    count.get_by_text("Do you hear").wait_for()
    assert count.locator(".score").count() == 0
    for row in study.to_label(None).index:
        count.locator(".spectrogram img").wait_for()
        answered = count.get_by_text(re.compile(r"^\d+ of \d+ windows answered")).inner_text()
        page.keyboard.press("y" if holds[row] else "n")
        count.get_by_text(answered, exact=True).wait_for(state="detached")

    # The result, with sites, and a sentence for the paper.
    count.get_by_text(re.compile(r"^In [\d.]+ % of windows")).wait_for()
    count.get_by_role("row", name=re.compile("RIDGE")).wait_for()
    assert "Navine et al. 2024" in count.locator(".methods").inner_text()
    with page.expect_download() as download:
        count.get_by_role("button", name="Table as CSV").click()
    table = pd.read_csv(download.value.path())
    assert table.loc[0, "density"] == pytest.approx(study.density().value)
    count.get_by_role("button", name="Use", exact=True).first.click()
    page.get_by_text(re.compile(r"^Threshold [\d.]+: ")).wait_for()

    # And away: saved, with its card and its file.
    page.get_by_role("button", name="Use it elsewhere").click()
    carry = page.get_by_role("region", name="Use it elsewhere")
    carry.get_by_label("Name to save it under").fill("buzzes")
    page.keyboard.press("Enter")
    carry.get_by_text("Saved as").wait_for()
    with page.expect_download() as download:
        carry.get_by_role("button", name="HTML").click()
    html = download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename == "buzzes-card.html"
    assert html.count("<audio") == 4
    assert "http:" not in html
    assert "https:" not in html
    with page.expect_download() as download:
        carry.get_by_role("button", name="JSON").click()
    facts = Card.from_json(download.value.path()).facts
    assert facts["classes"][0]["density"]["study"] == "buzz"
    with page.expect_download() as download:
        carry.get_by_role("button", name="Download the file").click()
    kept = collection / "classifiers" / "buzzes.safetensors"
    assert download.value.path().read_bytes() == kept.read_bytes()


@pytest.mark.parametrize("size", [(1440, 900), (1280, 800), (768, 1024)])
def test_nothing_sticks_out_at_any_size(page, served, holds, size, box_of):
    page.emulate_media(color_scheme="dark" if size[0] == 1280 else "light")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{served}?screen=check&class=buzz")
    trust = page.get_by_role("region", name="How well it is found")
    trust.locator(".figures b").first.wait_for()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size[0]
    box = box_of(trust)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
