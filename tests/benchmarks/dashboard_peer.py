"""The same map in bacpipe's dashboard: how long it takes there, in the same Chromium.

bacpipe's dashboard reads a projection, a file of metadata and the recordings; the embeddings it
never opens. Those files are written here in bacpipe's own formats, from the same collection and
the same coordinates, so that nothing has to be embedded and only its own code is timed. It runs
unchanged, in an interpreter of its own (`--bacpipe PYTHON`) where `pip install bacpipe==1.3.5` was
done. Its dashboard starts without TensorFlow too: `pip install --no-deps bacpipe==1.3.5`, then
numpy<2 pandas<3 panel<1.10 plotly<7 seaborn librosa audioread soundfile pyyaml tqdm
huggingface-hub<0.35 scikit-learn ijson pyarrow torch.

It has no gallery and no ranking. What can be compared is the time until the map can be used, and
the lasso; how long a click on a point takes to show that one spectrogram is printed beside them.
"""

from __future__ import annotations

import io
import json
import os
import socket
import statistics
import subprocess
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from large_collection import PER_RECORDING, WINDOW_S
from PIL import Image
from playwright.sync_api import Browser, Locator, Page
from playwright.sync_api import Error as PageError
from traffic import listen

import explorer as ex

ABSENT = "bacpipe: not installed here (pip install bacpipe; needs TensorFlow)"
MODEL, RATE = "birdnet", 48_000
PATIENCE_S = 300
TURNS = 3
LASSO_PX = 28

Found = TypeVar("Found")


class TooSlow(Exception):
    """A step took longer than anybody would wait, or will never be done."""


@dataclass
class Peer:
    """What bacpipe's dashboard took, in seconds and MB; None for what was not reached."""

    windows: int
    start_s: float | None = None
    first_s: float | None = None
    again_s: float | None = None
    loaded_mb: float | None = None
    lasso_s: float | None = None
    lasso_mb: float | None = None
    click_s: float | None = None
    gave_up: str = ""


@dataclass
class Server:
    """bacpipe in a process of its own, and what it says."""

    process: subprocess.Popen[str]
    url: str
    said: list[tuple[float, str]] = field(default_factory=list)

    def follow(self) -> None:
        """Note when each line was said."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append((time.perf_counter(), line.strip()))

    def heard(self, words: str, since: float) -> float | None:
        """When it first said these words after `since`, if it did."""
        return next((at for at, line in self.said.copy() if at >= since and words in line), None)

    def up(self) -> float | None:
        """When it began to serve, if it did; it may end before."""
        at = self.heard("Launching server", 0)
        if at is None and self.process.poll() is not None:
            raise TooSlow("it did not start")
        return at

    def last_words(self) -> str:
        """The last line that says something, and whether it has ended."""
        said = next((line for _, line in reversed(self.said) if line), "nothing")
        return said[-120:] + ("" if self.process.poll() is None else " (and it ended)")

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(20)


def version(python: str | None) -> str | None:
    """Give bacpipe's version in this interpreter, None where it is not installed."""
    if python is None:
        return None
    ask = "from importlib.metadata import version; print(version('bacpipe'))"
    try:
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:  # no such interpreter
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def surroundings(python: str) -> str:
    """Say which of the heavy packages that it asks for are there: its dashboard needs few."""
    ask = """
        from importlib import metadata, util
        print("torch", metadata.version("torch"), "(it asks for 2.6),",
              "TensorFlow", "there" if util.find_spec("tensorflow") else "absent (not used here)")
    """
    answer = subprocess.run(
        [python, "-c", textwrap.dedent(ask)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def measure(browser: Browser, python: str, collection: Path, xy: np.ndarray) -> Peer:
    """Serve the same map with bacpipe and drive it; stops at the first step that takes too long."""
    peer = Peer(len(xy))
    with tempfile.TemporaryDirectory(dir=collection.parent) as folder:
        sounds, results = write(Path(folder), collection, xy)
        began = time.perf_counter()
        server = serve(python, sounds, results)
        try:
            up = _wait(server.up, "its server was not up")
            peer.start_s = up - began
            _drive(browser, server, peer, xy)
        except (TooSlow, PageError) as error:
            peer.gave_up = f"{str(error).splitlines()[0]}; its last words: {server.last_words()}"
        finally:
            server.stop()
    return peer


def _drive(browser: Browser, server: Server, peer: Peer, xy: np.ndarray) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    peer.first_s = visit(page, server.url, len(xy))
    page.close()
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_S * 1000)
    traffic = listen(page)
    peer.again_s = visit(page, server.url, len(xy))
    page.wait_for_timeout(1500)
    peer.loaded_mb = traffic.since_mark()
    rng = np.random.default_rng(1)
    share = (xy - xy.min(0)) / np.ptp(xy, 0)
    inner = np.flatnonzero(((share > 0.2) & (share < 0.8)).all(axis=1))
    places = xy[rng.choice(inner, TURNS, replace=False)]
    peer.click_s = statistics.median([click(page, place) for place in places])
    page.locator(".modebar-btn[data-title='Lasso Select']").first.click()
    before = traffic.sent
    peer.lasso_s = statistics.median([lasso(page, server, place) for place in places])
    peer.lasso_mb = (traffic.sent - before) / 1e6 / TURNS
    page.close()


def visit(page: Page, url: str, windows: int) -> float:
    """Seconds until its plot has all points, and they can be seen."""
    began = time.perf_counter()
    page.goto(url, timeout=PATIENCE_S * 1000)
    count = "plot => (plot._fullData ?? []).reduce((n, trace) => n + (trace.x?.length ?? 0), 0)"
    _wait(
        lambda: _plots(page).count() and _plots(page).first.evaluate(count) >= windows,
        "its plot did not have all points",
    )
    _wait(lambda: _points_are_seen(page), "no point could be seen")
    return time.perf_counter() - began


def click(page: Page, place: np.ndarray) -> float:
    """Seconds from a click on a point to its spectrogram, the one that it shows."""
    shown = "plot => JSON.stringify((plot._fullData ?? []).map(t => [t.type, t.z?.[9]?.[9] ?? 0]))"
    spectrogram = _plots(page).nth(1)
    before = spectrogram.evaluate(shown)
    x, y = _at(page, place)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(500)
    began = time.perf_counter()
    page.mouse.click(x, y)
    _wait(lambda: spectrogram.evaluate(shown) != before, "no spectrogram was shown")
    return time.perf_counter() - began


def lasso(page: Page, server: Server, place: np.ndarray) -> float:
    """Seconds from letting go of a lasso until its server has the selection; it shows nothing."""
    x, y = _at(page, place)
    page.mouse.move(x + LASSO_PX, y)
    page.mouse.down()
    for angle in np.linspace(0, 2 * np.pi, 13)[1:]:
        page.mouse.move(x + LASSO_PX * np.cos(angle), y + LASSO_PX * np.sin(angle))
        page.wait_for_timeout(40)
    page.wait_for_timeout(150)
    began = time.perf_counter()
    page.mouse.up()
    heard = _wait(lambda: server.heard("Selected ", began), "the selection did not arrive", page)
    return heard - began


def _at(page: Page, place: np.ndarray) -> tuple[float, float]:
    """Where on the page a place of its map is."""
    to_pixels = """(plot, [x, y]) => {
      const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect()
      return [box.x + xaxis._offset + xaxis.d2p(x), box.y + yaxis._offset + yaxis.d2p(y)]
    }"""
    x, y = _plots(page).first.evaluate(to_pixels, [float(place[0]), float(place[1])])
    return x, y


def _plots(page: Page) -> Locator:
    return page.locator(".js-plotly-plot")


def _points_are_seen(page: Page) -> bool:
    """Whether more than 1 % of the plot is in a colour."""
    picture = Image.open(io.BytesIO(_plots(page).first.screenshot(timeout=PATIENCE_S * 1000)))
    pixels = np.asarray(picture.convert("RGB"), dtype=int)
    return bool((np.ptp(pixels, axis=2) > 60).mean() > 0.01)


def _wait(test: Callable[[], Found], what_if_not: str, page: Page | None = None) -> Found:
    """Ask again and again until it is so; the page goes on meanwhile."""
    until = time.perf_counter() + PATIENCE_S
    while not (found := test()):
        if time.perf_counter() > until:
            raise TooSlow(f"{what_if_not} within {PATIENCE_S} s")
        if page is None:
            time.sleep(0.02)
        else:
            page.wait_for_timeout(10)
    return found


def write(folder: Path, collection: Path, xy: np.ndarray) -> tuple[Path, Path]:
    """Write what its dashboard reads; give the folders of the recordings and of the results."""
    reef = ex.open(collection)
    sound = next(collection.glob("*.wav"))
    sounds, results = folder / "sounds", folder / "results"
    names, counts = [], []
    for i, name in enumerate(reef.recordings["recording"]):
        file = sounds / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.hardlink_to(sound)
        names.append(name)
        counts.append(min(PER_RECORDING, len(xy) - i * PER_RECORDING))
    order = np.argsort(names)  # it keeps its files sorted by name
    rows = np.concatenate([np.arange(c) + i * PER_RECORDING for i, c in enumerate(counts)])
    parts = np.split(rows, np.cumsum(counts)[:-1])
    xy = xy[np.concatenate([parts[i] for i in order])]
    counts = [counts[i] for i in order]
    _write_metadata(sounds, results, [names[i] for i in order], counts, xy)
    return sounds, results


def _write_metadata(
    sounds: Path, results: Path, names: list[str], counts: list[int], xy: np.ndarray
) -> None:
    embedded = results / "sounds" / "embeddings" / f"2026-01-01_00-00___{MODEL}-sounds"
    reduced = (
        results / "sounds" / "dim_reduced_embeddings" / f"2026-01-01_00-01___umap-sounds-{MODEL}"
    )
    files = {
        "audio_files": names,
        "file_lengths (s)": [c * WINDOW_S for c in counts],
        "nr_embeds_per_file": counts,
    }
    about = {
        "model_name": MODEL,
        "audio_dir": str(sounds),
        "embed_dir": str(embedded),
        "segment_length (samples)": int(WINDOW_S * RATE),
        "sample_rate (Hz)": RATE,
        "embedding_size": 1024,
        "nr_embeds_total": len(xy),
        "total_dataset_length (s)": len(xy) * WINDOW_S,
    }
    for place in (embedded, reduced):
        place.mkdir(parents=True)
        # JSON is YAML; its reader takes both
        (place / "metadata.yml").write_text(json.dumps(about | {"files": files}))
    starts = np.concatenate([np.arange(c) * WINDOW_S for c in counts])
    map_ = {
        "x": xy[:, 0].astype(float).tolist(),
        "y": xy[:, 1].astype(float).tolist(),
        "timestamp": starts.tolist(),
        "metadata": files | about,
    }
    (reduced / f"sounds_{MODEL}.json").write_text(json.dumps(map_))


def serve(python: str, sounds: Path, results: Path) -> Server:
    """Start its dashboard with its own function."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = f"""
        import bacpipe
        bacpipe.visualize_using_dashboard(
            models=[{MODEL!r}], audio_dir={str(sounds)!r},
            main_results_dir={str(results)!r}, dashboard_port={port})
    """
    setting = os.environ | {"BROWSER": "true"}  # it opens a browser of its own accord
    setting.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [python, "-u", "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=results, env=setting,
    )  # fmt: skip
    server = Server(process, f"http://localhost:{port}")
    threading.Thread(target=server.follow, daemon=True).start()
    return server
