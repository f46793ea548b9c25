"""Tar shards of labelled images, as webdataset writes them: which there are, and how many samples each holds."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.choosing import by_hash, digest
from freqlearn.pipelines.packing.finding import packed_shards
from freqlearn.pipelines.shards.listing import SIZES, count_shards, expand, file_name, listed_sizes, read_classes

# Where reading can begin anywhere, an epoch's order is made of runs of at most so many samples, long enough to be read
# quickly, and of at least so many runs, so that a batch is not of one corner of the data set.
_LONGEST_RUN = 64
_FEWEST_RUNS = 1024
# Neighbours in a packed set are there by chance already: longer runs, of which each costs 0.2 ms, do as well.
_FEWEST_PACKED_RUNS = 256
# A packed set's samples lie in random order, so with so many shards it is enough to shuffle those and to have a buffer.
# Of fewer, the headers are read: they are seconds, and the streams are as many as workers can share.
_MANY_SHARDS = 100
# Numbers of samples in shards of unknown size: so many of one shard can be told apart.
_POSITION_BITS = 32


class Part(NamedTuple):
    """Samples of a shard that lie one after another.

    Attributes:
        shard: Number of the shard.
        first: Position of the first sample in it.
        samples: How many; None where the shard's size is not known: all of them.
    """

    shard: int
    first: int
    samples: int | None


@dataclass(frozen=True)
class ShardSet:
    """Labelled images in tar files. `open_shards` makes it.

    Attributes:
        urls: Paths, URLs or commands ("pipe:..."), as webdataset takes them.
        classes: Class names; a label is an index into them. Empty where labels are not needed.
        parts: Which samples of which shards belong to the set, in order.
        images: Number of samples.
        sizes: Number of samples of each shard; None where only their sum is known.
        random_access: Whether reading can begin anywhere: in uncompressed local files without sizes.json, whose headers
            have been read; or of a packed set of few shards.
        field: Which entry of a .json member is the label.
        known_classes: The shards' own class names, where a label indexes others; see `relabelled`.
        complete: Whether these are all samples of the shards.
        packed: The packed set that the shards are of, whose files may lack channels: `PackedSet.check_spec`.
    """

    urls: tuple[str, ...]
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    images: int
    sizes: tuple[int, ...] | None
    random_access: bool
    field: str = "label"
    known_classes: tuple[str, ...] | None = None
    complete: bool = True
    packed: PackedSet | None = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return self.images

    @property
    def root(self) -> str:
        """What messages call the set."""
        return self.urls[0] if len(self.urls) == 1 else f"{self.urls[0]} and {len(self.urls) - 1} more shards"

    @property
    def label_classes(self) -> tuple[str, ...]:
        """The classes that the shards' own numbers mean."""
        return self.classes if self.known_classes is None else self.known_classes

    def relabelled(self, classes: Sequence[str]) -> "ShardSet":
        """The same samples with labels that index another list of class names.

        Raises:
            ValueError: If this set has a class that `classes` lacks.
        """
        if tuple(classes) == self.classes:
            return self
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            some = ", ".join(map(repr, unknown[:5])) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            raise ValueError(f"{self.root}: class {some} is not among the {len(classes)} known classes")
        return replace(self, classes=tuple(classes), known_classes=self.label_classes)

    def sample(self, count: int | None, *, seed: int = 0) -> "ShardSet":
        """At most `count` samples, in runs that a hash of seed and shard chooses; all of them for None.

        Where reading cannot begin anywhere, they are the first ones of some shards.
        """
        if count is None or count >= len(self):
            return self
        runs = self.runs()
        order = by_hash([f"{file_name(self.urls[run.shard])} {run.first}" for run in runs], seed)
        if self.sizes is None:
            return replace(self, parts=tuple(runs[index] for index in order), images=count, complete=False)
        chosen, left = [], count
        for index in order:
            shard, first, number = runs[index]
            chosen.append((index, Part(shard, first, min(left, number or 0))))
            left -= min(left, number or 0)
            if not left:
                break
        parts = tuple(part for _, part in sorted(chosen))
        return replace(self, parts=parts, images=count - left, complete=False)

    def runs(self) -> list[Part]:
        """The set's parts, in short pieces where reading can begin anywhere."""
        if not self.random_access:
            return list(self.parts)
        fewest = _FEWEST_RUNS if self.packed is None else _FEWEST_PACKED_RUNS
        length = min(_LONGEST_RUN, max(1, len(self) // fewest))
        return [
            Part(shard, begin, min(length, first + count - begin))
            for shard, first, count in self.parts
            if count is not None
            for begin in range(first, first + count, length)
        ]

    def shuffled(self, seed: int) -> list[Part]:
        """`runs` in an order that derives from the seed."""
        runs = self.runs()
        generator = torch.Generator().manual_seed(seed)
        return [runs[index] for index in torch.randperm(len(runs), generator=generator, device="cpu").tolist()]

    def size_of(self, shard: int) -> int | None:
        """How many samples a shard holds, where that is known."""
        return None if self.sizes is None else self.sizes[shard]

    def index_of(self, shard: int, position: int) -> int:
        """The number of a sample in the set of all shards."""
        if self.sizes is None:
            return shard << _POSITION_BITS | position
        return int(self._begins[shard]) + position

    def place_of(self, index: int) -> tuple[int, int]:
        """Shard and position of the sample with that number.

        Raises:
            ValueError: If the shards' sizes are not known.
        """
        if self.sizes is None:
            raise ValueError(f"{self.root}: a single sample can only be found where {SIZES} says what each shard holds")
        shard = int(np.searchsorted(self._begins, index, side="right")) - 1
        return shard, index - int(self._begins[shard])

    @cached_property
    def _begins(self) -> npt.NDArray[np.int64]:
        """(shards + 1,) int64, the number of each shard's first sample, and of none."""
        return np.concatenate([[0], np.cumsum(self.sizes or ())]).astype(np.int64)

    def counted(self) -> "ShardSet":
        """The same samples with the sizes of the shards, which are read to the end for it where nobody says them.

        Raises:
            ValueError: If there are more or fewer samples than was said.
        """
        if self.sizes is not None:
            return self
        urls = tuple(self.urls[part.shard] for part in self.parts)
        sizes = count_shards(urls)
        if sum(sizes) < self.images or (self.complete and sum(sizes) > self.images):
            raise ValueError(
                f"{self.root}: expected {self.images} images as said, got {sum(sizes)} in {len(urls)} shards"
            )
        parts, left = [], self.images
        for shard, size in enumerate(sizes):
            parts.append(Part(shard, 0, min(size, left)))
            left -= min(size, left)
        return replace(self, urls=urls, parts=tuple(part for part in parts if part.samples), sizes=sizes)

    def fingerprint(self) -> str:
        """A hash of shard names, sizes and class names: equal for the same shards wherever they lie."""
        names = [os.fsencode(file_name(url)) for url in self.urls]
        parts = repr([tuple(part) for part in self.parts] + [self.images, self.random_access]).encode()
        return digest([*map(os.fsencode, self.classes), *names, parts]).hex()


def open_shards(
    source: str | Path,
    *,
    classes: str | Path | Sequence[str] | None = None,
    images: int | None = None,
    default_classes: Sequence[str] | None = None,
    field: str = "label",
    count: bool = False,
) -> ShardSet:
    """Describe tar shards. How many samples they hold must be known: from `sizes.json`, by counting, or from `images`.

    sizes.json, beside the shards or the file of classes, says it as {"train-0000.tar": 1251, ...}. Local shards are
    counted without it. Of a packed set, its index says which shards there are, their classes and their sizes.

    Args:
        source: A folder of tar files, or of a split of a packed set; or paths, URLs or commands as webdataset takes
            them, such as train-{0000..0146}.tar, https://host/{a,b}.tar, or "pipe:aws s3 cp s3://bucket/{0..9}.tar -";
            several with :: between them.
        classes: Class names, or a text file with one a line. By default classes.txt beside the shards.
        images: Number of samples of all shards together. For shards on other machines without sizes.json it has to be
            given, and is taken as it is; otherwise it must agree.
        default_classes: Class names for shards without classes.txt.
        field: Which entry of a .json member is the label.
        count: Read shards on other machines once where nothing says how many samples they hold.

    Raises:
        ImportError: If webdataset is missing.
        SampleError: If a local shard is missing or damaged.
        ValueError: If there are no shards, classes or samples, or their number is not known or another; or if those of
            a packed set are not what its index says.
    """
    from freqlearn.pipelines.shards.reading import enters_anywhere, is_local

    urls = expand(source)
    indexed = packed_shards(urls)
    packed = None if indexed is None else indexed[0]
    if packed is not None and classes is None:
        classes = packed.classes
    names, beside = read_classes(urls, classes, default_classes)
    sizes = listed_sizes(urls, beside)
    # Where headers are not read to count, they are not read to find samples either: every worker would read them all.
    quick = sizes is None if packed is None else len(urls) < _MANY_SHARDS
    random_access = quick and all(enters_anywhere(url) for url in urls)
    if sizes is None and (all(is_local(url) for url in urls) or (count and images is None)):
        sizes = count_shards(urls)
    if sizes is None and images is None:
        raise ValueError(
            f"{urls[0]}: how many samples these {len(urls)} shards hold must be known in advance: pass their number "
            f"(--train-images, --val-images), or write {SIZES} beside them"
        )
    total = sum(sizes) if sizes is not None else int(images or 0)
    if sizes is not None and images not in (None, total):
        raise ValueError(f"{urls[0]}: expected {images} images as said, got {total} in {len(urls)} shards")
    if total < 1:
        raise ValueError(f"{urls[0]}: expected at least one sample, got {total} in {len(urls)} shards")
    parts = tuple(Part(shard, 0, None if sizes is None else sizes[shard]) for shard in range(len(urls)))
    return ShardSet(urls, names, parts, total, sizes, random_access, field, packed=packed)
