"""Work on many items in several threads, with results in the items' order and memory for a few of them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_QUEUED_PER_THREAD = 4  # enough that no thread waits for a slow item at the head of the queue


def results_in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int
) -> Generator[_Result, None, None]:
    """Return what `work` makes of each item, in order; what it raises is raised in its place.

    Closing the generator waits for the items that are being worked on, and begins no other.

    Args:
        work: Called from several threads at once.
        items: Taken as they are needed, from the caller's thread.
        threads: How many.
    """

    def submitted(pool: ThreadPoolExecutor) -> Iterator[Future[_Result]]:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= threads * _QUEUED_PER_THREAD:
                yield waiting.popleft()
        yield from waiting

    with _pool(threads) as pool:
        for future in submitted(pool):
            yield future.result()


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
