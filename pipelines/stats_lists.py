"""What `freqlearn stats` measures, in lists: so many files of a folder, or a tar shard.

Every list is measured by itself and in its order, and the results are merged in the lists' order. So it does not
matter which process measures which list.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from freqlearn.pipelines.choosing import by_hash
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.listing import find_images
from freqlearn.pipelines.measuring import Source
from freqlearn.pipelines.run_data import LabelledFiles
from freqlearn.pipelines.shards import Part, ShardSet, open_shards
from freqlearn.pipelines.shards.listing import SIZES, are_shards, expand, listed_sizes

FILES_A_LIST = 256
"""Merged one by one, as few files always were; and enough lists for many processes."""


@dataclass(frozen=True)
class SourceList:
    """Files that are measured one after another.

    Attributes:
        files: Paths of images, or the shard that they are in.
        parts: Which samples of the shard; empty for a list of paths.
        size: How many samples the shard holds, where that is known.
    """

    files: tuple[str | Path, ...]
    parts: tuple[Part, ...] = ()
    size: int | None = None

    def __len__(self) -> int:
        return sum(part.samples or 0 for part in self.parts) if self.parts else len(self.files)

    def __iter__(self) -> Iterator[Source]:
        """The files.

        Raises:
            SampleError: If the shard is damaged, or a sample in it has no image.
        """
        if not self.parts:
            yield from map(Path, self.files)
            return
        from freqlearn.pipelines.shards.labels import image_of
        from freqlearn.pipelines.shards.reading import read_samples

        url = str(self.files[0])
        for _, first, count in self.parts:
            for sample in read_samples(url, first=first, count=count, size=self.size):
                yield image_of(sample, url)


@dataclass(frozen=True)
class Lists:
    """All there is to measure.

    Attributes:
        lists: The lists, in order.
        images: Number of images; None where nobody says how many the shards hold.
        chosen: Whether that is a sample of more.
    """

    lists: tuple[SourceList, ...]
    images: int | None
    chosen: bool

    def files(self) -> Iterable[str | Path]:
        """The files on disk, or shards."""
        return (file for some in self.lists for file in some.files)

    def description(self) -> str:
        """What was chosen of the shards, as text that another choice has another of."""
        return repr([tuple(map(tuple, some.parts)) for some in self.lists if some.parts])


def list_sources(data: str | Path, sample: int | None, seed: int) -> Lists:
    """List the images below a folder, or in tar shards.

    Args:
        data: A folder of images at any depth; or shards, as `open_shards` takes them.
        sample: At most so many, chosen by a hash of seed and name; all if None.
        seed: Seed of that choice.

    Raises:
        ValueError: If there are no images; or if a sample of shards is wanted, and their sizes are not known.
    """
    if are_shards(data):
        return _of_shards(data, sample, seed)
    paths = find_images(data)
    every = len(paths)
    if sample is not None and sample < every:
        names = [str(path.relative_to(data)) for path in paths]
        paths = [paths[i] for i in sorted(by_hash(names, seed)[:sample])]
    lists = (SourceList(tuple(paths[begin : begin + FILES_A_LIST])) for begin in range(0, len(paths), FILES_A_LIST))
    return Lists(tuple(lists), len(paths), len(paths) < every)


def sources_of(files: LabelledFiles) -> Iterable[Source]:
    """The encoded images of a labelled set, in order.

    Args:
        files: The images; of shards of unknown sizes, the first ones of its parts.
    """
    if isinstance(files, ClassFolder):
        return files.paths()
    lists = (SourceList((files.urls[part.shard],), (part,), files.size_of(part.shard)) for part in files.parts)
    return islice(chain.from_iterable(lists), len(files))


def _of_shards(data: str | Path, sample: int | None, seed: int) -> Lists:
    urls = expand(data)
    if sample is None:
        sizes = listed_sizes(urls, None)
        parts = [Part(shard, 0, None if sizes is None else sizes[shard]) for shard in range(len(urls))]
        lists = [
            SourceList((url,), (part,), None if sizes is None else sizes[part.shard])
            for url, part in zip(urls, parts, strict=True)
        ]
        return Lists(tuple(lists), None if sizes is None else sum(sizes), False)
    shards = open_shards(data, default_classes=("any",), images=None, count=False) if _sizes_known(urls) else None
    if shards is None:
        raise ValueError(f"{urls[0]}: a sample can only be chosen of local shards, or with {SIZES} beside them")
    chosen = shards.sample(sample, seed=seed)
    return Lists(tuple(_by_shard(chosen)), len(chosen), len(chosen) < len(shards))


def _sizes_known(urls: tuple[str, ...]) -> bool:
    from freqlearn.pipelines.shards.reading import is_local

    return all(is_local(url) for url in urls) or listed_sizes(urls, None) is not None


def _by_shard(shards: ShardSet) -> Iterator[SourceList]:
    for shard, url in enumerate(shards.urls):
        parts = tuple(part for part in shards.parts if part.shard == shard)
        if parts:
            yield SourceList((url,), parts, shards.size_of(shard))
