"""When and where: a part is cut out of one picture, and everything else follows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import explorer as ex

PLACES = {
    "LAGOON": (-23.447, 151.955),
    "DROPOFF": (-23.430, 151.930),
    "CREEK": (-23.462, 151.938),
    "RIDGE": (-23.455, 151.915),
}


@pytest.fixture
def grunts(collection, repository):
    """The demo with the places of its sites, and a few labels of one kind of fish."""
    reef = ex.open(collection)
    for site, place in PLACES.items():
        reef.place(site, *place)
    truth = pd.read_csv(repository / "data" / "demo" / "truth.csv")
    windows = reef.windows()
    holds = np.zeros(len(windows), dtype=bool)
    for call in truth[truth["class"] == "grunt"].itertuples():
        inside = (windows["start_s"] <= call.start_s) & (windows["end_s"] >= call.end_s)
        holds |= ((windows["recording"] == call.recording) & inside).to_numpy()
    reef.label(np.flatnonzero(holds)[:8], "grunt", "positive", who="ana")
    reef.label(np.flatnonzero(~holds)[:8], "grunt", "negative", who="ana")
    reef.close()


def map_of(page, site):
    return page.get_by_role("application", name=re.compile(f"{site}\\."))


def test_what_is_brushed_is_what_is_seen_and_heard(page, served, grunts, tmp_path, box_of):
    page.goto(f"{served}?screen=activity&class=grunt")
    lagoon = map_of(page, "LAGOON")
    lagoon.get_by_text("sunrise").wait_for()
    page.get_by_text(re.compile(r"^\d+ windows at or above 0.50 in 9 min")).wait_for()

    # Brush the morning of one site: the filter, the words and the other pictures follow.
    box = box_of(lagoon)
    hour = (box["width"] - 46 - 12) / 24
    page.mouse.move(box["x"] + 46 + 0.5 * hour, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 46 + 4 * hour, box["y"] + 50, steps=3)
    page.mouse.move(box["x"] + 46 + 6.5 * hour, box["y"] + 60, steps=3)
    page.mouse.up()
    page.locator(".looked b", has_text="LAGOON, 00–07 h").wait_for()
    page.locator(".filterbar", has_text="20 of 180 windows").wait_for()
    assert page.locator(".site[aria-pressed=true]").get_attribute("data-site") == "LAGOON"

    # The sounds are of there and then.
    page.get_by_role("button", name=re.compile("^listen to")).click()
    page.locator("article.sound img").first.wait_for()
    cards = page.locator("article.sound").all_inner_texts()
    assert len(cards) > 3
    assert all("LAGOON" in card and re.search(r"0[06]:\d\d", card) for card in cards)

    # And a clear way back, to all of it.
    page.get_by_role("button", name="Activity", exact=True).click()
    page.locator(".looked .clear").click()
    page.locator(".looked").wait_for(state="detached")
    page.locator(".filterbar", has_text=re.compile(r"^(?!.* of ).*180 windows")).wait_for()

    # A dot of the map is a site; a point of the day is an hour.
    page.locator(".site[data-site=RIDGE]").click()
    page.locator(".looked b", has_text="RIDGE").wait_for()
    page.get_by_role("button", name="all sites").click()
    page.locator(".looked").wait_for(state="detached")

    # Take it with you.
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Table CSV").click()
    table = pd.read_csv(download.value.path())
    assert table["recorded_hours"].sum() == pytest.approx(0.15, abs=1e-4)
    assert table["sunrise"].str.endswith("+10:00").all()
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Picture SVG").click()
    assert "sunset" in download.value.path().read_text()


def test_days_and_hours_can_be_read_and_cut_by_keyboard(page, served, grunts):
    page.goto(f"{served}?screen=activity&class=grunt")
    page.get_by_text("at or above").first.wait_for()  # until then it is of recorded time
    lagoon = map_of(page, "LAGOON")
    lagoon.focus()
    page.keyboard.press("ArrowRight")
    said = page.locator("[aria-live=polite].hidden-words")
    assert "LAGOON. Nothing was recorded." in said.inner_text()
    page.keyboard.press("ArrowLeft")
    assert re.search(r"00–01 h · LAGOON\. .* in 30 s recorded", said.inner_text())
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.locator(".looked b", has_text="LAGOON, 00–07 h").wait_for()
    page.keyboard.press("Escape")
    page.locator(".looked").wait_for(state="detached")


def test_a_site_is_placed_on_the_screen(page, served):
    page.goto(f"{served}?screen=activity")
    page.get_by_text("Say where the sites are").wait_for()
    page.get_by_role("button", name="Where is CREEK?").click()
    field = page.get_by_label("Latitude and longitude of CREEK")
    field.fill("somewhere")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("is no position").wait_for()
    page.get_by_role("button", name="Where is CREEK?").click()
    field.fill("23.462 S 151.938 E")
    page.keyboard.press("Enter")
    page.locator(".site[data-site=CREEK]").wait_for()
    map_of(page, "CREEK").get_by_text("sunrise").wait_for()
