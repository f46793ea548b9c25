"""`freqlearn pack --check`: reads a packed set from beginning to end and names everything that is wrong with it."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from freqlearn.cores import available_cores
from freqlearn.packed_set import PackedSet, PackedShard
from freqlearn.pipelines.cores import torch_threads
from freqlearn.pipelines.data import reason
from freqlearn.pipelines.in_order import InOrder
from freqlearn.pipelines.packing.photos import PackedPhotos, find_photos
from freqlearn.pipelines.packing.pictures import PictureChecks
from freqlearn.pipelines.packing.samples import Sample, samples_of
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.shards.listing import CLASSES, SUFFIXES
from freqlearn.pipelines.shards.strict_tar import BROKEN


def check(
    folder: str | Path, *, data: str | Path | None = None, threads: int | None = None, progress: bool = True
) -> list[str]:
    """Read a packed set from beginning to end: its index, every shard's checksum, every picture and label.

    Args:
        folder: The set's folder.
        data: The photos that it was made of, to compare what evaluation sees of each picture and of its photo.
        threads: How many pictures to check at once; by default one a core.
        progress: Show a progress bar on stderr.

    Returns:
        Everything that is wrong, a line each; nothing if all is as it was packed.

    Raises:
        ImportError: If a progress bar is wanted and the extra `train` is missing.
        ValueError: If `data` is no folder of photos, or of photos of other classes.
    """
    try:
        packed = PackedSet.load(folder)
    except OSError as error:
        return [f"{error.filename}: expected the index of a packed set: {error.strerror}"]
    except ValueError as error:
        return [str(error)]
    photos = None if data is None else find_photos(data, seed=packed.packing.seed)
    return check_packed(packed, photos=photos, threads=threads or available_cores(), progress=progress)


def check_packed(
    packed: PackedSet,
    *,
    photos: Mapping[str, PackedPhotos] | None = None,
    every: int = 1,
    threads: int,
    progress: bool = True,
) -> list[str]:
    """As `check`, of a set whose index is known.

    Args:
        packed: The set.
        photos: What it was made of, by split; None to look at the set alone.
        every: Compare one picture in so many with its photo.
        threads: How many pictures to check at once.
        progress: Show a progress bar on stderr.
    """
    total = sum(split.images for split in packed.splits.values())
    checking = _Checking(packed, photos, every)
    with (
        torch_threads(1),
        InOrder(threads) as workers,
        progress_bar("checking", "images", total=total, shown=progress) as advance,
    ):
        for seen in workers.results(checking.look_at, checking.pictures()):
            checking.note(seen)
            advance()
    checking.finish()
    return checking.faults


class _Picture(NamedTuple):
    """A picture to look at; `photo` is the file of its photo where the two are to be compared."""

    split: str
    where: str
    jpeg: bytes
    photo: Path | None


class _Seen(NamedTuple):
    """What was found of a picture."""

    split: str
    faults: list[str]
    enlarged: bool


class _Checking:
    """One check of a packed set.

    Attributes:
        faults: What has been found so far.
    """

    def __init__(self, packed: PackedSet, photos: Mapping[str, PackedPhotos] | None, every: int) -> None:
        self.packed, self.photos, self.every = packed, photos, every
        self.faults: list[str] = []
        self._checks = PictureChecks(packed)
        self._enlarged = dict.fromkeys(packed.splits, 0)

    def look_at(self, picture: _Picture) -> _Seen:
        """Check one picture; called from several threads."""
        faults, enlarged = self._checks.faults(picture.jpeg), False
        if picture.photo is not None and not faults:
            faults, enlarged = self._checks.difference(picture.jpeg, picture.photo)
        return _Seen(picture.split, [f"{picture.where}.jpg: {fault}" for fault in faults], enlarged)

    def note(self, seen: _Seen) -> None:
        """Take over what was found of a picture."""
        self.faults += seen.faults
        self._enlarged[seen.split] += seen.enlarged

    def pictures(self) -> Iterator[_Picture]:
        """All pictures; what is wrong with everything around them goes to the faults."""
        self._check_classes()
        for name in self.packed.splits:
            yield from self._of_split(name)

    def finish(self) -> None:
        """Check what only all pictures together tell."""
        if self.photos is None or self.every > 1 or self.faults:
            return
        for name, split in self.packed.splits.items():
            if self._enlarged[name] != split.enlarged:
                self.faults.append(
                    f"{self.packed.root / name}: expected {split.enlarged} enlarged photos, as the index says, got "
                    f"{self._enlarged[name]}"
                )

    def _check_classes(self) -> None:
        path = self.packed.root / CLASSES
        expected = "".join(f"{name}\n" for name in self.packed.classes).encode()
        try:
            if path.read_bytes() != expected:
                self.faults.append(f"{path}: expected the index's {len(self.packed.classes)} classes, one a line")
        except OSError as error:
            self.faults.append(f"{path}: {error.strerror}")

    def _of_split(self, name: str) -> Iterator[_Picture]:
        split, folder = self.packed.splits[name], self.packed.root / name
        listed = {shard.file for shard in split.shards}
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        self.faults += [
            f"{folder / file}: expected the shards that the index names, got one more"
            for file in there
            if file.endswith(SUFFIXES) and f"{name}/{file}" not in listed
        ]
        photos = None if self.photos is None else self.photos.get(name)
        if self.photos is not None and photos is None:
            self.faults.append(f"{folder}: expected photos of this split, found none")
        last = ""
        for shard in split.shards:
            for sample in self._of_shard(shard):
                where = f"{self.packed.root / shard.file}/{sample.key}"
                if sample.key <= last:
                    self.faults.append(f"{where}: expected samples in the order of their names, got it after {last}")
                last = sample.key
                if sorted(sample.members) == ["cls", "jpg"]:
                    yield self._picture(name, where, sample, photos)
                else:
                    members = ", ".join(sorted(sample.members))
                    self.faults.append(f"{where}: expected a picture (jpg) and a label (cls), got {members}")

    def _picture(self, split: str, where: str, sample: Sample, photos: PackedPhotos | None) -> _Picture:
        """A picture to look at; its label is checked at once."""
        text = sample.members["cls"]
        label = int(text) if text.isdigit() and len(text) < 10 else None
        if label is None or label >= len(self.packed.classes):
            self.faults.append(f"{where}.cls: expected 0 to {len(self.packed.classes) - 1}, got {text[:20]!r}")
        position = None if photos is None else photos.position_of(sample.key)
        if photos is None or position is None:
            if photos is not None:
                self.faults.append(f"{where}: expected the name of one of the photos' samples")
            return _Picture(split, where, sample.members["jpg"], None)
        if label is not None and label != photos.label(position):
            self.faults.append(f"{where}.cls: expected the photo's class, {photos.label(position)}, got {label}")
        compared = photos.path(position) if position % self.every == 0 else None
        return _Picture(split, where, sample.members["jpg"], compared)

    def _of_shard(self, shard: PackedShard) -> Iterator[Sample]:
        path, samples = self.packed.root / shard.file, 0
        try:
            with open(path, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
            if size != shard.bytes:
                self.faults.append(f"{path}: expected {shard.bytes} bytes, got {size}")
            elif sha256 != shard.sha256:
                self.faults.append(f"{path}: expected the checksum {shard.sha256[:12]}..., got {sha256[:12]}...")
            for found in samples_of(path):
                if isinstance(found, str):
                    self.faults.append(f"{path}: {found}")
                    continue
                samples += 1
                yield found
        except BROKEN as error:
            self.faults.append(f"{path}: {reason(error)}")
        if samples != shard.images:
            self.faults.append(f"{path}: expected {shard.images} images, got {samples}")
