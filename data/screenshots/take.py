"""Take the pictures of README.md anew, from the demo: ``python data/screenshots/take.py``.

It makes the demo's collection in a temporary folder, labels some sounds as its `truth.csv` says,
serves it, walks through the screens in headless Chromium, and writes PNGs and the animated tour
beside this file. Look at them before committing them.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from explorer.collection.collection import Collection
from explorer.collection.demo import DEMO_FILES, demo_recordings
from explorer.dashboard.explore.map import map_limits

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from server_process import serve

HERE = Path(__file__).parent
SIZE = {"width": 1440, "height": 900}
CLASSES = ("buzz", "pulse train", "whoop")
"""Labelled beforehand; the tour makes one more."""

PLACES = {
    "LAGOON": (-23.4420, 151.9110), "DROPOFF": (-23.4555, 151.9300),
    "CREEK": (-23.4305, 151.9360), "RIDGE": (-23.4365, 151.9475),
}  # fmt: skip
"""Invented, as the sounds are."""


def rows_of(reef: Collection, name: str) -> np.ndarray:
    """Windows that hold more than half a second of a class, by the demo's truth."""
    truth, windows = pd.read_csv(DEMO_FILES / "truth.csv"), reef.windows()
    found = np.zeros(len(windows), dtype=bool)
    for call in truth[truth["class"] == name].itertuples():
        common = np.minimum(windows["end_s"], call.end_s) - np.maximum(
            windows["start_s"], call.start_s
        )
        found |= ((windows["recording"] == call.recording) & (common > 0.25)).to_numpy()
    return np.flatnonzero(found)


def prepare(folder: Path) -> Collection:
    """The demo, embedded, with some labels by two people who differ a little."""
    audio = folder / "recordings"
    shutil.copytree(demo_recordings(), audio)
    reef = Collection(folder / "demo.collection")
    reef.add(audio, timezone="Australia/Brisbane")
    reef.embed(progress=False)
    reef.project()
    rng = np.random.default_rng(2)
    for name in CLASSES:
        yes = rng.permutation(rows_of(reef, name))[:9]
        no = rng.permutation(np.setdiff1d(np.arange(reef.n_windows()), rows_of(reef, name)))[:9]
        for who, seen in (("ada", 9), ("ben", 7)):
            reef.label(yes[:seen], name, who=who)
            reef.label(no[:seen], name, "negative", who=who)
        reef.label(yes[:1], name, "negative", who="ben")
    for site, (latitude, longitude) in PLACES.items():
        reef.place(site, latitude, longitude)
    _spoil(audio)
    reef.add(audio)
    return reef


def _spoil(audio: Path) -> None:
    """What happens to recorders: one much too loud, one that fell silent, one file broken off."""
    samples, rate = soundfile.read(audio / "RIDGE_20260314_073000.flac")
    loud = np.clip(40 * samples, -1, 1)
    soundfile.write(audio / "RIDGE_20260314_180000.flac", loud, rate)
    samples[rate * 4 : rate * 21] = 0
    soundfile.write(audio / "CREEK_20260314_103000.flac", samples, rate)
    whole = (audio / "LAGOON_20260314_060000.flac").read_bytes()
    (audio / "LAGOON_20260314_203000.flac").write_bytes(whole[:3000])


class Tour:
    """Frames of the animation, each with how long it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._ms: list[int] = []

    def shot(self, ms: int) -> None:
        """Add what is on the screen."""
        picture = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        self._frames.append(picture.resize((960, 600), Image.Resampling.LANCZOS))
        self._ms.append(ms)

    def save(self, path: Path) -> None:
        """Write the animation, with one palette for all frames."""
        every = Image.new("RGB", (960, 600 * len(self._frames)))
        for number, frame in enumerate(self._frames):
            every.paste(frame, (0, 600 * number))
        palette = every.quantize(255, method=Image.Quantize.MAXCOVERAGE)  # rare colours count
        frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in self._frames]
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=self._ms, loop=0, optimize=True
        )


def lasso(page: Page, xy: np.ndarray, rows: np.ndarray, tour: Tour) -> None:
    """Draw around windows, filmed."""
    box = page.locator(".chrome").first.bounding_box()
    assert box is not None
    low, high = map_limits(xy)
    share = (xy[rows] - low) / (high - low)
    x, y = box["x"] + share[:, 0] * box["width"], box["y"] + (1 - share[:, 1]) * box["height"]
    middle = np.array([np.median(x), np.median(y)])
    radius = np.quantile(np.hypot(x - middle[0], y - middle[1]), 0.8) + 16
    angles = np.linspace(0, 2 * np.pi, 25)
    for i, angle in enumerate(angles):
        page.mouse.move(*(middle + radius * np.array([np.cos(angle), np.sin(angle)])))
        if i == 0:
            page.mouse.down()
        page.wait_for_timeout(30)
        if i % 6 == 5:
            tour.shot(160)
    page.mouse.up()


def film(page: Page, url: str, reef: Collection) -> None:
    """The animated tour: see, draw around, name, judge, and what comes of it."""
    tour = Tour(page)
    page.goto(url)
    page.locator(".chart[data-drawn]").wait_for()
    page.locator("article.sound img").first.wait_for()
    page.wait_for_timeout(2500)
    tour.shot(1400)
    xy = reef.projection()
    assert xy is not None
    lasso(page, xy, rows_of(reef, "trill"), tour)
    page.wait_for_timeout(1800)
    tour.shot(1500)
    page.locator(".new-class").click()
    for part in ("tr", "il", "l"):
        page.keyboard.type(part)
        tour.shot(200)
    page.keyboard.press("Enter")
    page.wait_for_timeout(3000)
    tour.shot(1700)
    for key in ("y", "y", "n"):
        page.keyboard.press(key)
        page.wait_for_timeout(900)
        tour.shot(700)
    page.keyboard.press("Enter")
    page.wait_for_timeout(3500)
    tour.shot(2200)
    page.keyboard.press("Escape")
    page.locator(".colours button").first.click()
    page.get_by_role("menuitemradio", name="cluster").click()
    page.locator(".place-name", has_text="Hz").first.wait_for(state="attached", timeout=90_000)
    page.wait_for_timeout(1500)
    tour.shot(2200)
    page.screenshot(path=HERE / "clusters.png")
    for screen in ("check", "activity"):
        page.locator(f"[data-screen={screen}]").click()
        page.wait_for_timeout(4500)
        tour.shot(2200)
    tour.save(HERE / "tour.gif")


SCREENS: dict[str, tuple[str, str]] = {
    "explore-light": ("class=buzz", "light"), "explore-dark": ("class=whoop", "dark"),
    "check": ("screen=check&class=buzz", "light"),
    "activity": ("screen=activity&class=whoop", "light"),
    "recordings": ("screen=recordings", "dark"), "together": ("screen=together", "light"),
}  # fmt: skip


def still(browser: Any, url: str) -> None:
    """One picture of each screen, and of the closer look."""
    for name, (query, theme) in SCREENS.items():
        page = browser.new_page(viewport=SIZE, color_scheme=theme)
        page.goto(f"{url}?{query}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(6000)
        if name == "recordings":
            page.get_by_role("button", name="Measure now").click()
            page.wait_for_timeout(9000)
        page.screenshot(path=HERE / f"{name}.png")
        if name == "explore-dark":
            page.locator("article.sound").first.click()
            page.keyboard.press("Enter")
            page.wait_for_timeout(5000)
            page.screenshot(path=HERE / "closer-look.png")
        page.close()


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary) / "survey"
        folder.mkdir()
        reef = prepare(folder)
        process, url = serve(reef.path, environment={**os.environ, "LOGNAME": "ada"})
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            still(browser, url)
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            film(page, url, reef)
        finally:
            browser.close()
            process.terminate()
            process.wait(20)
    for path in sorted(HERE.glob("*.[pg][ni][gf]")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
