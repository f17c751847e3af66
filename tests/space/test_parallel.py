"""Blocks are worked on side by side, and nobody notices."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from explorer.space.parallel import in_order


def test_results_come_in_the_order_of_the_items():

    def slow_at_first(number: int) -> int:
        time.sleep(0.01 if number < 3 else 0)
        return number * number

    assert list(in_order(slow_at_first, range(200))) == [number**2 for number in range(200)]


def test_items_are_taken_only_as_they_are_needed():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = in_order(str, items())
    assert next(results) == "0"
    assert len(taken) <= 2 * torch.get_num_threads() + 1
    results.close()


def test_an_error_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // number, [2, 1, 0]))


def test_each_thread_uses_one_core_and_the_caller_all():
    before = torch.get_num_threads()
    assert set(in_order(lambda _: torch.get_num_threads(), range(50))) == {1}
    assert torch.get_num_threads() == before
    seen = []
    newcomer = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    newcomer.start()
    newcomer.join()
    assert seen == [before]
