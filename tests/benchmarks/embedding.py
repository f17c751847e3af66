"""Windows per second of `Collection.embed`, beside the encoder alone and LiteRT alone.

Run by hand: `python tests/benchmarks/embedding.py [--audio FOLDER] [--encoder birdnet]`. Everything
runs on the same windows in the same process, one after the other, twice; the better round counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

import explorer
from explorer.audio.decoding import stream_windows
from explorer.audio.recordings import scan
from explorer.audio.windows import WindowGrid
from explorer.encoders.base import Encoder
from explorer.encoders.registry import load

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


def decoded(audio: Path, encoder: Encoder) -> tuple[torch.Tensor, float]:
    """All windows of a folder in memory, and how long decoding them took."""
    start = time.perf_counter()
    grid = WindowGrid(encoder.window_s, encoder.window_s)
    found = scan(audio)
    blocks = [
        torch.from_numpy(block.samples)
        for recording in found.recordings
        for block in stream_windows(
            recording.path,
            grid,
            sample_rate=encoder.sample_rate,
            duration_s=recording.duration_s,
        )
    ]
    return torch.cat(blocks), time.perf_counter() - start


def alone(encoder: Encoder, windows: torch.Tensor) -> float:
    """Seconds that the encoder takes for windows that lie ready."""
    start = time.perf_counter()
    for batch in windows.split(32):
        encoder.encode(batch)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, default=DEMO)
    parser.add_argument("--encoder", default="birdnet")
    options = parser.parse_args()

    encoder = load(options.encoder)
    windows, decoding = decoded(options.audio, encoder)
    runs = {f"{encoder.name} alone": encoder}
    if encoder.name == "birdnet":
        from explorer.encoders.birdnet import BirdNetEncoder

        runs["LiteRT alone"] = BirdNetEncoder(engine="litert")
    for other in runs.values():
        other.encode(windows[:4])  # warm up
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2):
            for name, other in runs.items():
                times.setdefault(name, []).append(alone(other, windows))
            reef = explorer.open(Path(folder) / f"{number}.collection", audio=options.audio)
            report = reef.embed(encoder, progress=False)
            times.setdefault("Collection.embed", []).append(report.elapsed_s)
            assert report.windows == len(windows)

    print(f"{len(windows)} windows of {encoder.window_s:g} s on {encoder.device}")
    print(f"decoding alone takes {decoding:.2f} s")
    print(f"{'':24}{'windows/s':>10}{'x real time':>13}{'x embed':>9}")
    reference = min(times["Collection.embed"])
    for name, values in times.items():
        speed = len(windows) / min(values)
        ratio = reference / min(values)
        print(f"{name:24}{speed:10.1f}{speed * encoder.window_s:13.0f}{ratio:9.2f}")


if __name__ == "__main__":
    main()
