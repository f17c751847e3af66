"""A lab at work: two people and a viewer at once, and a server that goes away and comes back."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from server_process import serve

import explorer as ex
from explorer.dashboard.serving.accounts import Account, Accounts, write

PASSWORD = "correct horse"


class Server:
    """A server on one port that can be killed and started anew."""

    def __init__(self, collection, users):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://localhost:{self.port}/"
        self.collection, self.users, self.process = collection, users, None

    def start(self):
        self.process, _ = serve(self.collection, port=self.port, users=str(self.users))

    def kill(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def lab(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    collection = Path(shutil.copytree(demo, folder / "reef.collection"))
    users = folder / "users.json"
    roles = {"ada": "annotator", "ben": "annotator", "vera": "viewer"}
    people = {name: Account.of(PASSWORD, role, n=2**10, p=1) for name, role in roles.items()}
    write(Accounts(people), users)
    server = Server(collection, users)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def enter(lab, browser, request):
    """Log in with a name; the page ends with the test, and no error may have shown on it."""
    contexts, errors = [], []

    def come_in(name, path=""):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab.address + path)
        page.get_by_label("name").fill(name)
        page.get_by_label("password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.locator("article.sound.focus, .person").first.wait_for()
        return page

    yield come_in
    if folder := os.environ.get("EXPLORER_SCREENSHOTS"):
        for context in contexts:
            number = contexts.index(context)
            context.pages[0].screenshot(path=Path(folder) / f"{request.node.name}-{number}.png")
    for context in contexts:
        context.close()
    assert errors == []


def open_screen(page, name):
    page.get_by_role("navigation").get_by_role("button", name=name).click()


def test_two_people_see_each_other_differ_and_decide(enter, lab):
    ada, ben = enter("ada"), enter("ben")
    ada.get_by_role("button", name="ben has this open too").wait_for()

    # What one labels, the other sees within seconds, and stays where he is.
    before = [card.get_attribute("data-row") for card in ben.locator("article.sound").all()]
    ada.locator("article.sound").first.click()
    ada.locator(".new-class").click()
    ada.get_by_label("Name of the new class").fill("rain")
    ada.keyboard.press("Enter")
    ben.get_by_text("ada labelled 1 window").wait_for()
    ben.locator(".item .name", has_text="rain").wait_for()
    assert ben.locator(".item.active").count() == 0
    after = [card.get_attribute("data-row") for card in ben.locator("article.sound").all()]
    assert after == before

    # A second opinion is asked for blind, and they differ.
    open_screen(ben, "Together")
    to_decide = ben.get_by_role("region", name="To decide")
    ben.get_by_text("No window was judged by two of you").or_(
        ben.get_by_text("A second pair of ears")
    ).wait_for()
    to_decide.get_by_role("tab", name="Second opinion").click()
    to_decide.locator("article.sound.focus img").wait_for()
    assert to_decide.get_by_text("ada").count() == 0
    ben.keyboard.press("n")
    to_decide.locator("article.sound").wait_for(state="detached")

    # Ada sees it in her queue, who said what, and changes her mind.
    open_screen(ada, "Together")
    queue = ada.get_by_role("region", name="To decide")
    queue.locator(".voice.no", has_text="ben").wait_for()
    assert queue.locator(".voice.yes", has_text="you").is_visible()
    assert "ada and ben judged 1 window both" in ada.locator(".sentence").inner_text()
    ada.keyboard.press("n")
    queue.get_by_text("No open disagreement").wait_for()
    labels = ex.open(lab.collection).labels()
    assert sorted(zip(labels["who"], labels["judgement"], strict=True)) == [
        ("ada", "negative"),
        ("ben", "negative"),
    ]


def test_a_viewer_looks_and_is_told_why_she_cannot_label(enter, lab):
    vera = enter("vera")
    yes = vera.locator("article.sound").first.get_by_role("button", name="yes")
    assert yes.is_disabled()
    assert "You are a viewer here" in yes.get_attribute("title")
    assert vera.locator(".new-class").is_disabled()
    events = ex.open(lab.collection).latest_event()
    vera.keyboard.press("y")
    vera.get_by_text("looks on").wait_for()
    assert ex.open(lab.collection).latest_event() == events


def test_a_lost_connection_says_so_and_comes_back_with_nothing_lost(enter, lab):
    ada = enter("ada", "?colour=site")
    # A class to judge, from whatever the other tests left.
    ada.locator("article.sound").first.click()
    ada.locator(".new-class").click()
    ada.get_by_label("Name of the new class").fill("wind")
    ada.keyboard.press("Enter")
    ada.locator(".item.active .name", has_text="wind").wait_for()
    ada.get_by_role("tab", name="Ranked").and_(ada.locator("[aria-selected=true]")).wait_for()
    ada.locator("article.sound.focus img").wait_for()
    address = ada.url
    assert "class=wind" in address and "colour=site" in address

    lab.kill()
    lost = ada.get_by_role("alertdialog", name="Connection lost")
    lost.get_by_text("Every label is saved").wait_for()
    row = int(ada.locator("article.sound.focus").get_attribute("data-row"))
    ada.keyboard.press("u")  # nobody is stopped in the middle of it
    lost.get_by_text("One judgement waits here").wait_for()

    lab.start()
    lost.wait_for(state="detached")
    ada.get_by_text("1 judgement that had not been sent is saved now").wait_for()
    ada.locator(".item.active .name", has_text="wind").wait_for()
    assert ada.url == address  # and not the page to log in
    labels = ex.open(lab.collection).label_rows()
    mine = labels[(labels["who"] == "ada") & (labels["row"] == row) & (labels["class"] == "wind")]
    assert mine["judgement"].tolist() == ["unsure"]
    ada.locator(".item.active").get_by_text("1 unsure").wait_for()
