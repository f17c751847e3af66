"""The map in a browser: what it is coloured by, what is searched and filtered, and a link to it."""

from __future__ import annotations

import re

import explorer as ex


def picture(page):
    """The map as a picture."""
    page.wait_for_timeout(250)  # it is drawn in a frame of its own
    return page.locator("canvas.base").first.evaluate("canvas => canvas.toDataURL()")


def colour(page, by):
    page.locator(".colours button").first.click()
    page.get_by_role("menuitemradio", name=re.compile(f"^{by}")).click()


def test_colours_names_filter_search_and_a_link_to_all_of_it(page, served):
    page.goto(served)
    page.locator(".chart[data-drawn]").wait_for()
    grey = picture(page)

    # Clusters name themselves; a press on a name selects them.
    colour(page, "cluster")
    page.locator(
        ".place-name:visible", has_text=re.compile("Hz|LAGOON|RIDGE|CREEK")
    ).first.wait_for(timeout=60_000)
    clusters = picture(page)
    assert clusters != grey
    page.locator(".place-name:visible").first.click()
    page.get_by_text(re.compile(r"^\d+ selected$")).wait_for()

    # Where the picture can be believed, in words too.
    colour(page, "trust")
    page.get_by_text(re.compile(r"true neighbours that lie near it: \d+%")).wait_for(timeout=60_000)
    assert picture(page) not in (grey, clusters)

    # The filter holds for map, gallery and counts; undo takes it back.
    colour(page, "site")
    everything = picture(page)
    page.locator("[data-chip=sites]").click()
    page.get_by_role("checkbox", name="RIDGE").check()
    page.get_by_text("50 of 180 windows").wait_for()
    page.keyboard.press("Escape")
    assert picture(page) != everything
    page.get_by_label("Undo: looked at RIDGE").click()
    page.get_by_text("180 windows", exact=True).wait_for()
    assert picture(page) == everything

    # The search box knows sites and recordings.
    page.keyboard.press("/")
    page.keyboard.type("lago")
    page.get_by_role("option", name=re.compile("site LAGOON")).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".chip.set", has_text="LAGOON").wait_for()
    page.wait_for_function("() => location.search.includes('sites=LAGOON')")
    here = picture(page)

    # A link reopens what was looked at.
    page.goto(page.url)
    page.locator(".chip.set", has_text="LAGOON").wait_for()
    page.locator(".chart[data-drawn]").wait_for()
    page.locator(".colours", has_text="site").wait_for()
    assert picture(page) == here


def test_two_encoders_side_by_side_are_linked(page, served, collection, box_of):
    reef = ex.open(collection)
    first = reef.run
    reef.embed("spectral", hop_s=1.5, progress=False)
    reef.project()
    reef.close()
    page.goto(f"{served}?run={first}")
    page.locator(".chart[data-drawn]").wait_for()
    page.get_by_label("Another encoder’s map beside this one").click()
    page.get_by_role("menuitem", name="hop1.5s").click()
    page.locator(".chart[data-drawn]").nth(1).wait_for()
    assert int(page.locator(".chart").nth(1).get_attribute("data-drawn")) > 300
    second = page.locator(".chart canvas.top").nth(1)
    before = second.evaluate("canvas => canvas.toDataURL()")
    page.locator("article.sound img").first.wait_for()
    page.locator("article.sound").nth(1).click()  # what is in focus has a ring in both
    page.wait_for_timeout(500)
    assert second.evaluate("canvas => canvas.toDataURL()") != before
    # What is drawn around in the second map is selected in the first.
    box = box_of(second)
    left, top = box["x"] + 5, box["y"] + 60
    right, bottom = left + box["width"] - 10, top + box["height"] - 70
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in [(right, top), (right, bottom), (left, bottom)]:
        page.mouse.move(*corner)
        page.wait_for_timeout(40)
    page.mouse.up()
    page.get_by_text(re.compile(r"^\d+ selected$")).first.wait_for()
    assert int(page.locator(".said b").first.inner_text().split()[0]) > 150
