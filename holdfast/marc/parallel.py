"""Work on blocks side by side, with the results in order and few blocks in memory.

Threads do: reading (numba), normalizing (Polars) and writing (Arrow) leave the GIL.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_Result]:
    """`function` of each item, in the items' order; `workers` (default: as many as cores) + 1 items are in memory at most.

    An exception of the function comes out where its result would have.
    """
    count = workers or cores()
    if count == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(count, thread_name_prefix="holdfast-block") as pool:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                if len(waiting) == count:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(function, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
