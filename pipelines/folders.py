"""A folder of images sorted into class folders, as torchvision's ImageFolder reads it."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes

from freqlearn.pipelines.choosing import by_hash, digest


@dataclass(frozen=True, eq=False)
class ClassFolder:
    """The labelled files of one folder.

    Attributes:
        root: The folder that the class folders lie in.
        classes: Class names; a label is an index into them.
        files: (N,) bytes, paths relative to root. One array instead of N strings: DataLoader workers share its memory.
        labels: (N,) int64.
    """

    root: Path
    classes: tuple[str, ...]
    files: npt.NDArray[np.bytes_]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> Path:
        """Full path of the file at `index`."""
        return self.root / os.fsdecode(self.files[index])

    def paths(self) -> list[Path]:
        """Full paths of all files, in order."""
        return [self.path(index) for index in range(len(self))]

    def relabelled(self, classes: Sequence[str]) -> "ClassFolder":
        """The same files with labels that index another list of class names.

        Args:
            classes: What the labels shall mean, for instance the class names that a model was trained with.

        Raises:
            ValueError: If this folder has a class that `classes` lacks.
        """
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise ValueError(
                f"{self.root}: class folder {_listed(unknown)} is not among the {len(classes)} known classes "
                f"({_listed(classes)}); rename or remove it"
            )
        new_label = np.array([list(classes).index(name) for name in self.classes], dtype=np.int64)
        return ClassFolder(self.root, tuple(classes), self.files, new_label[self.labels])

    def split(self, fraction: float, *, seed: int = 0) -> tuple["ClassFolder", "ClassFolder"]:
        """Hold out a share of every class, chosen by a hash of seed and file name.

        Args:
            fraction: Share to hold out, between 0 and 1; at least one file of every class that has two.
            seed: Another seed holds out other files.

        Returns:
            What remains, and what is held out.

        Raises:
            ValueError: If the fraction is out of range.
        """
        if not 0 <= fraction < 1:
            raise ValueError(f"the held-out fraction must be at least 0 and below 1, got {fraction}")
        held_out = np.zeros(len(self), dtype=bool)
        for label in range(len(self.classes)):
            members = np.flatnonzero(self.labels == label)
            count = min(len(members) - 1, max(1, round(fraction * len(members)))) if fraction else 0
            order = by_hash([bytes(self.files[member]) for member in members], seed)
            held_out[members[order[: max(count, 0)]]] = True
        return self._subset(~held_out), self._subset(held_out)

    def sample(self, count: int | None, *, seed: int = 0) -> "ClassFolder":
        """At most `count` files, chosen by a hash of seed and file name; all of them for None."""
        if count is None or count >= len(self):
            return self
        chosen = np.zeros(len(self), dtype=bool)
        chosen[by_hash([bytes(name) for name in self.files], seed)[:count]] = True
        return self._subset(chosen)

    def fingerprint(self) -> str:
        """A hash of file names and class names: equal for the same folder wherever it lies."""
        names = [os.fsencode(name) for name in self.classes]
        return digest([*names, *(bytes(name) for name in self.files)]).hex()

    def _subset(self, mask: npt.NDArray[np.bool_]) -> "ClassFolder":
        return ClassFolder(self.root, self.classes, self.files[mask], self.labels[mask])


def read_class_folder(root: str | Path) -> ClassFolder:
    """List a folder that holds one folder of images a class, in ImageFolder's order.

    Raises:
        OSError: If the folder, or one below it, cannot be read.
        ValueError: If the folder is missing, has no class folders, or one of them holds no image.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; expected one with a folder of images for every class")
    if not any(entry.is_dir() for entry in os.scandir(root)):
        raise ValueError(f"{root}: no class folders; expected {root}/CLASS/IMAGE.jpg")
    classes, _ = find_classes(str(root))
    files_of = [_images_below(root, name) for name in classes]
    empty = [name for name, files in zip(classes, files_of, strict=True) if not files]
    if empty:
        raise ValueError(
            f"{root}: class folder {_listed(empty)} holds no image ({', '.join(IMG_EXTENSIONS)}); fill or remove it"
        )
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in files_of])
    files = np.array([os.fsencode(file) for files in files_of for file in files])
    return ClassFolder(root, tuple(classes), files, labels)


def _images_below(root: Path, folder: str) -> list[str]:
    """Images of a class, relative to root, in the order of torchvision's make_dataset.

    Not by that itself: it passes over folders that it may not read, as if there were nothing in them.
    """
    walk = os.walk(root / folder, followlinks=True, onerror=_raise)
    return [
        os.path.join(relative, name)
        for relative, names in sorted((os.path.relpath(below, root), names) for below, _, names in walk)
        for name in sorted(names)
        if name.lower().endswith(IMG_EXTENSIONS)
    ]


def _raise(error: OSError) -> None:
    raise error


def _listed(names: Iterable[str], limit: int = 5) -> str:
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
