"""A newcomer's first ten minutes with the served demo, as a person would see them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import explorer as ex


@pytest.fixture
def rain(collection, repository):
    """The map, and five windows that hold rain, close together on it."""
    reef = ex.open(collection)
    truth = pd.read_csv(repository / "data" / "demo" / "truth.csv")
    windows = reef.windows()
    found = np.zeros(len(windows), dtype=bool)
    for call in truth[truth["class"] == "rain"].itertuples():
        overlap = np.minimum(windows["end_s"], call.end_s) - np.maximum(
            windows["start_s"], call.start_s
        )
        found |= ((windows["recording"] == call.recording) & (overlap > 1)).to_numpy()
    rows = np.flatnonzero(found)
    xy = reef.projection()
    assert xy is not None
    distance = np.linalg.norm(xy[rows] - np.median(xy[rows], axis=0), axis=1)
    return xy, rows[np.argsort(distance)[:5]]


def rows_shown(page):
    return [int(card.get_attribute("data-row")) for card in page.locator("article.sound").all()]


def coloured(page):
    """How many points of the map carry a class's colour and shape."""
    page.wait_for_timeout(200)  # the map is drawn in a frame of its own
    return int(page.locator(".chart").get_attribute("data-shapes"))


def make_class(page, name):
    page.locator(".new-class").click()
    page.get_by_label("Name of the new class").fill(name)
    page.keyboard.press("Enter")
    page.locator(".item.active .name", has_text=name).wait_for()


def test_from_the_map_to_a_downloaded_table(page, served, rain, lasso, duration):
    xy, rows = rain
    page.goto(served)
    page.locator("article.sound img").first.wait_for()
    assert page.get_by_text("A sample from all over the map").is_visible()

    # See: draw around a cluster, and its sounds appear.
    lasso(page, xy, rows)
    page.get_by_text(re.compile(r"^\d+ selected$")).wait_for()
    selected = int(page.locator(".said b").inner_text().split()[0])
    assert selected >= len(rows)
    page.get_by_role("tab", name="Selection").and_(page.locator("[aria-selected=true]")).wait_for()

    # Name: a class of them; everything else is ranked, and the map takes the class's colour.
    assert coloured(page) == 0
    make_class(page, "rain on leaves")
    page.get_by_role("tab", name="Ranked").and_(page.locator("[aria-selected=true]")).wait_for()
    first = rows_shown(page)
    assert not set(first) & set(rows.tolist())
    assert coloured(page) >= selected

    # Judge: the ranking changes in the same gesture.
    labelled = page.get_by_role("tab", name="Labelled")
    page.locator("article.sound").nth(1).get_by_label("no", exact=True).click()
    labelled.filter(has_text=str(selected + 1)).wait_for()
    assert rows_shown(page) != first or page.locator(".judge.no[aria-pressed=true]").count() == 1
    assert page.locator(".item.active").get_by_text("1 not").is_visible()

    # Trust: a moment later the panel says how well recordings left out are told.
    page.locator(".trust", has_text=re.compile("AUC|left out|one recording")).wait_for()

    # Listen: what plays is exactly the window.
    page.locator("article.sound").first.get_by_label("Play").click()
    page.locator("article.sound.playing").wait_for()
    assert duration(page.locator("audio")) == pytest.approx(3.0, abs=1e-4)
    page.locator("article.sound.playing").wait_for(state="detached")

    # Take it with you.
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Labels CSV").click()
    table = pd.read_csv(download.value.path())
    assert len(table) == selected + 1
    assert set(table["class"]) == {"rain on leaves"}
    assert sorted(table["judgement"].unique()) == ["negative", "positive"]
    assert table["started_at"].str.endswith("+10:00").all()

    # Undo, twice, and no label is left; the selection is back, and goes with a third.
    page.locator("button", has_text="Undo").click()
    labelled.filter(has_text=str(selected)).wait_for()
    page.keyboard.press("z")
    page.locator(".item").wait_for(state="detached")
    assert coloured(page) == 0
    page.get_by_text(f"{selected} selected", exact=True).wait_for()
    page.keyboard.press("z")
    page.locator("button:disabled", has_text="Undo").wait_for()
    page.get_by_text(f"{selected} selected", exact=True).wait_for(state="hidden")


def test_back_goes_back_through_the_places_one_went_to(page, served):
    def at(*parts):
        holds = "parts => parts.every(part => decodeURIComponent(location.search).includes(part))"
        page.wait_for_function(holds, arg=list(parts))

    def open_screen(name):
        page.locator(f".screen[data-screen={name}]").click()
        page.locator(f".screen[data-screen={name}][aria-current=page]").wait_for()

    page.goto(f"{served}?colour=hour")
    page.locator("article.sound").first.click()
    make_class(page, "thrum")
    at("class=thrum")
    row = page.locator("article.sound.focus").get_attribute("data-row")
    page.keyboard.press("Enter")
    closer = page.get_by_role("dialog", name="Closer look")
    closer.wait_for()
    at("sound=")
    page.go_back()
    closer.wait_for(state="hidden")
    assert "sound=" not in page.url
    page.go_forward()
    closer.wait_for()
    page.go_back()
    closer.wait_for(state="hidden")
    assert page.locator("article.sound.focus").get_attribute("data-row") == row

    # What only changes how a place looks makes no step of its own.
    open_screen("activity")
    page.get_by_role("button", name="Count: ").click()
    page.get_by_role("menuitemradio", name="detections").click()
    at("screen=activity", "rhythm=detections")
    open_screen("check")
    page.locator(".door[data-door=carry]").click()
    at("door=carry")
    page.go_back()
    page.locator(".door[data-door=carry][aria-expanded=false]").wait_for()
    page.go_back()
    page.locator(".screen[data-screen=activity][aria-current=page]").wait_for()
    at("rhythm=detections")
    page.go_back()
    page.locator(".screen[data-screen=explore][aria-current=page]").wait_for()
    assert "colour=hour" in page.url

    # A link opens all of it anew.
    page.goto(f"{served}?screen=check&door=carry&class=thrum")
    page.locator(".door[data-door=carry][aria-expanded=true]").wait_for()
    page.goto(f"{served}?screen=activity&rhythm=detections,week&class=thrum")
    page.get_by_role("button", name="Count: detections").wait_for()


def test_everything_can_be_done_from_the_keyboard(page, served):
    page.goto(served)
    page.locator("article.sound.focus img").wait_for()
    first = page.locator("article.sound.focus").get_attribute("data-row")
    page.keyboard.press("j")
    assert page.locator("article.sound.focus").get_attribute("data-row") != first
    page.keyboard.press("k")
    assert page.locator("article.sound.focus").get_attribute("data-row") == first
    page.keyboard.press("m")
    page.get_by_role("tab", name="Similar").and_(page.locator("[aria-selected=true]")).wait_for()
    assert rows_shown(page)[0] == int(first)
    make_class(page, "this one")
    page.get_by_role("tab", name="Ranked").and_(page.locator("[aria-selected=true]")).wait_for()
    page.keyboard.press("n")
    page.locator(".item.active").get_by_text("1 not").wait_for()
    page.keyboard.press("z")
    page.locator(".item.active").get_by_text("1 not").wait_for(state="detached")
    page.keyboard.press("w")
    why = page.get_by_role("dialog", name="Why")
    why.locator(".proof img").first.wait_for()
    assert why.get_by_text("this one").first.is_visible()
    page.keyboard.press("w")
    why.wait_for(state="hidden")
    page.keyboard.press("t")
    page.locator("table tr.sound").first.wait_for()
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").get_by_text("more like this").is_visible()


def test_a_study_is_answered_blind(page, served):
    page.goto(served)
    page.locator("article.sound").first.click()
    make_class(page, "snap")
    page.get_by_role("button", name="What to label next").click()
    reasons = re.compile(r"\w")
    page.locator("article.sound .reason", has_text=reasons).first.wait_for()
    page.get_by_role("button", name="How much is there?").click()
    page.get_by_role("tab", name="Study").and_(page.locator("[aria-selected=true]")).wait_for()
    said = page.locator(".study small")
    before = said.inner_text()
    assert "windows answered" in before
    assert page.locator("article.sound .score").count() == 0
    page.keyboard.press("n")
    page.locator(".study small", has_not_text=before).wait_for()


def test_names_are_text_and_never_markup(page, served):
    hostile = '<img src=x onerror="window.hurt = 1">'
    page.goto(served)
    page.locator("article.sound").first.click()
    make_class(page, hostile)
    assert page.locator(".item .name").inner_text() == hostile
    assert page.locator(".title b").first.inner_text() == hostile
    page.locator("input[type=search]").fill(f"{hostile} @ 1")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text(hostile).wait_for()
    assert page.evaluate("window.hurt") is None


def test_what_goes_wrong_is_said_in_words(page, served):
    page.goto(served)
    page.locator("article.sound.focus").wait_for()
    page.keyboard.press("y")
    page.get_by_role("alert").get_by_text("Make a class first").wait_for()
    page.locator("input[type=search]").fill("/etc/passwd @ 0")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("nothing here is called").wait_for()


def test_a_sound_file_can_be_searched_with(page, served, repository):
    page.goto(served)
    page.locator("article.sound").first.wait_for()
    page.locator("input[type=file]").set_input_files(
        repository / "data" / "demo" / "CREEK_20260314_043000.flac"
    )
    page.locator(".title b", has_text="CREEK_20260314_043000.flac").wait_for()
    assert len(rows_shown(page)) > 3


def test_the_threshold_can_be_taken_hold_of(page, served, rain, lasso, box_of):
    xy, rows = rain
    page.goto(served)
    page.locator("article.sound").first.wait_for()
    lasso(page, xy, rows)
    page.locator(".said b").wait_for()
    make_class(page, "rain")
    slider = page.get_by_role("slider", name="Threshold")
    box = box_of(slider)
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + 30)
    page.locator(".item.active").get_by_text("at or above .90").wait_for()
    few = int(page.locator(".item.active .number").inner_text())
    page.mouse.click(box["x"] + 1, box["y"] + 30)
    page.locator(".item.active").get_by_text("at or above .00").wait_for()
    assert int(page.locator(".item.active .number").inner_text()) > few


@pytest.mark.parametrize("size", [(1440, 900), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_either_size_in_either_theme(page, served, size, scheme, box_of):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(served)
    page.locator("article.sound img").first.wait_for()
    assert page.locator(f".explorer-app.{scheme}").count() == 1
    for region in ("Classes", "Score", "When", "Sounds"):
        box = box_of(page.get_by_role("region", name=region))
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
        assert box["y"] + box["height"] <= size[1]
    for button in page.locator("article.sound .play").all():
        card = box_of(button.locator("xpath=ancestor::article"))
        box = box_of(button)
        assert box["x"] + box["width"] <= card["x"] + card["width"]
