"""Channel statistics of many files, by several threads, with a result that does not depend on their number."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from freqlearn.statistics import ChannelStatistics

OnBadImage = Literal["error", "skip"]
_QUEUED_PER_THREAD = 4  # enough that no thread waits for a slow file at the head of the queue


@dataclass(frozen=True)
class Measurement:
    """What has been measured of a list of files, from its beginning.

    Attributes:
        statistics: Statistics of the files measured.
        done: How many files of the list have been dealt with: measured or skipped.
        skipped: Path and reason of each file that could not be read.
    """

    statistics: ChannelStatistics
    done: int = 0
    skipped: tuple[tuple[str, str], ...] = ()


def measure(
    paths: Sequence[Path],
    transform: Callable[[bytes], torch.Tensor],
    start: Measurement,
    *,
    threads: int | None = None,
    on_bad_image: OnBadImage = "error",
) -> Generator[Measurement, None, None]:
    """Measure the files that a measurement has not dealt with yet, and yield the new measurement after each.

    Files are read, decoded and measured in threads and merged in the list's order, so any number of threads gives the
    same bits. A measurement is never changed, so whatever interrupts this, the last one yielded is whole and can be
    gone on from.

    Args:
        paths: The files.
        transform: Encoded file -> (C, h, w) dequantised; called from several threads at once.
        start: Where to go on; ``Measurement(ChannelStatistics(C))`` to begin.
        threads: How many; None for one a processor.
        on_bad_image: "error" stops at the first file that cannot be read, "skip" lists it in the measurement.

    Raises:
        ValueError: If a file cannot be read and ``on_bad_image`` is "error"; the message names it.
    """
    count = available_threads() if threads is None else threads
    if count < 1:
        raise ValueError(f"expected at least one thread, got {count}")

    def one(path: Path) -> ChannelStatistics | Exception:
        try:
            return ChannelStatistics.of_image(transform(path.read_bytes()))
        except (ValueError, OSError) as error:
            return error

    now = start
    with single_threaded_torch(), _pool(count) as pool:
        futures = ((path, pool.submit(one, path)) for path in paths[start.done :])
        for path, future in _ahead(futures, count * _QUEUED_PER_THREAD):
            result = future.result()
            if isinstance(result, ChannelStatistics):
                now = Measurement(now.statistics.merged(result), now.done + 1, now.skipped)
            elif on_bad_image == "skip":
                now = Measurement(now.statistics, now.done + 1, (*now.skipped, (str(path), str(result))))
            else:
                raise ValueError(f"{path}: {result}; remove the file, or skip such files") from result
            yield now


def available_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Run a block, and the threads that it starts, with one torch thread each: there is a Python thread a processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="measure")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # after an interrupt: wait for the files being decoded, start no other


_Job = tuple[Path, "Future[ChannelStatistics | Exception]"]


def _ahead(jobs: Iterable[_Job], queued: int) -> Iterator[_Job]:
    """Return the jobs in order, after submitting the next ``queued`` ones: memory stays bounded for any number."""
    waiting: deque[_Job] = deque()
    for job in jobs:
        waiting.append(job)
        if len(waiting) >= queued:
            yield waiting.popleft()
    yield from waiting
