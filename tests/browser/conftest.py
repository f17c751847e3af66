"""A real browser, the served demo, and a JupyterLab; each skipped with its reason if missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_process import serve

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
VIEWPORT = {"width": 1440, "height": 900}
MOST_SERVED = 40


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Mark everything here as ``browser``; skip it where there is no browser to drive."""
    missing = []
    if CHROMIUM is None:
        missing.append("no Chromium on the PATH")
    if importlib.util.find_spec("playwright") is None:
        missing.append("playwright is not installed")
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)
            if missing:
                item.add_marker(pytest.mark.skip(reason=" and ".join(missing)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; not for the whole session, because its event loop shows to other tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page whose network ends at this machine; any error on it fails the test."""
    for server in ("served", "jupyterlab"):
        if server in request.fixturenames:
            request.getfixturevalue(server)  # so that the page is closed before its server
    context = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" or ("[bokeh" in message.text and message.type == "warning")
            else None
        ),
    )

    def only_this_machine(route: Any) -> None:
        url = route.request.url
        if url.startswith(("data:", "blob:", "http://localhost", "http://127.0.0.1")):
            route.continue_()
        else:
            opened.blocked.append(url)
            route.abort()

    opened.blocked = []
    opened.route("**/*", only_this_machine)
    opened.set_default_timeout(30_000)
    yield opened
    if folder := os.environ.get("EXPLORER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        opened.screenshot(path=Path(folder) / f"{request.node.name}.png")
    blocked = opened.blocked
    context.close()
    assert blocked == []
    assert "\n".join(errors)[:3000] == ""


@pytest.fixture
def duration() -> Any:
    """Length in seconds of an audio element, once it is known."""
    known = """audio => new Promise(done => {
      const look = () => isFinite(audio.duration) ? done(audio.duration) : setTimeout(look, 20)
      look()
    })"""
    return lambda audio: audio.evaluate(known)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The demo's recordings, embedded without any weights, with their map; never changed."""
    import explorer as ex

    folder = tmp_path_factory.mktemp("demo") / "demo.collection"
    collection = ex.open(folder, audio=repository / "data" / "demo", timezone="+10:00")
    collection.embed("spectral", progress=False)
    collection.project()
    return folder


@pytest.fixture(scope="session")
def server(
    demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[tuple[str, Path]]]:
    """One server with a copy of the demo for each test: (address, collection) pairs to take."""
    folder = tmp_path_factory.mktemp("served")
    copies = [
        Path(shutil.copytree(demo, folder / f"reef-{i}.collection")) for i in range(MOST_SERVED)
    ]
    process, url = serve(copies)
    try:
        yield [(f"{url}{path.stem}", path) for path in copies]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def pair(server: list[tuple[str, Path]]) -> tuple[str, Path]:
    """A served collection that no other test has touched."""
    return server.pop()


@pytest.fixture
def served(pair: tuple[str, Path]) -> str:
    """Address of the served collection."""
    return pair[0]


@pytest.fixture
def collection(pair: tuple[str, Path]) -> Path:
    """Folder of the served collection."""
    return pair[1]


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of a JupyterLab, and its folder."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("JupyterLab is not installed")
    folder = tmp_path_factory.mktemp("jupyterlab")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root",
            f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
            f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(folder / ".jupyter")},
    )  # fmt: skip
    address = f"http://localhost:{port}"
    try:
        _wait_for(f"{address}/api")
        yield address, folder
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(url: str, limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.fixture
def box_of() -> Any:
    """Where an element is on the page, waiting for one that is being drawn anew."""

    def look(locator: Any) -> dict[str, float]:
        for _ in range(100):
            if (box := locator.bounding_box()) is not None:
                found: dict[str, float] = box
                return found
            locator.page.wait_for_timeout(50)
        raise AssertionError(f"{locator} is nowhere on the page")

    return look


@pytest.fixture
def lasso() -> Any:
    """Draw around points of the map: ``lasso(page, xy, rows)`` gives the polygon's corners."""
    from explorer.dashboard.explore.map import map_limits

    def draw(page: Any, xy: np.ndarray, rows: np.ndarray) -> None:
        box = page.locator(".chrome").bounding_box()
        low, high = map_limits(xy)
        share = (xy[rows] - low) / (high - low)
        x = box["x"] + share[:, 0] * box["width"]
        y = box["y"] + (1 - share[:, 1]) * box["height"]
        middle, radius = (x.mean(), y.mean()), max(np.ptp(x), np.ptp(y)) / 2 + 12
        angles = np.linspace(0, 2 * np.pi, 25)
        corners = np.c_[middle[0] + radius * np.cos(angles), middle[1] + radius * np.sin(angles)]
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner)
            page.wait_for_timeout(40)  # Bokeh drops moves that come faster than it draws
        page.wait_for_timeout(150)
        page.mouse.up()

    return draw
