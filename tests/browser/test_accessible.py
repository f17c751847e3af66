"""For everybody: contrast, names for screen readers, a tablet, 200 % zoom, and keys alone.

axe-core comes from the npm registry; where npm or the registry is not there, those tests are
skipped with that reason.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from explorer.dashboard.state.state import SCREENS

AXE = "axe-core@4.14.1"
SERIOUS = ("serious", "critical")
FIND = """async () => {
  const found = await axe.run(document)
  const told = node => `${node.html.slice(0, 200)} ${node.failureSummary}`
  return found.violations.map(v => [v.impact, v.id, v.help, v.nodes.map(told)])
}"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The text of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which brings axe-core")
    folder: Path = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "pack", AXE, "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm could not fetch {AXE}: {done.stderr[-200:]}")
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
        file = archive.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


@pytest.fixture
def labelled(page, served, collection):
    """A served collection with two classes, so that every screen has something to show."""
    import explorer as ex

    reef = ex.open(collection)
    reef.label([3, 4, 5, 60, 90], "first", who="ada")
    reef.label([100, 101, 102], "first", "negative", who="ada")
    reef.label([3, 4, 5, 100], "first", who="ben")
    reef.label([20, 21, 22], "second", who="ada")
    reef.close()
    return served


def open_screen(page, address, screen):
    page.goto(f"{address}?screen={screen}")
    page.locator(f"[data-screen={screen}][aria-current=page]").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1200)


def test_no_screen_has_a_serious_fault_in_either_theme(page, labelled, axe):
    faults = []
    for screen in SCREENS:
        open_screen(page, labelled, screen)
        page.evaluate(axe)
        for _ in range(2):  # light, then dark
            for impact, name, help_, nodes in page.evaluate(FIND):
                if impact in SERIOUS:
                    faults += [f"{screen}: {name} ({help_}): {node}" for node in nodes[:3]]
            page.locator("button.theme").click()
            page.wait_for_timeout(500)
    assert faults == []


@pytest.mark.parametrize("width, height", [(768, 1024), (720, 450)], ids=["tablet", "200 %"])
def test_places_become_tabs_where_there_is_little_room(page, labelled, width, height, box_of):
    page.set_viewport_size({"width": width, "height": height})
    page.goto(labelled)
    page.locator(".chart[data-drawn]").wait_for()
    assert not page.locator("article.sound").first.is_visible()
    page.get_by_role("button", name="Sounds").click()
    page.locator("article.sound img").first.wait_for()
    box = box_of(page.locator("article.sound").first)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= height
    page.get_by_label("Screen: Explore").click()
    assert page.get_by_role("menuitemradio", name="Activity").is_visible()
    page.keyboard.press("Escape")
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= width  # nothing has to be scrolled sideways


def test_the_map_can_be_used_without_a_mouse(page, labelled):
    page.goto(labelled)
    page.locator(".chart[data-drawn]").wait_for()
    chart = page.get_by_label("Map of 180 windows")
    chart.focus()
    before = page.locator("canvas.base").evaluate("canvas => canvas.toDataURL()")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert page.locator("canvas.base").evaluate("canvas => canvas.toDataURL()") != before
    page.keyboard.press("0")
    for _ in range(12):  # until something lies in the middle
        page.keyboard.press("Enter")
        page.wait_for_timeout(400)
        if page.locator(".said b").is_visible():
            break
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
    assert page.locator(".said b").is_visible()
    page.keyboard.press("Escape")
    page.locator(".said b").wait_for(state="hidden")


def test_focus_goes_through_the_screen_in_reading_order(page, labelled):
    page.goto(labelled)
    page.locator("article.sound img").first.wait_for()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                  let node = document.activeElement
                  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
                  const place = node?.closest('section, header')
                  return place?.getAttribute('aria-label') ?? place?.className ?? ''
                }"""
            )
        )
    order = list(dict.fromkeys(seen))
    wanted = ["bar", "What is looked at", "Classes", "Map", "Sounds"]
    assert [place for place in order if place in wanted] == wanted
