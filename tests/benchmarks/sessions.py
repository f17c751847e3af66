"""Thirty people at one server on two cores: memory for each, and how long they wait.

    python tests/benchmarks/sessions.py [--people 30] [--windows 20000] [--seconds 90]

A collection of 20 thousand windows with labels of six classes is served with accounts. People come
one after the other, as simulated browsers over real websockets (`visitors.py`); then all of them
work at once: judge, turn pages, listen, go over to other classes, draw around places, every few
seconds each. Beside them one real Chromium clicks “no” and waits for the gallery to be ranked anew,
as a person sees it. Server, visitors and Chromium share two cores. Each figure stands beside the
limit that it is held to.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from large_collection import make
from visitors import Visitor

import explorer as ex
from explorer.dashboard.serving.accounts import Account, Accounts, write

sys.path.append(str(Path(__file__).resolve().parents[1]))

from server_process import serve

PASSWORD = "a password for a benchmark"
MEDIAN_S, MOST_S = 0.1, 0.3
"""A click is felt as at once up to the first; nineteen of twenty stay below the second."""
CLASSES = ["grunt", "snap", "whistle", "boat", "rain", "scrape"]


def seed_labels(path: Path) -> None:
    """Six classes with ten examples each, of windows that are close to each other."""
    reef = ex.open(path)
    if len(reef.labels()):
        return
    xy = reef.projection()
    rng = np.random.default_rng(1)
    for name in CLASSES:
        near = np.argsort(((xy - xy[rng.integers(len(xy))]) ** 2).sum(axis=1))
        reef.label(near[:10], name, "positive", who="seed")
        reef.label(rng.integers(0, len(xy), 5), name, "negative", who="seed")
    reef.close()


def memory_mb(process: subprocess.Popen[str]) -> float:
    """What the server holds, with its children."""
    here = psutil.Process(process.pid)
    whole = here.memory_info().rss
    for child in here.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            whole += child.memory_info().rss
    return whole / 1e6


async def come_in(visitors: list[Visitor], process: subprocess.Popen[str]) -> list[float]:
    """All come in, two at a time; give the memory after each pair."""
    held = []
    for first in range(0, len(visitors), 2):
        await asyncio.gather(*(visitor.enter() for visitor in visitors[first : first + 2]))
        await asyncio.sleep(1.0)
        held.append(memory_mb(process))
    return held


def chromium(address: str, seconds: float, found: dict[str, Any]) -> None:
    """A person at a real browser, who says no to one card after the other."""
    from playwright.sync_api import sync_playwright

    times: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"http://{address}/?class=grunt")
        page.get_by_label("name").fill("chromium")
        page.get_by_label("password").fill(PASSWORD)
        began = time.perf_counter()
        page.get_by_role("button", name="Log in").click()
        page.locator("article.sound.focus img").first.wait_for()
        found["first cards with pictures"] = time.perf_counter() - began
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            took = page.evaluate(CLICK_AND_WAIT)
            if took is not None:
                times.append(took / 1000)
            page.wait_for_timeout(2500)
        browser.close()
    found["click to re-ranked"] = times


CLICK_AND_WAIT = """() => new Promise(done => {
  const find = (root, out = []) => { for (const el of root.querySelectorAll('*')) {
    if (el.matches('article.sound')) out.push(el)
    if (el.shadowRoot) find(el.shadowRoot, out) } return out }
  const cards = find(document)
  const card = cards.find(c => !c.classList.contains('judged') && c.querySelector('.judge.no'))
  if (!card) {
    find_next(document)?.click(); setTimeout(() => done(null), 1500); return
  }
  const model = Bokeh.documents[0].roots().flatMap(function walk(m) {
    if (m.class_name === 'Gallery') return [m]
    return [...(m.children ?? m.objects ?? [])].flatMap(walk) })[0]
  const began = performance.now()
  const heard = () => { model.data.properties.cards.change.disconnect(heard)
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))) }
  model.data.properties.cards.change.connect(heard)
  card.querySelector('.judge.no').click()
  setTimeout(() => done(null), 20000)
  function find_next(root) { for (const el of root.querySelectorAll('*')) {
    if (el.matches('button[aria-label="Next page"]')) return el
    const inner = el.shadowRoot && find_next(el.shadowRoot)
    if (inner) return inner } return null }
})"""


def line(what: str, values: list[float], limits: tuple[float, float] | None = None) -> str:
    """One row of the table of times."""
    if not values:
        return f"{what:<26} {'–':>6}"
    middle, most = statistics.median(values), float(np.quantile(values, 0.95))
    row = f"{what:<26} {len(values):>6} {middle:>9.3f} {most:>9.3f}"
    if limits is None:
        return row
    held = middle <= limits[0] and most <= limits[1]
    return f"{row}   {limits[0]:g} / {limits[1]:g} s: {'held' if held else 'NOT held'}"


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Make, serve, come in, work, and print."""
    path = folder / f"reef-{options.windows}.collection"
    make(path, options.windows).close()
    seed_labels(path)
    users = folder / "users.json"
    names = [f"person {number:02d}" for number in range(options.people)]
    people = {name: Account.of(PASSWORD, n=2**4, p=1) for name in [*names, "chromium"]}
    write(Accounts(people), users)
    process, url = serve(path, users=str(users))
    address = url.split("//")[1].rstrip("/")
    try:
        empty = memory_mb(process)
        visitors = [
            Visitor(address, f"/?class={CLASSES[i % len(CLASSES)]}", name, PASSWORD, seed=i)
            for i, name in enumerate(names)
        ]
        held = await come_in(visitors, process)
        loads = [visitor.load_s for visitor in visitors]
        settled = 2  # pairs of visitors after which what all share has been read
        slope = float(np.polyfit(2 * np.arange(settled, len(held)), held[settled:], 1)[0])
        print(
            f"{options.people} people, {options.windows:,} windows, {len(CLASSES)} classes, ",
            end="",
        )
        print(f"{len(os.sched_getaffinity(0))} cores")
        print(f"\nserver, nobody there       {empty:>8.0f} MB")
        print(f"server, two people         {held[0]:>8.0f} MB")
        print(f"server, {options.people} people         {held[-1]:>8.0f} MB")
        print(f"each further person        {slope:>8.1f} MB")
        seen: dict[str, Any] = {}
        looker = threading.Thread(target=chromium, args=(address, options.seconds, seen))
        looker.start()
        began = time.perf_counter()
        before = psutil.Process(process.pid).cpu_times()
        until = began + options.seconds
        await asyncio.gather(*(visitor.work(until, options.think) for visitor in visitors))
        spent = psutil.Process(process.pid).cpu_times()
        seconds = time.perf_counter() - began
        busy = (spent.user + spent.system - before.user - before.system) / seconds
        worked = memory_mb(process)
        while looker.is_alive():
            await asyncio.sleep(0.2)
        took: dict[str, list[float]] = {}
        for visitor in visitors:
            for what, times in visitor.took_s.items():
                took.setdefault(what, []).extend(times)
        acts = sum(map(len, took.values()))
        print(f"server, after {options.seconds:.0f} s of work  {worked:>8.0f} MB")
        print(f"\n{acts} acts, {acts / seconds:.1f} a second; the server used {busy:.2f} cores")
        print(f"\n{'seconds':<26} {'n':>6} {'median':>9} {'95 %':>9}   limit")
        print(line("page, to its first cards", loads))
        limits = (MEDIAN_S, MOST_S)
        for what, words in (
            ("judge", "judge, to re-ranked"), ("page", "next page"), ("activate", "another class"),
            ("lasso", "lasso, to gallery"), ("sound", "sound, to its data"),
        ):  # fmt: skip
            print(line(words, took.get(what, []), limits))
        print(line("Chromium: no, to re-ranked", seen.get("click to re-ranked", []), limits))
        if "first cards with pictures" in seen:
            first = seen["first cards with pictures"]
            print(f"Chromium: log in to first cards with pictures {first:.1f} s")
        errors = [error for visitor in visitors for error in visitor.errors]
        print(f"\n{len(errors)} errors" + "".join(f"\n  {one}" for one in dict.fromkeys(errors)))
        for visitor in visitors:
            await visitor.leave()
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Read the options, and keep to two cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--think", type=float, default=4, help="seconds between acts, on average")
    parser.add_argument("--folder", type=Path, help="keep the collection here")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(run(options, folder))


if __name__ == "__main__":
    main()
