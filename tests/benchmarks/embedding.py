"""Recordings to embeddings on disk, beside the bare forward pass of each encoder.

Run by hand: `python tests/benchmarks/embedding.py [--encoder NAME]… [--random] [--audio FOLDER]`.
It takes every encoder that can run here, and makes recordings as a recorder does, 48 kHz WAV of
five minutes each, unless a folder is given.
`--random` gives SurfPerch and BEATs random weights where none are installed: as fast as real ones.
Every round runs all of it in turn on the same windows, so that a busy machine disturbs each alike;
the best round counts. For BirdNET, LiteRT runs beside it with the same threads.

Shares are of the time of one embedding run, seen from where the encoder is called: encoding; and
the rest, which is waiting for sound that is not yet decoded, and writing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

import explorer
from explorer.audio.decoding import stream_windows
from explorer.audio.recordings import scan
from explorer.audio.windows import WindowGrid
from explorer.encoders.base import Encoder
from explorer.encoders.batching import Batches
from explorer.encoders.registry import available, load
from explorer.errors import EncoderError

sys.path.append(str(Path(__file__).resolve().parents[1]))  # imitations of published weights

RATE = 48_000
RECORDING_S = 300


def record(folder: Path, minutes: float) -> Path:
    """Write noise that swells and fades, as a recorder would have written it."""
    generator = np.random.default_rng(0)
    for number in range(max(1, round(60 * minutes / RECORDING_S))):
        swell = np.sin(np.linspace(0, 40, RECORDING_S * RATE, dtype=np.float32)) ** 2
        sound = 0.1 * swell * generator.standard_normal(RECORDING_S * RATE, dtype=np.float32)
        name = f"SITE_20260301_{number // 12:02d}{5 * number % 60:02d}00.wav"
        soundfile.write(folder / name, sound, RATE)
    return folder


def decoded(audio: Path, encoder: Encoder) -> tuple[torch.Tensor, float]:
    """All windows of a folder in memory, and how long one process takes to decode them."""
    grid = WindowGrid(encoder.window_s, encoder.window_s)
    found = scan(audio)
    start = time.perf_counter()
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


class Timed:
    """An encoder with a watch, which notes how long it was at work."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.seconds = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        try:
            return self._encoder.encode(windows)
        finally:
            self.seconds += time.perf_counter() - start


def alone(encoder: Encoder, windows: torch.Tensor, batch_size: int) -> float:
    """Seconds that the encoder takes for windows that lie ready."""
    start = time.perf_counter()
    for batch in windows.split(batch_size):
        encoder.encode(batch).cpu()
    return time.perf_counter() - start


def pipeline(encoder: Encoder, audio: Path, count: int) -> tuple[float, float]:
    """Seconds of an embedding run, and how many of them the encoder was at work."""
    with tempfile.TemporaryDirectory() as folder:
        reef = explorer.open(Path(folder) / "a.collection", audio=audio)
        timed = Timed(encoder)
        report = reef.embed(timed, progress=False)  # type: ignore[arg-type]
        assert report.windows == count, report
        return report.elapsed_s, timed.seconds


def with_random_weights(name: str) -> Encoder | None:
    """SurfPerch or BEATs of the published size, without sense."""
    if name == "surfperch":
        from perch_models import HEADS, tree

        from explorer.encoders.perch_weights import Converted, Switches
        from explorer.encoders.surfperch import PerchEncoder

        names = {head: [str(n) for n in range(count)] for head, count in HEADS.items()}
        switches = Switches("legacy", "swish", "new")
        return PerchEncoder(Converted(name, "random", switches, tree(), names, "", ""))
    if name == "beats":
        from beats_checkpoints import official

        from explorer.encoders.beats import BeatsEncoder
        from explorer.encoders.beats_checkpoint import Checkpoint
        from explorer.encoders.beats_network import BeatsConfig

        config = BeatsConfig()
        return BeatsEncoder(Checkpoint(config, official(config)["model"], [], "random"))
    return None


def encoders(names: list[str], random: bool) -> dict[str, Encoder]:
    """Those asked for, or all that can run here."""
    found: dict[str, Encoder] = {}
    for info in available():
        if names and info.name not in names:
            continue
        try:
            found[info.name] = load(info.name)
        except (EncoderError, ImportError) as error:
            made = with_random_weights(info.name) if random else None
            if made is None:
                print(f"{info.name}: not measured ({str(error).split('. ')[0]})")
            else:
                found[f"{info.name}, random weights"] = made
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, help="a folder of recordings")
    parser.add_argument("--minutes", type=float, default=30, help="of sound, where none is given")
    parser.add_argument("--encoder", action="append", default=[])
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        audio = options.audio or record(Path(folder), options.minutes)
        compare(audio, encoders(options.encoder, options.random), options.rounds)


def compare(audio: Path, measured: dict[str, Encoder], rounds: int) -> None:
    print(
        f"{'':26}{'windows':>8}{'alone':>9}{'pipeline':>10}{'x real time':>13}{'of alone':>10}"
        f"{'the rest':>9}{'encoding':>10}{'decoding alone':>17}"
    )
    for name, encoder in measured.items():
        windows, decoding = decoded(audio, encoder)
        batch_size = Batches(encoder).batch_size
        bare: dict[str, Callable[[], float]] = {
            name: lambda e=encoder, w=windows, b=batch_size: alone(e, w, b)
        }
        if encoder.name == "birdnet":
            from explorer.encoders.birdnet import BirdNetEncoder

            litert = BirdNetEncoder(engine="litert")
            bare["  LiteRT, same threads"] = lambda w=windows, e=litert: alone(e, w, 32)
        encoder.encode(windows[:4])  # warm up
        times: dict[str, list[float]] = {}
        runs = []
        for _ in range(rounds):
            for other, measure in bare.items():
                times.setdefault(other, []).append(measure())
            runs.append(pipeline(encoder, audio, len(windows)))
        best, working = min(runs)
        forward = min(times[name])
        speed = len(windows) / best
        at_work = working / best
        print(
            f"{name:26}{len(windows):8}{len(windows) / forward:9.1f}{speed:10.1f}"
            f"{speed * encoder.window_s:13.0f}{forward / best:10.0%}{1 - at_work:9.0%}"
            f"{at_work:10.0%}{len(windows) / decoding:15.0f}/s"
        )
        for other, values in times.items():
            if other != name:
                ratio = min(values) / best
                print(
                    f"{other:26}{len(windows):8}{len(windows) / min(values):9.1f}"
                    f"    the pipeline is {ratio:.2f} x as fast"
                )
        print(f"    on {encoder.device}, batches of {batch_size}")


if __name__ == "__main__":
    main()
