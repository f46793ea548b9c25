"""Loading tar shards: each worker reads its streams, and everything else is as with files."""

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from freqlearn.pipelines.data import EncodedDataset, SampleError, Transform
from freqlearn.pipelines.image_loader import STATE_VERSION, ImageLoader, excerpt
from freqlearn.pipelines.shards.labels import Labels, image_name, image_of
from freqlearn.pipelines.shards.plan import Begun, Block, BlockSampler, Cut, Division, Stream, stream_lengths
from freqlearn.pipelines.shards.shard_set import ShardSet


class Found(NamedTuple):
    """A sample as it was read.

    Attributes:
        number: Its number in the set, which its randomness derives from.
        url: The shard.
        members: Suffix -> content.
    """

    number: int
    url: str
    members: dict[str, Any]


class ShardDataset(EncodedDataset):
    """Images in tar shards, by their numbers; quick for those that a worker has `at_hand`."""

    def __init__(self, shards: ShardSet, transform: Transform, *, seed: int = 0) -> None:
        """Wrap shards.

        Args:
            shards: The labelled images.
            transform: Encoded file -> (C, h, w) float32; draws its randomness from torch's default generator.
            seed: Root of all randomness.
        """
        super().__init__(shards, transform, seed=seed)
        self.shards = shards
        self.at_hand: dict[int, Found] = {}
        self._labels = Labels(shards.label_classes, shards.field)
        self._relabelled = [shards.classes.index(name) for name in shards.label_classes]

    def counted(self) -> "ShardDataset":
        """The same with shards of known sizes; see `ShardSet.counted`."""
        return ShardDataset(self.shards.counted(), self.transform, seed=self.seed)

    def encoded(self, index: int) -> tuple[bytes, int]:
        """The encoded picture and the label of a sample."""
        found = self._found(index)
        return image_of(found.members, found.url), self._relabelled[self._labels(found.members, found.url)]

    def name(self, index: int) -> str:
        """SHARD/MEMBER."""
        found = self.at_hand.get(index)
        return f"sample {index} of {self.shards.root}" if found is None else image_name(found.members, found.url)

    def fingerprint(self) -> str:
        """The shards'."""
        return self.shards.fingerprint()

    def _found(self, index: int) -> Found:
        if index in self.at_hand:
            return self.at_hand[index]
        from freqlearn.pipelines.shards.reading import read_samples

        shard, position = self.shards.place_of(index)
        return Found(index, self.shards.urls[shard], next(read_samples(self.shards.urls[shard], first=position)))


class StreamReader:
    """Reads one stream, and gives its samples in their order, from any place on."""

    def __init__(self, shards: ShardSet, stream: Stream, order: np.ndarray[Any, Any], first: int) -> None:
        """Begin with place `first` of the order, with as little reading as possible."""
        self.place = first
        self._order = order
        self._place_of = np.empty_like(order)
        self._place_of[order] = np.arange(len(order))
        self._number = int(order[first:].min())
        self._samples = _samples(shards, stream, self._number)
        self._held: dict[int, Found] = {}

    def take(self, first: int, count: int) -> list[Found]:
        """The samples at the next places, from `first` on, which must not lie before `self.place`."""
        for passed in self._order[self.place : first].tolist():
            self._held.pop(passed, None)
        taken = []
        for place, wanted in enumerate(self._order[first : first + count].tolist(), start=first):
            while wanted not in self._held:
                sample = next(self._samples)
                if self._place_of[self._number] >= place:
                    self._held[self._number] = sample
                self._number += 1
            taken.append(self._held.pop(wanted))
        self.place = first + count
        return taken


def _samples(shards: ShardSet, stream: Stream, start: int) -> Iterator[Found]:
    """The stream's samples from number `start` on."""
    from freqlearn.pipelines.shards.reading import read_samples

    if shards.sizes is None:
        yield from _endless(shards, stream, start)
        return
    for shard, first, count in stream.parts:
        if count is None or start >= count:
            start -= count or 0
            continue
        url, begin = shards.urls[shard], first + start
        read = read_samples(url, first=begin, count=count - start, size=shards.sizes[shard])
        for position, members in enumerate(read, start=begin):
            yield Found(shards.index_of(shard, position), url, members)
        start = 0


def _endless(shards: ShardSet, stream: Stream, start: int) -> Iterator[Found]:
    from freqlearn.pipelines.shards.reading import read_samples

    number = 0
    for turn, (shard, _, _) in enumerate(cycle(stream.parts)):
        for position, members in enumerate(read_samples(shards.urls[shard])):
            if number >= start:
                yield Found(shards.index_of(shard, position), shards.urls[shard], members)
            number += 1
        if not number and turn + 1 == len(stream.parts):
            raise SampleError(f"{shards.urls[shard]}: expected samples in the shards, found none")


class BlockDataset(Dataset[Any]):
    """Whole batches of samples: reads what a batch needs, and lets another dataset make samples of it."""

    _division: tuple[int, int, int] | None  # epoch, number of streams, and multiples of which size
    _streams: list[Stream]
    _readers: dict[int, StreamReader]

    def __init__(self, source: ShardDataset, samples: Dataset[Any], division: Division) -> None:
        """Serve batches.

        Args:
            source: The shards; what was read is put at its hand.
            samples: (epoch, index) -> sample, from the source.
            division: How an epoch is divided.
        """
        self.source = source
        self.samples = samples
        self.division = division
        self._start()

    def __getitem__(self, block: Block) -> list[Any]:
        at_hand = self.source.at_hand
        samples = []
        for found in self._read(block):
            at_hand[found.number] = found
            try:
                samples.append(self.samples[block.epoch, found.number])
            finally:
                del at_hand[found.number]
        return samples

    def __len__(self) -> int:
        return len(self.source)

    def fingerprint(self) -> str:
        """The shards'."""
        return self.source.fingerprint()

    def _read(self, block: Block) -> Iterator[Found]:
        division: tuple[int, int, int] = block.epoch, block.streams, block.block
        if division != self._division:
            self._start()
            self._division, self._streams = division, self.division.streams(*division)
        for stream, first, count in block.taken:
            reader = self._readers.get(stream)
            if reader is None or reader.place > first:
                parts = self._streams[stream]
                order = self.division.order(block.epoch, stream, parts.length)
                reader = self._readers[stream] = StreamReader(self.division.shards, parts, order, first)
            yield from reader.take(first, count)
            if reader.place == self._streams[stream].length:
                del self._readers[stream]

    def _start(self) -> None:
        self._division = None
        self._streams = []
        self._readers = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name in ("source", "samples", "division")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()


class ShardLoader(ImageLoader):
    """An ImageLoader of tar shards. `freqlearn.pipelines.loaders.make_loader` makes it.

    Its state can be loaded with another number of workers: the same batches follow. With other processes or another
    batch size it is the same samples that follow, in other batches.
    """

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: after the last batch that it has yielded, whatever the workers have prepared since.

        Returns:
            JSON types.
        """
        sampler: Any = self._sampler
        epoch, begun = self._position or (sampler.epoch, sampler.start)
        if epoch != sampler.epoch:  # another one was chosen since
            epoch, begun = sampler.epoch, sampler.start
        state: dict[str, Any] = {"version": STATE_VERSION, **self._identity(), "epoch": epoch, "cut": None}
        if begun != Begun(None, 0):
            cut = sampler.cut_at(begun)
            state["cut"] = {"block": cut.block, "taken": list(cut.taken)}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a state was taken.

        If that was after the last batch of an epoch, but within its loop, nothing is left of it: that iteration is
        empty, and the next one goes through the next epoch.

        Raises:
            ValueError: If it is of other shards, of another seed or order, or no such state.
        """
        self._check_identity(state)
        sampler: Any = self._sampler
        try:
            cut = None if state["cut"] is None else Cut(int(state["cut"]["block"]), tuple(state["cut"]["taken"]))
            epoch = int(state["epoch"])
            if cut is not None:
                lengths = stream_lengths(sampler.size, len(cut.taken), cut.block)
                if epoch < 0 or any(not 0 <= some <= all_ for some, all_ in zip(cut.taken, lengths, strict=True)):
                    raise ValueError(f"more was taken than there is: {excerpt(state['cut'])}")
        except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError) as error:
            raise ValueError(f"expected a shard loader's state, got {excerpt(dict(state))}: {error}") from error
        self._position = None
        sampler.resume(epoch, cut)

    @property
    def _sampler(self) -> BlockSampler:  # type: ignore[override]
        sampler: BlockSampler = self.sampler  # type: ignore[assignment]
        return sampler

    @property
    def _images_a_batch(self) -> int:
        return 1  # the sampler counts batches

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "buffer": self._sampler.division.buffer}
