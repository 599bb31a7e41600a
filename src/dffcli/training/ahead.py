"""Batches made ahead of their step, by threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from dffcli.training.objective import Batch


def batches_ahead(make: Callable[[int], Batch], *, first: int, last: int, threads: int) -> Iterator[Batch]:
    """The batches of the steps `first` up to, not including, `last`.

    Args:
        make: gives the batch of a step, the same whenever and wherever it is called.
        first: step to start with.
        last: step to stop before.
        threads: how many batches are made at once, and wait at most; 0 makes each when it is asked for.
    """
    if threads == 0:
        yield from map(make, range(first, last))
        return
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="batch") as pool:
        try:
            for step in range(first, last):
                waiting.append(pool.submit(make, step))
                if len(waiting) == threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
