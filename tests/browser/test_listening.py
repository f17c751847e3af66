"""Listening, by keys: a page is judged, and a sound is looked at closely, slowed down, measured."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import soundfile

import explorer as ex

WHERE_KEYS_GO = """() => {
  let at = document.activeElement
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at.className
}"""

PLAYING = """dialog => {
  const audio = dialog.querySelector('audio'), head = dialog.querySelector('.plot .playhead')
  return [audio.duration, audio.currentTime / audio.duration, parseFloat(head.style.left) / 100]
}"""


@pytest.fixture
def whistle(collection, repository):
    """A class with three examples, made before the page is opened."""
    reef = ex.open(collection)
    truth = pd.read_csv(repository / "data" / "demo" / "truth.csv")
    windows = reef.windows()
    rows = [
        windows.index[(windows["recording"] == call.recording) & (windows["end_s"] > call.start_s)][
            0
        ]
        for call in truth[truth["class"] == "whistle"].itertuples()
    ]
    reef.label(sorted(set(rows))[:3], "whistle", who="ana")


@pytest.fixture
def focused(page, served, whistle):
    """The card in focus of the ranked page, once its picture is there."""
    page.goto(f"{served}?class=whistle")
    page.get_by_role("tab", name="Ranked").and_(page.locator("[aria-selected=true]")).wait_for()
    page.locator("article.sound.focus img").wait_for()
    return page.locator("article.sound.focus")


def test_a_page_is_judged_without_a_mouse(page, focused, duration):
    n = page.locator("article.sound").count()
    labelled, unsure = (page.get_by_role("tab", name=name) for name in ("Labelled", "Unsure"))
    page.keyboard.press(" ")
    page.locator("article.focus.playing").wait_for()
    length = duration(page.locator("audio").first)
    assert length == pytest.approx(3.0, abs=1e-4)
    page.keyboard.press(" ")

    # One by one: the next card without a judgement comes into focus, and all of it is told.
    for number, (key, word) in enumerate(zip("yny", ("yes", "no", "yes"), strict=True), start=1):
        page.keyboard.press(key)
        labelled.filter(has_text=str(3 + number)).wait_for()
        page.get_by_text(re.compile(rf"^{word}, \d of {n}$")).wait_for(state="attached")
        assert "not judged" in focused.get_attribute("aria-label")
        assert "sound" in page.evaluate(WHERE_KEYS_GO).split()
    assert page.locator(".judged .chip:visible").count() > 0  # others may be ranked elsewhere now

    # Several at once, in one step, which is one step to take back.
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_text("2 marked").first.wait_for()
    page.keyboard.press("u")
    unsure.filter(has_text="2").wait_for()
    assert page.locator("article.marked").count() == 0
    page.keyboard.press("z")
    unsure.filter(has_not_text="2").wait_for()
    page.keyboard.press("a")
    page.get_by_text(f"{n} marked").first.wait_for()
    page.keyboard.press("Escape")
    assert page.locator("article.marked").count() == 0

    # Judged sounds make room when the page is turned.
    page.keyboard.press("]")
    page.locator(".range", has_text=re.compile(f"^{n + 1}–")).wait_for()
    page.keyboard.press("[")
    page.locator(".range", has_text=re.compile("^1–")).wait_for()
    page.locator(".chip.yes").first.wait_for(state="hidden")


def test_a_closer_look(page, focused, box_of):
    row = focused.get_attribute("data-row")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Closer look")
    plot, pointer = dialog.locator(".plot"), dialog.locator(".pointer")
    dialog.locator(".plot img[src]").wait_for()

    # Why it was found, beside it, to be played; and exactly when it was.
    dialog.locator(".proof img").first.wait_for()
    assert dialog.get_by_text("for whistle").first.is_visible()
    assert re.search(r"\d{4}-\d\d-\d\dT.*\+10:00", dialog.locator(".facts").inner_text())
    page.keyboard.press("1")
    dialog.locator(".proof.playing").wait_for()

    # Context: what was before and after is drawn and heard with it.
    for seconds in ("10 s", "30 s", "none"):
        page.keyboard.press("c")
        dialog.get_by_role("button", name=seconds, pressed=True).wait_for()
    page.keyboard.press(" ")
    if dialog.locator(".timefrequency.playing").count() == 0:  # the first press stopped the example
        page.keyboard.press(" ")
    dialog.locator(".timefrequency.playing").wait_for()
    assert dialog.evaluate(PLAYING)[0] == pytest.approx(3.0, abs=1e-4)
    page.keyboard.press(" ")

    # Half the speed: twice as long, and the playhead stays with the sound.
    page.keyboard.press("s")
    dialog.get_by_label("Speed").select_option("0.5")
    pointer.get_by_text("heard at 1/2 speed").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press(" ")
    dialog.locator(".timefrequency.playing").wait_for()
    page.wait_for_timeout(600)
    length, played, head = dialog.evaluate(PLAYING)
    assert length == pytest.approx(6.0, abs=1e-3)
    assert 0 < head == pytest.approx(played, abs=0.02)
    page.keyboard.press(" ")

    # Zoomed in, a range is drawn around, measured, and plays alone.
    page.keyboard.press("+")
    dialog.get_by_role("button", name="No zoom").wait_for()
    page.wait_for_timeout(500)
    box = box_of(plot)
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.2)
    assert re.search(r"\+10:00.*Hz.*dB", pointer.inner_text(), re.S)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"] - 30)
    pointer.get_by_text("90 % of the energy").wait_for()
    assert pointer.get_by_text("0.75 s").is_visible()
    page.keyboard.press(" ")
    dialog.locator(".timefrequency.playing").wait_for()
    assert dialog.evaluate(PLAYING)[0] == pytest.approx(1.5, abs=0.02)
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename.endswith("s_wide_speed-0.5.wav")
    assert soundfile.info(download.value.path()).duration == pytest.approx(1.5, abs=0.02)

    # What is judged here is judged on its card; Escape takes back the range, then closes.
    page.keyboard.press("y")
    dialog.get_by_role("button", name="yes", pressed=True).wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.locator(f"article[data-row='{row}'] .chip.yes").wait_for()


def test_a_link_opens_a_sound_as_it_was_looked_at(page, served, collection):
    recording = ex.open(collection).recordings["recording"].iloc[0]
    page.goto(f"{served}?sound={recording}@6&listening=bat")
    dialog = page.get_by_role("dialog", name="Closer look")
    dialog.locator(".plot img[src]").wait_for()
    assert "at 0:06" in dialog.locator(".where").inner_text()
    dialog.get_by_text(re.compile("heard at 1/10 speed: .* kHz sounds as")).wait_for()
    page.keyboard.press("p")
    dialog.locator(".timefrequency.playing").wait_for()
    assert dialog.evaluate(PLAYING)[0] == pytest.approx(30.0, abs=1e-3)
    page.keyboard.press("ArrowRight")
    dialog.locator(".where", has_text="at 0:09").wait_for()
    page.wait_for_function("() => decodeURIComponent(location.search).endsWith('@9')")
