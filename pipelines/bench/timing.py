"""Taking the time: peers in turn over the same photos, round by round, so that ratios survive a busy machine."""

import gc
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from freqlearn.pipelines.bench.peers import Pass, UnavailableError, require
from freqlearn.pipelines.bench.photos import Photo
from freqlearn.pipelines.cores import torch_threads

Value = TypeVar("Value")


@dataclass(frozen=True)
class Timing:
    """Milliseconds a photo, one entry a round.

    Attributes:
        wall: As a clock on the wall has it.
        cpu: What the process computed in that time, over all its threads; more than `wall` if it used several, less
            if it had to wait for the machine.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of the wall times."""
        return statistics.median(self.wall)


@dataclass(frozen=True)
class Ratio:
    """How many times as long one took as the other, one entry a round: both measured within the same seconds."""

    rounds: list[float]

    @classmethod
    def of(cls, slower: Timing, faster: Timing) -> "Ratio":
        """The first over the second, on the wall."""
        return cls([a / b for a, b in zip(slower.wall, faster.wall, strict=True)])

    @classmethod
    def of_cpu(cls, slower: Timing, faster: Timing) -> "Ratio":
        """The same of what the processor computed, which other work on the machine does not lengthen much."""
        return cls([a / b for a, b in zip(slower.cpu, faster.cpu, strict=True)])

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.rounds):.2f}-{max(self.rounds):.2f})"


def measure(
    passes: Mapping[str, Pass],
    photos: Sequence[Photo],
    *,
    rounds: int,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Timing]:
    """Time passes over the same photos.

    Every round runs every pass once, from torch's seed of that round, in an order that turns by one place a round.

    Args:
        passes: What to time, by name; warm.
        photos: The photos.
        rounds: How often.
        seed: Of the first round.
        progress: Is told what runs.
    """
    timings = {name: Timing() for name in passes}
    names = list(passes)
    for number in range(rounds):
        gc.collect()
        turn = number % len(names) if names else 0
        for name in names[turn:] + names[:turn]:
            progress(f"round {number + 1} of {rounds}: {name}")
            torch.manual_seed(seed + number)
            wall, cpu = clocked(lambda name=name: passes[name](photos))  # type: ignore[misc]
            timings[name].wall.append(1e3 * wall / len(photos))
            timings[name].cpu.append(1e3 * cpu / len(photos))
    return timings


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and seconds computed of a call, without the garbage collector's."""
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return time.perf_counter() - wall, time.process_time() - cpu
    finally:
        gc.enable()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch and OpenCV use that many threads, and keep libraries from warning in the middle of a table."""
    with suppress(UnavailableError):
        require("cv2", "opencv-python-headless").setNumThreads(0 if count == 1 else count)  # 0: in the caller's thread
    with torch_threads(count), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
