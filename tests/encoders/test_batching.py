"""Batches: the same whatever pieces they come in, smaller when memory is short, two under way."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_recordings import Listener

from explorer.encoders.batching import CPU_BATCH, Batches, Cuda, Host, Share
from explorer.errors import EncoderError


def some_windows(count: int) -> np.ndarray:
    generator = np.random.default_rng(count)
    return generator.normal(0, 0.1, (count, Listener.sample_rate)).astype(np.float32)


class Small(Listener):
    """A device whose memory holds only so many windows."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(windows))
        if len(windows) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().encode(windows)


class OnGpu(Small):
    device = "NVIDIA H200 (cuda:1, 139 GiB)"


class Behind(Host):
    """Like a GPU: a batch is done when it is waited for."""

    ahead = 1

    def __init__(self) -> None:
        self.buffers: list[torch.Tensor] = []

    def buffer(self, *shape: int) -> torch.Tensor:
        self.buffers.append(torch.full(shape, torch.nan))
        return self.buffers[-1]

    def start(self, encode: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        return encode


def test_rows_are_the_same_in_whatever_pieces_they_come() -> None:
    windows = some_windows(23)
    whole = Listener().encode(torch.from_numpy(windows)).numpy()
    for lengths in ([23], [1] * 23, [3, 11, 9], [8, 8, 7]):
        cuts = np.cumsum([0, *lengths])
        pieces = [(at, windows[at:stop]) for at, stop in itertools.pairwise(cuts)]
        got = list(Batches(Listener(), 8).encode(pieces))
        assert [len(rows) for _, rows in got] == [8, 8, 7]
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in got]), whole)
        where = [
            share.tag + share.start + n
            for shares, _ in got
            for share in shares
            for n in range(share.count)
        ]
        assert where == list(range(23))


def test_a_word_without_windows_passes_in_its_turn() -> None:
    windows = some_windows(5)
    pieces = [("a", windows[:3]), ("a fails", None), ("b", windows[3:]), ("b fails", None)]
    got = list(Batches(Listener(), 4).encode(pieces))
    assert [shares for shares, _ in got] == [
        [Share("a", 0, 3), Share("a fails", 0, 0), Share("b", 0, 1)],
        [Share("b", 1, 1), Share("b fails", 0, 0)],
    ]
    (only,) = Batches(Listener(), 4).encode([("c fails", None)])
    assert only[0] == [Share("c fails", 0, 0)]
    assert only[1].shape == (0, Listener.dimension)


def test_a_piece_may_be_overwritten_once_the_next_is_asked_for() -> None:
    windows = some_windows(9)
    slot = np.empty((3, Listener.sample_rate), np.float32)

    def pieces():
        for at in range(0, 9, 3):
            slot[:] = windows[at : at + 3]
            yield at, slot
            slot[:] = np.nan

    for runner in (Host(), Behind()):
        rows = [rows for _, rows in Batches(Listener(), 4, runner=runner).encode(pieces())]
        expected = Listener().encode(torch.from_numpy(windows)).numpy()
        np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_out_of_memory_is_answered_with_smaller_batches(caplog: pytest.LogCaptureFixture) -> None:
    encoder = Small(room=5)
    batches = Batches(encoder, 16)
    windows = some_windows(40)
    rows = np.concatenate([rows for _, rows in batches.encode([("a", windows)])])
    np.testing.assert_array_equal(rows, Listener().encode(torch.from_numpy(windows)).numpy())
    assert batches.batch_size == 4
    assert encoder.sizes[:3] == [16, 8, 4]
    assert max(encoder.sizes[3:]) == 4  # and it is not tried again
    assert "out of memory on cpu with 16 windows" in caplog.text


def test_memory_for_not_even_one_window_is_an_error_with_a_cure() -> None:
    with pytest.raises(EncoderError, match=r"too small for one window.*device='cpu'"):
        list(Batches(Small(room=0), 4).encode([("a", some_windows(2))]))


def test_other_errors_of_an_encoder_are_not_taken_for_a_lack_of_memory() -> None:
    class Wrong(Listener):
        def encode(self, windows: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(Wrong(), 4).encode([("a", some_windows(8))]))


@pytest.mark.parametrize(
    ("cost", "best"),
    [
        (lambda size: 1.0, 1024),  # a pass costs the same whatever its size: the largest
        (lambda size: 0.01 * size, 32),  # a window costs the same: the smallest
        (lambda size: max(1.0, size / 128), 128),  # full at 128
    ],
    ids=["latency", "no gain", "full at 128"],
)
def test_the_probe_takes_the_smallest_batch_that_is_as_fast(
    cost: Callable[[int], float], best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Batches, "_seconds", lambda self, size: cost(size))
    assert Batches(OnGpu(room=10_000), runner=Behind()).batch_size == best


def test_the_probe_stops_where_memory_ends() -> None:
    encoder = OnGpu(room=CPU_BATCH)
    assert Batches(encoder, runner=Behind()).batch_size == CPU_BATCH
    assert max(encoder.sizes) == 2 * CPU_BATCH
    assert Batches(OnGpu(room=3), runner=Behind()).batch_size == 1


def test_two_batches_are_under_way_on_a_gpu_and_one_on_a_cpu() -> None:
    asked: list[int] = []

    def pieces():
        for number in range(4):
            asked.append(number)
            yield number, some_windows(2)

    for runner, expected in ((Host(), 1), (Behind(), 2)):
        asked.clear()
        next(Batches(Listener(), 2, runner=runner).encode(pieces()))
        assert len(asked) == expected


def test_a_gpu_is_told_by_its_description_and_a_cpu_that_regrets_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(Listener):
        device = (
            "CPU, 2 threads (an NVIDIA driver is here, but torch cannot use it: run `python -c "
        )
        device += "'import torch; torch.cuda.init()'` for the reason)"

    assert isinstance(Batches(OnGpu(1), 8)._runner, Cuda)
    assert not isinstance(Batches(Slow(), 8)._runner, Cuda)
