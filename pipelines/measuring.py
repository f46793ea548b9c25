"""Channel statistics of many files, by several threads, with a result that does not depend on their number."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freqlearn.cores import available_cores
from freqlearn.pipelines.cores import torch_threads
from freqlearn.pipelines.data import SampleError, Transform, naming_file, reason
from freqlearn.pipelines.options import OnBadImage
from freqlearn.reading import read_bytes
from freqlearn.statistics import ChannelStatistics

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
    transform: Transform,
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
        threads: How many; None for one a core.
        on_bad_image: "error" stops at the first file that cannot be read, "skip" lists it in the measurement.

    Raises:
        SampleError: If a file cannot be read and ``on_bad_image`` is "error"; the message names it.
    """
    count = available_cores() if threads is None else threads
    if count < 1:
        raise ValueError(f"expected at least one thread, got {count}")

    def one(path: Path) -> ChannelStatistics | Exception:
        try:
            return ChannelStatistics.of_image(transform(read_bytes(path)))
        except (ValueError, OSError) as error:
            return error

    now = start
    with torch_threads(1), _pool(count) as pool:  # there is a Python thread a core already
        futures = ((path, pool.submit(one, path)) for path in paths[start.done :])
        for path, future in _ahead(futures, count * _QUEUED_PER_THREAD):
            result = future.result()
            if isinstance(result, ChannelStatistics):
                now = Measurement(now.statistics.merged(result), now.done + 1, now.skipped)
            elif on_bad_image == "skip":
                now = Measurement(now.statistics, now.done + 1, (*now.skipped, (str(path), reason(result))))
            else:
                raise SampleError(naming_file(path, result)) from result
            yield now


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
