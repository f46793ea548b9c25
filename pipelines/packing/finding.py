"""From a path to the packed set that it lies in. Light to import."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from freqlearn.packed_set import FORMAT, INDEX, PackedSet, PackedShard
from freqlearn.pipelines.unfinished import partial_path

_BEGINNING = 4096  # bytes
_WAY_OUT = "copy it anew, or pack the photos anew; freqlearn pack --check names all that is wrong"


class Found(NamedTuple):
    """What a path means.

    Attributes:
        packed: The packed set.
        split: Which of its splits; None for the whole set.
    """

    packed: PackedSet
    split: str | None

    def folder(self, *preferred: str) -> Path:
        """The folder of the split, or of the first of `preferred` that the set has, or of its only one.

        Raises:
            ValueError: If it has none of them.
        """
        splits = self.packed.splits
        chosen = self.split or next((name for name in preferred if name in splits), None)
        if chosen is None and len(splits) == 1:
            chosen = next(iter(splits))
        if chosen is None:
            each = " or ".join(str(self.packed.root / name) for name in splits)
            raise ValueError(f"{self.packed.root}: a packed set of several splits; pass one of them: {each}")
        self.packed.split(chosen)
        return self.packed.root / chosen


def find_packed(source: str | os.PathLike[str]) -> Found | None:
    """The packed set that a path names: its folder, its index, or the folder of a split; None if it names none.

    Raises:
        OSError: If an index cannot be read.
        ValueError: If an index is damaged, or the set is not finished yet.
    """
    path = Path(source)
    if path.name == INDEX:
        path = path.parent
    packed = _in(path)
    if packed is not None:
        return Found(packed, None)
    absolute = Path(os.path.abspath(path))  # the parent of "." by its name
    packed = _in(path.parent if path.name not in ("", "..") else absolute.parent)
    return Found(packed, absolute.name) if packed is not None and absolute.name in packed.splits else None


def packed_shards(urls: Sequence[str]) -> tuple[PackedSet, tuple[PackedShard, ...]] | None:
    """The packed set that shards belong to, and what its index says of each; None if they belong to none.

    Raises:
        OSError: If an index cannot be read.
        ValueError: If they belong to several sets, or partly to none, or are not what the index says: one is missing,
            is none of the set's, or has another size; or if the set is not finished yet.
    """
    places = [_local(url) for url in urls]
    folders = list(dict.fromkeys(place.parent if place is not None else None for place in places))
    found = {folder: None if folder is None else find_packed(folder) for folder in folders}
    sets = [one.packed for one in found.values() if one is not None and one.split is not None]
    if not sets:
        return None
    packed = sets[0]
    listed = {path: shard for split in packed.splits for path, shard in _listing(packed, split)}
    shards = []
    for url, place in zip(urls, places, strict=True):
        shard = None if place is None else listed.get(Path(os.path.abspath(place)))
        if shard is None:
            raise ValueError(
                f"{url}: expected shards of the packed set {packed.root} alone, but its index has no such one"
            )
        _check_size(Path(place or url), shard)
        shards.append(shard)
    return packed, tuple(shards)


def _in(folder: Path) -> PackedSet | None:
    index = folder / INDEX
    if not os.path.isfile(index):  # where Path.is_file raises an error of a name that is none, such as a command's
        if os.path.isfile(partial_path(index)):
            raise ValueError(f"{folder}: expected a packed set, got an unfinished one; the same freqlearn pack goes on")
        return None
    # Other things have an index.json too. Ours says what it is at its beginning, damaged or not.
    with index.open("rb") as file:
        is_ours = FORMAT.name.encode() in file.read(_BEGINNING)
    return PackedSet.load(index) if is_ours else None


def _local(url: str) -> Path | None:
    parsed = urlparse(url)
    return None if url.startswith("pipe:") or parsed.scheme not in ("", "file") else Path(parsed.path)


def _listing(packed: PackedSet, split: str) -> list[tuple[Path, PackedShard]]:
    return [
        (Path(os.path.abspath(path)), shard)
        for path, shard in zip(packed.shards(split), packed.split(split).shards, strict=True)
    ]


def _check_size(path: Path, shard: PackedShard) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ValueError(f"{path}: expected this shard of a packed set: {error.strerror}; {_WAY_OUT}") from error
    if size != shard.bytes:
        raise ValueError(f"{path}: expected {shard.bytes} bytes, as {INDEX} says, got {size}; {_WAY_OUT}")
