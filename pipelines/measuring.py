"""Channel statistics of many files, by several threads, with a result that does not depend on their number."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from freqlearn.cores import available_cores
from freqlearn.pipelines.cores import torch_threads
from freqlearn.pipelines.data import Transform, UnreadableError, naming_file, reason
from freqlearn.pipelines.options import OnBadImage
from freqlearn.reading import read_bytes
from freqlearn.sources import FileBytes
from freqlearn.statistics import ChannelStatistics

_QUEUED_PER_THREAD = 4  # enough that no thread waits for a slow file at the head of the queue

Source = Path | FileBytes
"""A file, or what was in it."""


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

    def followed_by(self, other: "Measurement") -> "Measurement":
        """What has been measured of two lists, one after the other."""
        return Measurement(
            self.statistics.merged(other.statistics), self.done + other.done, (*self.skipped, *other.skipped)
        )


class Work(NamedTuple):
    """A list of files that is measured by itself.

    Attributes:
        number: Its number among all lists.
        sources: The files, from the first on.
        start: Where to go on; ``Measurement(ChannelStatistics(C))`` to begin.
    """

    number: int
    sources: Iterable[Source]
    start: Measurement


class Progress(NamedTuple):
    """How far the measuring of a list has come.

    Attributes:
        number: The list's number.
        now: What has been measured of it.
        finished: Whether that is all.
    """

    number: int
    now: Measurement
    finished: bool


def measure(
    sources: Iterable[Source],
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
        sources: The files.
        transform: Encoded file -> (C, h, w) dequantised; called from several threads at once.
        start: Where to go on; ``Measurement(ChannelStatistics(C))`` to begin.
        threads: How many; None for one a core.
        on_bad_image: "error" stops at the first file that cannot be read, "skip" lists it in the measurement.

    Raises:
        UnreadableError: If a file cannot be read and ``on_bad_image`` is "error"; the message names it.
    """
    for progress in measure_lists([Work(0, sources, start)], transform, threads=threads, on_bad_image=on_bad_image):
        if not progress.finished:
            yield progress.now


def measure_lists(
    lists: Iterable[Work], transform: Transform, *, threads: int | None = None, on_bad_image: OnBadImage = "error"
) -> Generator[Progress, None, None]:
    """Measure lists of files one after another, as `measure` does one, without a pause between them.

    Yields:
        What has been measured of a list, after each file and at its end.

    Raises:
        UnreadableError: As `measure`.
        ValueError: If there is to be no thread.
    """
    count = available_cores() if threads is None else threads
    if count < 1:
        raise ValueError(f"expected at least one thread, got {count}")

    def one(source: Source) -> ChannelStatistics | Exception:
        try:
            return ChannelStatistics.of_image(transform(source if isinstance(source, bytes) else read_bytes(source)))
        except (ValueError, OSError) as error:
            return error

    with torch_threads(1), _pool(count) as pool:  # there is a Python thread a core already

        def jobs() -> Iterator[_Job]:
            for work in lists:
                yield work, None, None
                for source in islice(work.sources, work.start.done, None):
                    yield work, _name(source), pool.submit(one, source)

        running: Progress | None = None
        for work, name, future in _ahead(jobs(), count * _QUEUED_PER_THREAD):
            if future is None or name is None:
                if running is not None:
                    yield running._replace(finished=True)
                running = Progress(work.number, work.start, False)
                continue
            now = running.now if running is not None else work.start
            result = future.result()
            if isinstance(result, ChannelStatistics):
                now = Measurement(now.statistics.merged(result), now.done + 1, now.skipped)
            elif on_bad_image == "skip":
                now = Measurement(now.statistics, now.done + 1, (*now.skipped, (name, reason(result))))
            else:
                raise UnreadableError(naming_file(name, result)) from result
            running = Progress(work.number, now, False)
            yield running
        if running is not None:
            yield running._replace(finished=True)


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="measure")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # after an interrupt: wait for the files being decoded, start no other


# A file of a list with what is to come of it; or, without them, the beginning of a list.
_Job = tuple[Work, str | None, "Future[ChannelStatistics | Exception] | None"]


def _ahead(jobs: Iterable[_Job], queued: int) -> Iterator[_Job]:
    """Return the jobs in order, after submitting the next ``queued`` ones: memory stays bounded for any number."""
    waiting: deque[_Job] = deque()
    for job in jobs:
        waiting.append(job)
        if len(waiting) >= queued:
            yield waiting.popleft()
    yield from waiting


def _name(source: Source) -> str:
    return source.path if isinstance(source, FileBytes) else str(source)
