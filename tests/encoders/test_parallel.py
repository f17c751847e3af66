"""Windows in pieces: in order, on every core, leaving torch's settings as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from explorer.encoders.parallel import in_pieces

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 3], ids=["1 thread", "2 threads", "3 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_pieces_come_back_whole_and_in_order(threads: int) -> None:
    windows = torch.arange(23.0)[:, None].expand(23, 4)
    pieces = in_pieces(lambda piece: piece * 2, windows, at_once=5, device=CPU)
    torch.testing.assert_close(torch.cat(pieces), windows * 2)
    assert max(len(piece) for piece in pieces) <= 5


def test_torch_keeps_its_number_of_threads(threads: int) -> None:
    inside = in_pieces(
        lambda piece: torch.get_num_threads(), torch.zeros(8, 2), at_once=1, device=CPU
    )
    assert set(inside) == {1}
    assert torch.get_num_threads() == threads
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_no_gradients_are_kept_and_errors_come_through(threads: int) -> None:
    weight = torch.ones(2, requires_grad=True)
    pieces = in_pieces(lambda piece: piece @ weight, torch.zeros(8, 2), at_once=2, device=CPU)
    assert not any(piece.requires_grad for piece in pieces)
    with pytest.raises(ZeroDivisionError):
        in_pieces(lambda piece: 1 / 0, torch.zeros(8, 2), at_once=2, device=CPU)
