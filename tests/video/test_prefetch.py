"""Decoding ahead and encoding behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dffcli.video.prefetch import prefetch, queue_depth, write_behind


def dff_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dff-")]


def test_everything_arrives_in_order() -> None:
    with prefetch(range(100), depth=3) as ahead:
        assert list(ahead) == list(range(100))
    assert dff_threads() == []


def test_no_more_than_depth_items_wait() -> None:
    made = 0

    def source() -> Iterator[int]:
        nonlocal made
        for number in range(1, 100):
            made = number
            yield number

    with prefetch(source(), depth=3) as ahead:
        next(ahead)
        time.sleep(0.1)
        assert made <= 1 + 3 + 1  # taken, waiting, and the one in the thread's hand

    assert dff_threads() == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    got = []
    with pytest.raises(OSError, match="broken"), prefetch(source(), depth=1) as ahead:
        got.extend(iter(lambda: next(ahead), None))

    assert got == [1, 2]
    assert dff_threads() == []


def test_closing_early_ends_the_thread() -> None:
    with prefetch(iter(int, 1), depth=2) as ahead:
        next(ahead)
    assert dff_threads() == []
    assert list(ahead) == []


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        prefetch([], depth=0)
    with pytest.raises(ValueError, match="at least 1"):
        write_behind(print, depth=0)


def test_everything_is_consumed_in_order() -> None:
    got: list[int] = []
    with write_behind(got.append, depth=2) as write:
        for number in range(50):
            write(number)

    assert got == list(range(50))
    assert dff_threads() == []


def test_a_consumer_error_reaches_the_writer() -> None:
    def consume(number: int) -> None:
        if number == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(consume, depth=2) as write:
        for number in range(1000):
            write(number)
    assert dff_threads() == []


def test_a_consumer_error_on_the_last_item_is_not_lost() -> None:
    def consume(number: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(consume) as write:
        write(1)


def test_an_error_outside_drops_what_waits() -> None:
    gate = threading.Event()
    got: list[int] = []

    def consume(number: int) -> None:
        gate.wait(5)
        got.append(number)

    with pytest.raises(KeyboardInterrupt), write_behind(consume, depth=8) as write:
        for number in range(5):
            write(number)
        gate.set()
        raise KeyboardInterrupt

    assert len(got) <= 5
    assert dff_threads() == []


def test_queues_are_deep_for_small_frames_and_shallow_for_large_ones() -> None:
    depths = [queue_depth(size) for size in ((180, 320), (1080, 1920), (2160, 3840), (8192, 8192))]
    assert depths == [16, 10, 2, 1]
