"""A class without internet: a teacher and two students, from joining to the class's labels."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from server_process import serve

import explorer as ex

HOSTILE = '<img src=x onerror="window.hurt = 1">'


@pytest.fixture(scope="module")
def rain(demo: Path, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The demo with twelve windows labelled: six hold rain, six do not."""
    folder = Path(shutil.copytree(demo, tmp_path_factory.mktemp("class") / "rain.collection"))
    reef = ex.open(folder)
    truth = pd.read_csv(repository / "data" / "demo" / "truth.csv")
    windows = reef.windows()
    found = np.zeros(len(windows), dtype=bool)
    for call in truth[truth["class"] == "rain"].itertuples():
        overlap = np.minimum(windows["end_s"], call.end_s) - np.maximum(
            windows["start_s"], call.start_s
        )
        found |= ((windows["recording"] == call.recording) & (overlap > 1)).to_numpy()
    reef.label(np.flatnonzero(found)[:6], "rain", who="teacher")
    reef.label(np.flatnonzero(~found)[::25][:6], "rain", "negative", who="teacher")
    reef.close()
    return folder


@pytest.fixture(scope="module")
def room(rain: Path) -> Iterator[dict[str, Any]]:
    """The served workshop; ``stop`` stops it as a power cut would, ``start`` serves it again."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    running = {"process": serve(rain, port=port, workshop=True)[0]}

    def stop() -> None:
        running["process"].kill()
        running["process"].wait(10)

    def start() -> None:
        running["process"] = serve(rain, port=port, workshop=True)[0]

    yield {"url": f"http://localhost:{port}/", "folder": rain, "stop": stop, "start": start}
    running["process"].terminate()
    running["process"].wait(10)


@pytest.fixture
def person(browser: Any, room: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens a page of somebody's own browser, whose network ends at this machine."""
    opened: dict[str, Any] = {}
    faults: list[str] = []

    def open_page(name: str, width: int, height: int, **options: Any) -> Any:
        size = {"width": width, "height": height}
        page = browser.new_context(viewport=size, accept_downloads=True, **options).new_page()
        page.on("pageerror", lambda error: faults.append(f"{name}: {error}"))

        def only_this_machine(route: Any) -> None:
            if route.request.url.startswith(("data:", "blob:", room["url"])):
                route.continue_()
            else:
                faults.append(f"{name} asked for {route.request.url}")
                route.abort()

        page.route("**/*", only_this_machine)
        page.set_default_timeout(20_000)
        opened[name] = page
        return page

    def picture(what: str) -> None:
        if folder := os.environ.get("EXPLORER_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            for name, page in opened.items():
                page.screenshot(path=Path(folder) / f"workshop-{what}-{name}.png")

    open_page.picture = picture  # type: ignore[attr-defined]
    yield open_page
    for page in opened.values():
        page.context.close()
    assert faults == []


def join(page: Any, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    page.get_by_text(f"Hello, {name[:24]}").wait_for()


def heard(page: Any, clip: int, n: int = 8) -> None:
    """The clip is on the page: picture and question."""
    page.get_by_text(f"Clip {clip} of {n}").wait_for()
    page.locator(".listen .picture:not(.waiting) img").wait_for()


def test_a_class_answers_blind_discusses_and_its_majority_becomes_labels(room, person):
    url, reef = room["url"], ex.open(room["folder"])
    before = len(reef.labels())

    # The teacher makes an exercise; on the serving machine she needs no code.
    teacher = person("teacher", 1280, 800)
    teacher.goto(f"{url}teacher")
    teacher.locator(".pill", has_text="rain").click()
    teacher.get_by_label("How many").fill("8")
    teacher.get_by_role("button", name="Make exercise").click()
    teacher.get_by_text("0 are here").wait_for()
    right = reef.exercise("rain").right

    # Two students come in, and the teacher sees them come.
    ada = person("ada", 360, 640, has_touch=True, is_mobile=True)
    join(ada, url, "Ada")
    ben = person("ben", 820, 1100)
    join(ben, url, HOSTILE)
    teacher.get_by_text("2 are here").wait_for()
    person.picture("1-lobby")

    # Everybody alone: Ada by touch and always right, Ben by keyboard and always yes.
    teacher.get_by_role("button", name="Start").click()
    heard(ada, 1)
    assert ada.evaluate("document.documentElement.scrollWidth") <= 360
    ada.get_by_role("button", name="Play clip").click()
    ada.locator(".clip.playing").wait_for()
    for clip in range(8):
        heard(ben, clip + 1)
        ben.keyboard.press("y")
        ben.keyboard.press("ArrowRight")
    ben.get_by_role("heading", name="All answered").wait_for()
    for clip in range(3):
        heard(ada, clip + 1)
        ada.locator(f"[data-answer={right[clip]}]").click()
        ada.get_by_role("button", name="Next").click()
    teacher.get_by_text("1/2").first.wait_for()
    assert teacher.locator(".part.no").count() == 0, "the wall shows no answer before the reveal"

    # Her page is loaded again in the middle: she is who and where she was.
    ada.reload()
    heard(ada, 4)
    assert ada.locator(".dot.done").count() == 3
    for clip in range(3, 8):
        heard(ada, clip + 1)
        ada.locator(f"[data-answer={right[clip]}]").click()
        ada.get_by_role("button", name=re.compile("^(Next|Done)")).click()
    ada.get_by_text("2 of 2 people have answered everything").wait_for()
    teacher.get_by_text("2/2").first.wait_for()
    person.picture("2-answered")

    # The power fails, and Ada changes an answer just then. Everybody comes back by herself, with
    # all that was answered.
    room["stop"]()
    ada.get_by_role("alert").get_by_text("Connection lost").wait_for()
    ada.get_by_role("button", name="Clip 1, answered").click()
    ada.locator("[data-answer=unsure]").click()
    person.picture("2-lost")
    room["start"]()
    ben.get_by_text("2 of 2 people have answered everything").wait_for()
    heard(ada, 1)
    ada.get_by_text("saved; you can change it").wait_for()
    assert reef.exercise("rain").sheet().given[0, 0] == 2  # not sure
    ada.locator(f"[data-answer={right[0]}]").click()
    ada.get_by_text("saved; you can change it").wait_for()
    teacher.get_by_text("2/2").first.wait_for()

    # The reveal; Ben changes his mind about a clip that is no rain.
    wrong = right.index("no")
    teacher.get_by_role("button", name="Reveal").click()
    heard(ada, 1)
    heard(ben, 1)
    teacher.get_by_role("button", name=re.compile(f"^Clip {wrong + 1},")).click()
    heard(ben, wrong + 1)
    ben.locator("[data-answer=no]").click()
    teacher.locator(".bar-row", has_text="0 → 1").or_(
        teacher.locator(".bar-row", has_text="1 → 2")
    ).first.wait_for()
    teacher.get_by_role("button", name="Show what is right").click()
    ada.get_by_text("You had it right").wait_for()
    ben.get_by_text("You said yes; right is no").wait_for()
    assert ben.locator("[data-answer=yes]").is_disabled()
    teacher.get_by_role("button", name="Show names").click()
    teacher.locator(".names", has_text=HOSTILE[:24]).wait_for()
    person.picture("3-discussed")

    # How it went, and what becomes of it.
    teacher.get_by_role("button", name="Show all that is right").click()
    teacher.get_by_role("button", name="Results").click()
    teacher.get_by_role("row", name=re.compile("Ada 8 8 8")).wait_for()
    for _ in range(9 - wrong):
        ben.keyboard.press("ArrowRight")
    ben.get_by_role("heading", name="4 of 8 right").wait_for()
    assert len(reef.labels()) == before
    teacher.get_by_role("button", name="Take the majority as labels").click()
    teacher.get_by_text("5 labels, under the name").wait_for()
    person.picture("4-results")
    labels = reef.labels(who="workshop")
    assert sorted(labels["judgement"]) == ["negative"] + ["positive"] * 4
    assert set(labels["source"]) == {"exercise:rain"}
    with teacher.expect_download() as download:
        teacher.get_by_role("button", name="Download answers").click()
    assert len(pd.read_csv(download.value.path())) == 16
    assert [page.evaluate("window.hurt") for page in (teacher, ada, ben)] == [None] * 3


def test_a_second_eve_is_eve_2_and_nobody_else_is_the_teacher(room, person):
    url = room["url"]
    exercise = ex.open(room["folder"]).new_exercise("rain", n=6)
    teacher = person("teacher", 1280, 800)
    teacher.goto(f"{url}teacher")
    teacher.locator("button.exercise").click()
    teacher.get_by_role("menuitemradio", name=f"{exercise.name} 6 clips").click()
    teacher.get_by_text("6 clips, everybody the same ones").wait_for()
    first, second = person("first", 400, 700), person("second", 400, 700)
    join(first, url, "eve")
    second.goto(url)
    second.get_by_label("Your name").fill("Eve")
    second.keyboard.press("Enter")
    second.get_by_text("Hello, Eve 2").wait_for()

    # As if from another machine: by a name that is not localhost, there is a code to be given.
    stranger = person("stranger", 800, 600, extra_http_headers={"X-Forwarded-For": "10.0.0.7"})
    stranger.goto(f"{url}teacher")
    stranger.get_by_label("Teacher’s code").fill("guess-ed12")
    stranger.get_by_role("button", name="Enter").click()
    stranger.get_by_role("alert").get_by_text("not the teacher's code").wait_for()
    assert stranger.get_by_role("button", name="Start").count() == 0
    stranger.goto(f"{url}dashboard")
    stranger.get_by_label("Your name").wait_for()
