"""From a folder of recordings to a map, without a command line, and what the recorder suffered."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from server_process import serve

import explorer as ex

RATE = 8000
MINUTES = 2
"""Of each recording: so long that an embedding of all is stopped before it has ended."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A day and more of one recorder: an hour is missing, one is clipped, a file is no sound."""
    folder = tmp_path_factory.mktemp("field") / "reef"
    folder.mkdir()
    generator = np.random.default_rng(0)
    time = np.arange(RATE * MINUTES * 60) / RATE
    for hour in range(30):
        if hour == 17:
            continue
        call = np.sin(2 * np.pi * 400 * (1 + hour % 3) * time) * (np.sin(3 * time) > 0.5)
        sound = 0.2 * call + generator.normal(0, 0.01, len(time))
        if hour == 9:
            sound = np.clip(20 * sound, -1, 1)
        name = f"REEF_202603{14 + hour // 24}_{hour % 24:02d}0000.wav"
        soundfile.write(folder / name, sound, RATE)
    (folder / "<i>broken.wav").write_bytes(b"not a sound")
    return folder


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    """A server with collections of that folder, nothing embedded, and one of nothing at all."""
    place = tmp_path_factory.mktemp("served")
    paths = [place / f"{name}.collection" for name in ("reef", "again", "empty")]
    for path in paths[:2]:
        ex.open(path, audio=folder, timezone="+10:00").close()
    ex.open(paths[2]).close()
    process, url = serve(paths)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(10)


def test_from_recordings_to_a_map_with_a_stop_on_the_way(page, served):
    page.goto(f"{served}reef")
    page.get_by_role("button", name="Choose an encoder").click()

    # What is there, from names and headers alone: the missing hour.
    page.get_by_text("29 recordings").wait_for()
    page.get_by_text("One recording is missing").wait_for()
    page.get_by_role("tab", name="Left out").click()
    page.get_by_role("cell", name="<i>broken.wav").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert pd.read_csv(download.value.path())["recording"].tolist() == ["<i>broken.wav"]

    # What its sound says: the clipped hour, on the timeline, in the list, in its details.
    page.get_by_role("tab", name="To look after").click()
    page.get_by_role("button", name="Measure now").click()
    page.get_by_text("all 29 recordings measured").wait_for()
    mark = page.get_by_role("button", name=re.compile("severe: clipping"))
    mark.click()
    page.get_by_text("At one place of REEF").wait_for()
    details = page.get_by_role("region", name="Recording", exact=True)
    details.get_by_text("REEF_20260314_090000.wav").first.wait_for()
    details.get_by_text("of the samples are clipped").wait_for()
    details.locator("img[src^='data:image/png']").wait_for()
    details.get_by_role("button", name="Play").click()
    details.get_by_role("button", name="Stop").click()

    # Embed; somebody else sees the bar; stop; what is done is kept.
    page.get_by_label("spectral").check()
    page.get_by_label("Overlap of windows").select_option("4")
    page.get_by_role("button", name="Embed", exact=True).click()
    work = page.get_by_role("region", name="What can be done")
    work.get_by_text(re.compile(r"[\d,]+ of 4,640 windows")).wait_for()
    other = page.context.new_page()
    other.goto(f"{served}reef?screen=recordings")
    other.get_by_role("progressbar", name="Embedding with spectral").first.wait_for()
    other.close()
    page.bring_to_front()
    work.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. What is done is kept").wait_for()
    go_on = work.get_by_role("button", name="go on")
    go_on.wait_for()
    done = int(re.search(r"([\d,]+) of 4,640 windows", work.inner_text())[1].replace(",", ""))
    assert 0 < done < 4640

    # Go on from there, and open the map.
    go_on.click()
    work.get_by_text("all 4,640 windows").wait_for(timeout=60_000)
    work.get_by_role("button", name="Open the map").click()
    page.locator("article.sound img").first.wait_for()
    page.get_by_text("4,640 windows").first.wait_for()

    # From a recording to its windows.
    page.get_by_role("button", name="Recordings").click()
    page.get_by_role("button", name="Show its 160 windows").click()
    page.locator("article.sound img").first.wait_for()
    page.get_by_text("160 of 4,640").wait_for()


def test_the_first_recordings_are_added_on_the_screen(page, served, folder):
    page.goto(f"{served}empty")
    page.get_by_role("button", name="Add recordings").click()
    field = page.get_by_label("Folder of recordings")
    field.fill(str(folder.parent / "nowhere"))
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("there is no folder").wait_for()
    field.fill(str(folder))
    page.keyboard.press("Enter")
    page.get_by_text("29 recordings").first.wait_for()
    page.get_by_role("button", name="Embed", exact=True).wait_for()


def test_the_timeline_is_moved_by_keys_and_by_hand(page, served, box_of):
    page.goto(f"{served}again?screen=recordings")
    chart = page.get_by_role("group", name=re.compile("Timeline of 1 deployment"))
    chart.focus()
    whole = page.locator(".when").first.inner_text()
    page.keyboard.press("+")
    page.locator(".when", has_not_text=whole).first.wait_for()
    page.keyboard.press("0")
    page.locator(".when", has_text=whole).first.wait_for()
    box = box_of(page.locator("svg.strip"))
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20, steps=5)
    page.mouse.up()
    page.locator(".when", has_not_text=whole).first.wait_for()
