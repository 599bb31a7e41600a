"""Let two stages of a pipeline overlap: one background thread, a bounded queue in between."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

QUEUE_BYTES = 64_000_000  # pictures that may wait in one queue
SHALLOWEST, DEEPEST = 1, 16  # frames in a queue


class _Channel(Generic[T]):
    """A bounded queue that either side can close; an error of the producer reaches the consumer after its items."""

    def __init__(self, *, depth: int) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item, waiting for room; False once nobody will take it."""
        with self._changed:
            while len(self._items) >= self._depth and not (self._abandoned or self._ended):
                self._changed.wait()
            if self._abandoned or self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more items come, and why if not by themselves."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def abandon(self, error: BaseException | None = None) -> None:
        """Say that no more items will be taken: waiting puts return, what is queued is dropped."""
        with self._changed:
            self._abandoned = True
            self._error = self._error or error
            self._items.clear()
            self._changed.notify_all()

    @property
    def error(self) -> BaseException | None:
        """What stopped the other side."""
        return self._error

    def take(self) -> Iterator[T]:
        """The items as they come, then the producer's error if it had one."""
        while True:
            with self._changed:
                while not self._items and not self._ended and not self._abandoned:
                    self._changed.wait()
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Prefetch(Generic[T]):
    """Iterate over something on a background thread, a few items ahead of who uses them.

    The thread starts with the first item asked for. It ends when the source does, when the source raises (the error
    comes out of the iteration, after the items before it), or when this is closed. Close it, or use it as a context
    manager: a thread that waits for room cannot know that nobody is coming.
    """

    def __init__(self, source: Iterable[T], *, depth: int = 4) -> None:
        if depth < 1:
            raise ValueError(f"expected a depth of at least 1, got {depth}")
        self._source = source
        self._channel: _Channel[T] = _Channel(depth=depth)
        self._taken = self._channel.take()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fill, name="dff-prefetch", daemon=True)
            self._thread.start()
        return next(self._taken)

    def end(self) -> None:
        """End the iteration as if the source had ended: what is queued still comes. A signal handler may call it."""
        self._channel.end()

    def close(self, *, within_seconds: float | None = None) -> None:
        """Stop the thread and wait for it; the source is left where it is.

        Args:
            within_seconds: wait no longer; `is_busy` then says whether the thread still reads.
        """
        self._channel.abandon()
        if self._thread is not None:
            self._thread.join(within_seconds)

    @property
    def is_busy(self) -> bool:
        """The thread is in the middle of reading: the source must not be closed."""
        return self._thread is not None and self._thread.is_alive()

    def _fill(self) -> None:
        try:
            for item in self._source:
                if not self._channel.put(item):
                    return
        except BaseException as error:
            self._channel.end(error)
        else:
            self._channel.end()


class WriteBehind(Generic[T]):
    """Hand items to a slow consumer on a background thread.

    Calling it queues one item and waits only when the queue is full. An error of the consumer comes out of the next
    call, or of leaving the context. Leaving it normally waits until everything queued was consumed; leaving it with an
    exception drops what is queued.
    """

    def __init__(self, consume: Callable[[T], object], *, depth: int = 4) -> None:
        if depth < 1:
            raise ValueError(f"expected a depth of at least 1, got {depth}")
        self._consume = consume
        self._channel: _Channel[T] = _Channel(depth=depth)
        self._thread = threading.Thread(target=self._drain, name="dff-write-behind", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._channel.abandon(error)
        self._channel.end(self._channel.error)
        self._thread.join()
        if error is None and self._channel.error is not None:
            raise self._channel.error

    def __call__(self, item: T) -> None:
        """Queue one item; waits while the queue is full."""
        if not self._channel.put(item) and self._channel.error is not None:
            raise self._channel.error

    def _drain(self) -> None:
        try:
            for item in self._channel.take():
                self._consume(item)
        except BaseException as error:
            self._channel.abandon(error)


def aside(call: Callable[[], T]) -> T:
    """Run a call that may block for long on a thread of its own, so that a signal is heard while it does.

    Args:
        call: what to run; when a signal ends the waiting, it is left to itself.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="dff-aside", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def queue_depth(size: tuple[int, int]) -> int:
    """How many frames of `size` (`height, width`) may wait between two stages.

    Two-sided results come in bursts, one key interval at a time; a queue that holds a burst keeps every stage at work.
    """
    return min(max(QUEUE_BYTES // (3 * size[0] * size[1]), SHALLOWEST), DEEPEST)


def prefetch(source: Iterable[T], *, depth: int = 4) -> Prefetch[T]:
    """Iterate over `source` on a background thread, at most `depth` items ahead.

    Args:
        source: frames, usually.
        depth: how many items may wait.

    Returns:
        An iterator, to be closed (`with prefetch(frames) as ahead:`).
    """
    return Prefetch(source, depth=depth)


def write_behind(consume: Callable[[T], object], *, depth: int = 4) -> WriteBehind[T]:
    """Run `consume` for every item on a background thread, at most `depth` items behind.

    Args:
        consume: called with one item at a time, in order.
        depth: how many items may wait.

    Returns:
        A context manager that is called with each item (`with write_behind(sink.write) as write: write(result)`).
    """
    return WriteBehind(consume, depth=depth)
