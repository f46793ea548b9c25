"""How an epoch of tar shards is divided: into streams that are read one after another, and batches taken from them.

A stream is a part of the epoch's samples with a shuffle buffer of its own. Batches take turns: each comes from one
stream, the one that has given least so far. So the batches of an epoch are the same for any number of workers, and a
worker, which gets every n-th batch, always reads the same streams where n divides their number.
"""

import heapq
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data.distributed import DistributedSampler

from freqlearn.indexing import integer
from freqlearn.pipelines.data import derived_seed
from freqlearn.pipelines.sampling import rank_and_world
from freqlearn.pipelines.shards.shard_set import Part, ShardSet

BUFFER = 250
"""Samples that a stream chooses the next one from. A process has at most 24 streams: 6000 encoded images in memory."""

# Numbers of streams a process: of workers, all divisors are possible without reading anything twice.
_STREAMS = (24, 12, 8, 6, 4, 3, 2, 1)

_log = logging.getLogger(__name__)

Taken = tuple[tuple[int, int, int], ...]
"""(stream, first, count): places of a stream's order that a batch takes."""


class Cut(NamedTuple):
    """How an epoch was divided when it began, and how far it has come.

    Attributes:
        block: Every stream is a multiple of so many samples long, but for the last one.
        taken: How many samples have been taken from each stream.
    """

    block: int
    taken: tuple[int, ...]


class Block(NamedTuple):
    """A batch: what a worker needs to know to find its samples.

    Attributes:
        epoch: The epoch.
        streams: Into how many streams it is divided,
        block: and in multiples of which size.
        taken: Which places of which streams.
    """

    epoch: int
    streams: int
    block: int
    taken: Taken


class Stream(NamedTuple):
    """What one stream reads, in order.

    Attributes:
        parts: Samples of shards; where sizes are not known, whole shards, again and again.
        length: Number of samples.
    """

    parts: tuple[Part, ...]
    length: int


@dataclass(frozen=True)
class Division:
    """From an epoch to its streams and their orders: equal in every process.

    Attributes:
        shards: The shards.
        shuffle: Whether to permute them and their samples anew in every epoch.
        seed: Root of all randomness.
        buffer: Samples that a stream chooses the next one from.
    """

    shards: ShardSet
    shuffle: bool
    seed: int
    buffer: int = BUFFER

    def streams_a_process(self, world: int) -> int:
        """As many streams as shards allow, so that few of them begin within a shard that has to be read to there.

        Raises:
            ValueError: If there are fewer shards than processes, and their sizes are not known.
        """
        if self.shards.random_access:
            return _STREAMS[0]
        fitting = [number for number in _STREAMS if number * world <= len(self.shards.urls)]
        if not fitting and self.shards.sizes is None:
            raise ValueError(
                f"{self.shards.root}: {len(self.shards.urls)} shards are fewer than {world} processes; only where "
                "sizes.json says how many samples each holds, several processes can share one"
            )
        return fitting[0] if fitting else 1

    def fitting_workers(self, workers: int) -> int:
        """At most so many workers, but a divisor of the number of streams: others would read some streams twice."""
        streams = self.streams_a_process(rank_and_world()[1])
        fitting = max((number for number in range(1, workers + 1) if streams % number == 0), default=0)
        if fitting < workers:
            _log.info(
                "%d loader processes instead of %d, since shards are read in %d streams", fitting, workers, streams
            )
        return fitting

    def streams(self, epoch: int, number: int, block: int) -> list[Stream]:
        """The epoch's streams."""
        parts = self.shards.shuffled(derived_seed(self.seed, epoch)) if self.shuffle else self.shards.parts
        lengths = stream_lengths(len(self.shards), number, block)
        if self.shards.sizes is None:
            return [Stream(tuple(parts[stream::number]), length) for stream, length in enumerate(lengths)]
        ends = np.cumsum([part.samples for part in parts])
        streams, begin = [], 0
        for length in lengths:
            streams.append(Stream(_between(parts, ends, begin, begin + length), length))
            begin += length
        return streams

    def order(self, epoch: int, stream: int, length: int) -> npt.NDArray[np.int64]:
        """(length,) int64: the order in which a stream gives its samples; webdataset's shuffle buffer, of positions."""
        if not self.shuffle:
            return np.arange(length, dtype=np.int64)
        from webdataset import shuffle

        generator = random.Random(derived_seed(self.seed, epoch, stream))
        buffered = shuffle(self.buffer, initial=self.buffer, rng=generator)
        return np.fromiter(buffered(iter(range(length))), dtype=np.int64, count=length)


def _between(parts: Sequence[Part], ends: npt.NDArray[np.int64], begin: int, end: int) -> tuple[Part, ...]:
    """What lies from sample `begin` to `end` of parts that follow one another; `ends` are their last ones."""
    found = []
    for index in range(int(np.searchsorted(ends, begin, side="right")), len(parts)):
        shard, first, count = parts[index]
        offset = int(ends[index]) - int(count or 0)
        if offset >= end:
            break
        low, high = max(begin, offset), min(end, int(ends[index]))
        found.append(Part(shard, first + low - offset, high - low))
    return tuple(found)


def stream_lengths(size: int, number: int, block: int) -> list[int]:
    """How `size` samples are divided: whole blocks for each stream, and for the last one what is left."""
    whole, rest = divmod(size, block)
    lengths = [(whole // number + (stream < whole % number)) * block for stream in range(number)]
    lengths[-1] += rest
    return lengths


def blocks(lengths: Sequence[int], taken: Sequence[int], size: int) -> Iterator[Taken]:
    """What batches of `size` samples take from streams of which `taken` samples are gone; the last may be smaller."""
    now = list(taken)
    turns = [(now[stream], stream) for stream in range(len(now)) if lengths[stream] - now[stream] >= size]
    heapq.heapify(turns)
    while turns:
        first, stream = turns[0]
        yield ((stream, first, size),)
        now[stream] = first + size
        if lengths[stream] - now[stream] >= size:
            heapq.heapreplace(turns, (now[stream], stream))
        else:
            heapq.heappop(turns)
    together: list[tuple[int, int, int]] = []
    room = size
    for stream, length in enumerate(lengths):
        while now[stream] < length:
            count = min(room, length - now[stream])
            together.append((stream, now[stream], count))
            now[stream] += count
            room -= count
            if not room:
                yield tuple(together)
                together, room = [], size
    if together:
        yield tuple(together)


class Begun(NamedTuple):
    """Where an iteration is: its beginning, and how many batches of this process have come since.

    Attributes:
        cut: Where it began; None for the beginning of an epoch.
        batches: Batches of this process.
    """

    cut: Cut | None
    batches: int


# A DistributedSampler, so that Lightning and others that would put one in its place leave it alone.
class BlockSampler(DistributedSampler[Block]):
    """Yields the batches of an epoch; with torch.distributed running, every process gets its own stride of them."""

    groups = None  # as of an EpochSampler without any: samples come as they lie in their shards

    def __init__(self, division: Division, *, batch_size: int, drop_last: bool, accumulate: int = 1) -> None:
        """Sample from shards.

        Args:
            division: The shards, and how they are divided.
            batch_size: Images a batch.
            drop_last: Whether every process gets the same number of full batches, a multiple of `accumulate`, and the
                rest of the epoch is left out.
            accumulate: Batches an optimizer step.
        """
        size = len(division.shards)
        # One process: rank and world are asked for when they are needed, for there may be no process group yet.
        super().__init__(range(size), num_replicas=1, rank=0, shuffle=division.shuffle, seed=division.seed)  # type: ignore[arg-type]
        self.division = division
        self.size = size
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.accumulate = accumulate
        self.start = Begun(None, 0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields; Lightning calls this.

        Raises:
            TypeError: If it is no integer.
        """
        epoch = integer(epoch, "an epoch")
        if epoch != self.epoch:
            self.epoch, self.start = epoch, Begun(None, 0)

    def resume(self, epoch: int, cut: Cut | None) -> None:
        """Let the next iteration yield what remains of `epoch`."""
        self.epoch, self.start = epoch, Begun(cut, 0)

    def after(self, start: Begun, batches: int) -> Begun:
        """Where an iteration that began at `start` is after so many batches of this process."""
        return Begun(start.cut, batches)

    def cut_at(self, begun: Begun) -> Cut:
        """How far all processes have come, once each of them has had its batches."""
        cut = self._cut(begun)
        taken = list(cut.taken)
        world = rank_and_world()[1]
        for _, parts in zip(range(begun.batches * world), self._blocks(cut), strict=False):
            for stream, _, count in parts:
                taken[stream] += count
        return Cut(cut.block, tuple(taken))

    def __len__(self) -> int:
        """Batches of a whole epoch in the process that gets most, wherever the next one starts."""
        return self._number(-(-self.size // self._block()), self.size % self._block() > 0)

    def __iter__(self) -> Iterator[Block]:
        epoch, cut = self.epoch, self._cut(self.start)
        self.start = Begun(None, 0)
        rank, world = rank_and_world()
        taken = list(self._blocks(cut))
        smaller = bool(taken) and sum(count for _, _, count in taken[-1]) < self._block()
        number = self._number(len(taken), smaller)
        repeats = self.division.shuffle and not self.drop_last
        for place in range(rank, number * world if repeats else min(number * world, len(taken)), world):
            yield Block(epoch, len(cut.taken), cut.block, taken[place % len(taken)])

    def _number(self, batches: int, smaller: bool) -> int:
        """Batches a process of so many; `smaller` says whether the last of them is not full."""
        world = rank_and_world()[1]
        if self.drop_last:
            return (batches - smaller) // world // self.accumulate * self.accumulate
        return -(-batches // world)

    def _block(self) -> int:
        """Images a batch: fewer than asked for where some process would get none at all."""
        world = rank_and_world()[1]
        share = -(-self.size // world) if self.division.shuffle else self.size // world
        return min(self.batch_size, max(1, share))

    def _cut(self, begun: Begun) -> Cut:
        if begun.cut is not None:
            return begun.cut
        world = rank_and_world()[1]
        return Cut(self._block(), (0,) * (self.division.streams_a_process(world) * world))

    def _blocks(self, cut: Cut) -> Iterator[Taken]:
        lengths = stream_lengths(self.size, len(cut.taken), cut.block)
        return blocks(lengths, cut.taken, self._block())
