"""Side by side, in order, with a bound."""

from __future__ import annotations

import threading
import time

import pytest

from holdfast.marc.parallel import map_in_order


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_items(workers) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item % 5 == 0 else 0)
        return item * item

    assert list(map_in_order(slow_first, range(30), workers)) == [k * k for k in range(30)]


def test_no_more_items_are_taken_than_can_be_worked_on() -> None:
    taken, most, done = 0, 0, 0

    def items():
        nonlocal taken
        for k in range(50):
            taken += 1
            yield k

    for _ in map_in_order(lambda each: each, items(), 2):
        done += 1
        most = max(most, taken - done)
    assert done == 50 and most <= 3


def test_an_exception_comes_out_in_its_place_and_ends_the_work() -> None:
    def fails(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    results = map_in_order(fails, range(1000), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert not [each for each in threading.enumerate() if each.name.startswith("holdfast-block")]
