"""Work on many items in several threads, with results in the items' order and memory for a few of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_QUEUED_PER_THREAD = 4  # enough that no thread waits for a slow item at the head of the queue


class InOrder:
    """Threads that work on items side by side, and give the results in the items' order.

    A context manager: leaving it, by an interrupt too, waits for the items that are being worked on and begins no
    other.
    """

    def __init__(self, threads: int) -> None:
        """Take so many threads."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._queued = threads * _QUEUED_PER_THREAD

    def results(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Return what `work` makes of each item, in order; what it raises is raised in its place.

        Args:
            work: Called from several threads at once.
            items: Taken as they are needed, from the caller's thread.
        """
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) >= self._queued:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
