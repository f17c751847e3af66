"""Windows per second of the encoders on this CPU, beside LiteRT alone with the same threads.

Run by hand: `python tests/benchmarks/encoders.py [--threads 2] [--windows 32] [--rounds 4]`. Every
round runs all of them in turn, so that a busy machine disturbs each alike; the best round counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from explorer.encoders import birdnet_weights
from explorer.encoders.birdnet import BirdNetEncoder
from explorer.encoders.devices import choose_device
from explorer.encoders.spectral import SpectralEncoder


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def interpreter(threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The interpreter as it comes, for logits alone."""
    network = Interpreter(str(birdnet_weights.find_model()), num_threads=threads)
    network.allocate_tensors()
    into, out = (
        details[0]["index"]
        for details in (network.get_input_details(), network.get_output_details())
    )

    def run(wave: np.ndarray) -> np.ndarray:
        network.set_tensor(into, wave[None])
        network.invoke()
        return network.get_tensor(out)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    generator = torch.Generator().manual_seed(1)
    waves = 0.1 * torch.randn(options.windows, 144_000, generator=generator)
    slow = 0.1 * torch.randn(options.windows, 96_000, generator=generator)
    torch_encoder = BirdNetEncoder(device="cpu")
    litert = interpreter(options.threads)
    spectral = SpectralEncoder(device="cpu")
    runs: dict[str, Callable[[], object]] = {
        "LiteRT alone": lambda: [litert(wave) for wave in waves.numpy()],
        "birdnet, embeddings and logits": lambda: torch_encoder.encode_with_logits(waves),
        "birdnet, embeddings": lambda: torch_encoder.encode(waves),
        "birdnet, one window at a time": lambda: [torch_encoder.encode(w[None]) for w in waves],
        "spectral": lambda: spectral.encode(slow),
    }
    if choose_device("auto").type != "cpu":
        on_gpu = BirdNetEncoder()
        runs[f"birdnet on {on_gpu.device}"] = lambda: on_gpu.encode(waves).cpu()
    for run in runs.values():  # warm up
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            times[name].append(seconds(run))

    print(f"{options.windows} windows of 3 s, {options.threads} threads, {options.rounds} rounds")
    print(f"{'':34}{'windows/s':>10}{'median':>9}{'x real time':>13}{'x LiteRT':>10}")
    reference = min(times["LiteRT alone"])
    for name, values in times.items():
        best = options.windows / min(values)
        middle = options.windows / statistics.median(values)
        ratio = reference / min(values)
        print(f"{name:34}{best:10.1f}{middle:9.1f}{3 * best:13.0f}{ratio:10.2f}")


if __name__ == "__main__":
    main()
