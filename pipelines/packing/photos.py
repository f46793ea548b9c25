"""Which photos there are to pack, in which order, and what their samples are called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freqlearn.pipelines.choosing import by_hash
from freqlearn.pipelines.folders import ClassFolder, read_class_folder

SPLITS = ("train", "val", "test")
"""Folders of a data set that are splits of it, in the index's order."""

_KEY = re.compile(r"(\d{7,})-([A-Za-z0-9_-]*)")
_LONGEST_NAME = 60  # with its number and suffix it fits a plain tar header


@dataclass(frozen=True, eq=False)
class PackedPhotos:
    """The photos of one split, in the order in which they are packed.

    Attributes:
        folder: The photos, by class.
        order: (N,) int64, which of them comes when.
    """

    folder: ClassFolder
    order: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    def path(self, position: int) -> Path:
        """The file of the photo at a position of the order."""
        return self.folder.path(int(self.order[position]))

    def label(self, position: int) -> int:
        """The number of its class."""
        return int(self.folder.labels[self.order[position]])

    def key(self, position: int) -> str:
        """What its sample is called: its position, and what a tar member's name can hold of its file's."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", self.path(position).stem)
        return f"{position:07}-{stem[:_LONGEST_NAME]}"

    def position_of(self, key: str) -> int | None:
        """The position that a sample's name says; None where it is not the name of that photo."""
        found = _KEY.fullmatch(key)
        position = int(found[1]) if found else len(self)
        return position if position < len(self) and self.key(position) == key else None


def find_photos(data: str | Path, *, seed: int) -> Mapping[str, PackedPhotos]:
    """The splits of a data set: DATA/train, DATA/val and DATA/test with class folders, or DATA itself as "train".

    Raises:
        OSError: If a folder cannot be read.
        ValueError: If there are no images, or a split has a class that training lacks.
    """
    root = Path(data)
    if not (root / SPLITS[0]).is_dir():
        return {SPLITS[0]: _ordered(read_class_folder(root), seed)}
    train = read_class_folder(root / SPLITS[0])
    others = {name: read_class_folder(root / name) for name in SPLITS[1:] if (root / name).is_dir()}
    folders = {SPLITS[0]: train, **{name: folder.relabelled(train.classes) for name, folder in others.items()}}
    return {name: _ordered(folder, seed) for name, folder in folders.items()}


def _ordered(folder: ClassFolder, seed: int) -> PackedPhotos:
    return PackedPhotos(folder, np.array(by_hash([bytes(name) for name in folder.files], seed), np.int64))
