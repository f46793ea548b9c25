"""A COCO dataset on disk: a folder of images and a JSON file of what is in them."""

import copy
import hashlib
import os
import pickle
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freqlearn.indexing import integer
from freqlearn.pipelines.choosing import by_hash, digest
from freqlearn.pipelines.detection.entries import Entries, read_entries

_LISTED = 3
# references/detection/group_by_aspect_ratio.py, with train.py's --aspect-ratio-group-factor 3.
_ASPECT_RATIOS = 2 ** np.linspace(-1, 1, 2 * 3 + 1)


class CocoFolder:
    """The images that a COCO JSON file lists, in the order of their ids, with their annotations.

    All coordinates and sizes are in the stored photo's own pixels: COCO annotations know of no EXIF orientation.

    What is kept for every image is bytes in one array, not objects: DataLoader workers share its memory.

    Attributes:
        images_dir: The folder of images.
        annotations_json: The JSON file.
        classes: Category names in the order of their ids, without a background; label k is classes[k - 1].
        category_ids: The JSON file's id of every class; negative for one that the file lacks (see `relabelled`).
    """

    classes: tuple[str, ...]
    category_ids: tuple[int, ...]

    def __init__(self, images_dir: str | Path, annotations_json: str | Path, *, check_files: bool = True) -> None:
        """Read and check a JSON file.

        Args:
            images_dir: The folder that the file names in the JSON file are relative to.
            annotations_json: COCO's `instances_*.json`, or one like it.
            check_files: Whether a listed image that is not in the folder is an error now, or only once it is read.

        Raises:
            OSError: If the JSON file or the folder cannot be read.
            ValueError: If something is wrong with them; the message names the JSON file and the entry.
        """
        self.images_dir, self.annotations_json = Path(images_dir), Path(annotations_json)
        if not self.images_dir.is_dir():
            got = "a file" if self.images_dir.exists() else "no such folder"
            raise ValueError(f"{self.images_dir}: {got}; expected the folder with the images of {annotations_json}")
        if not self.annotations_json.is_file():
            got = "a folder" if self.annotations_json.is_dir() else "no such file"
            raise ValueError(f"{self.annotations_json}: {got}; expected COCO annotations, a JSON file")
        content = self.annotations_json.read_bytes()
        entries = read_entries(self.annotations_json, content)
        self._source = hashlib.blake2b(content, digest_size=16).digest()
        self.category_ids, self.classes = tuple(entries.categories), tuple(entries.categories.values())
        self._keep(entries)
        if check_files:
            self._check_files()

    def _keep(self, entries: Entries) -> None:
        images = entries.images.values()
        self._ids = np.array(list(entries.images), dtype=np.int64)
        self._files = np.array([os.fsencode(image["file_name"]) for image in images])
        self._sizes = np.array([(image["height"], image["width"]) for image in images], dtype=np.int64)
        self._boxed = np.array([_has_box(entries.annotations[image]) for image in entries.images])
        self._masked = np.array([_lacks_mask(entries.annotations[image]) is None for image in entries.images])
        records = [pickle.dumps(entries.annotations[image]) for image in entries.images]
        self._records = np.frombuffer(b"".join(records), dtype=np.uint8)
        self._ends = np.cumsum([len(record) for record in records])
        self._starts = self._ends - [len(record) for record in records]

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"CocoFolder({self.annotations_json}: {len(self)} images, {len(self.classes)} classes)"

    def path(self, index: int) -> Path:
        """Full path of the image at `index`."""
        return self.images_dir / os.fsdecode(self._files[index])

    def paths(self) -> list[Path]:
        """Full paths of all images, in order."""
        return [self.path(index) for index in range(len(self))]

    def image_id(self, index: int) -> int:
        """The JSON file's id of the image at `index`."""
        return int(self._ids[index])

    @property
    def image_ids(self) -> list[int]:
        """The JSON file's ids of all images, in order."""
        return [int(image) for image in self._ids]

    def size_px(self, index: int) -> tuple[int, int]:
        """(height, width) that the JSON file gives for the image at `index`."""
        height, width = self._sizes[index]
        return int(height), int(width)

    def aspect_groups(self) -> list[int]:
        """A number for every image, equal for similar shapes: torchvision's detection reference has eight of them."""
        heights, widths = self._sizes.T
        return [int(group) for group in np.digitize(widths / heights, _ASPECT_RATIOS)]

    def annotations(self, index: int) -> list[dict[str, Any]]:
        """COCO's annotations of the image at `index`, crowds included, in the JSON file's order.

        Returns:
            Dicts with `id`, `image_id`, `category_id`, `bbox` ([left, top, width, height], floats), `iscrowd` (0 where
            the file says nothing), `area` (the box's where it says nothing), and `segmentation` where it has one.
        """
        annotations: list[dict[str, Any]] = pickle.loads(
            self._records[self._starts[index] : self._ends[index]].tobytes()
        )
        return annotations

    @property
    def labels(self) -> dict[int, int]:
        """Category id to label, 1 to len(classes)."""
        return {category: label for label, category in enumerate(self.category_ids, start=1)}

    def fingerprint(self) -> str:
        """A hash of the JSON file, the images chosen from it and the classes: equal wherever they lie."""
        classes = [name.encode("utf-8", "surrogatepass") for name in self.classes]
        return digest([self._source, self._ids.astype("<i8").tobytes(), *classes]).hex()

    def first(self, count: int) -> "CocoFolder":
        """The `count` images with the lowest ids.

        Raises:
            ValueError: If there are not so many.
        """
        if not 1 <= integer(count, "first") <= len(self):
            raise ValueError(
                f"{self.annotations_json}: expected to take the first 1 to {len(self)} images, got {count}"
            )
        return self._subset(np.arange(count))

    def without(self, image_ids: Collection[int]) -> "CocoFolder":
        """The images with other ids than these; perhaps none."""
        return self._subset(np.flatnonzero(~np.isin(self._ids, list(image_ids))))

    def annotated(self) -> "CocoFolder":
        """The images to train on, as torchvision's detection reference chooses them.

        Those with an annotation, crowd or not, whose box is more than 1 px wide and high.

        Raises:
            ValueError: If there are none.
        """
        if not self._boxed.any():
            raise ValueError(f"{self.annotations_json}: expected images with boxes of more than 1 px, got none")
        return self._subset(np.flatnonzero(self._boxed))

    def split(self, fraction: float, *, seed: int = 0) -> tuple["CocoFolder", "CocoFolder"]:
        """Hold out a share of the images, chosen by a hash of seed and file name.

        Args:
            fraction: Share to hold out, above 0 and below 1; at least one image, and not all.
            seed: Another seed holds out others.

        Returns:
            What remains, and what is held out.

        Raises:
            ValueError: If the fraction is out of range, or there is a single image.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"the held-out fraction must be above 0 and below 1, got {fraction}")
        if len(self) < 2:
            raise ValueError(
                f"{self.annotations_json}: expected two images or more to hold some out, got one; hold out none"
            )
        count = min(len(self) - 1, max(1, round(fraction * len(self))))
        order = np.array(by_hash([bytes(name) for name in self._files], seed))
        return self._subset(np.sort(order[count:])), self._subset(np.sort(order[:count]))

    def sample(self, count: int | None, *, seed: int = 0) -> "CocoFolder":
        """At most `count` images, chosen by a hash of seed and file name; all of them for None."""
        if count is None or count >= len(self):
            return self
        order = by_hash([bytes(name) for name in self._files], seed)
        return self._subset(np.sort(np.array(order[:count])))

    def relabelled(self, classes: Sequence[str]) -> "CocoFolder":
        """The same images with labels that index another list of class names.

        A class that this folder lacks gets a category id that nothing has, so that its detections count for nothing.

        Args:
            classes: What the labels shall mean, for instance the class names that a model was trained with.

        Raises:
            ValueError: If an annotation's category is not among them.
        """
        known = dict(zip(self.classes, self.category_ids, strict=True))
        unknown = [name for name in self.classes if name not in classes]
        if unknown:  # annotations are looked through only then, which takes seconds for a hundred thousand images
            used = {entry["category_id"] for index in range(len(self)) for entry in self.annotations(index)}
            unknown = [name for name in unknown if known[name] in used]
        if unknown:
            what, are, them = ("category", "is", "it") if len(unknown) == 1 else ("categories", "are", "them")
            raise ValueError(
                f"{self.annotations_json}: {what} {_listed(unknown)} {are} not among the {len(classes)} known classes "
                f"({_listed(classes)}); rename or remove {them}"
            )
        lowest = min(0, *self.category_ids)
        result = copy.copy(self)
        result.classes = tuple(classes)
        result.category_ids = tuple(known.get(name, lowest - 1 - n) for n, name in enumerate(classes))
        return result

    def without_mask(self) -> int | None:
        """The id of the first annotation, crowds aside, that has no segmentation; None if all have one."""
        return None if self._masked.all() else _lacks_mask(self.annotations(int(np.argmin(self._masked))))

    def _subset(self, chosen: npt.NDArray[np.int64]) -> "CocoFolder":
        result = copy.copy(self)
        for name in ("_ids", "_files", "_sizes", "_boxed", "_masked", "_starts", "_ends"):
            setattr(result, name, getattr(self, name)[chosen])
        return result

    def _check_files(self) -> None:
        # One listing a folder: asking for every file takes minutes on a network's disk.
        names = [os.fsdecode(name) for name in self._files]
        there: dict[str, set[str]] = {}
        for folder in {os.path.dirname(name) for name in names}:
            path = self.images_dir / folder
            there[folder] = {entry.name for entry in os.scandir(path)} if path.is_dir() else set()
        missing = [
            index
            for index, name in enumerate(names)
            if os.path.basename(name) not in there[os.path.dirname(name)] and not self.path(index).is_file()
        ]
        if missing:
            first = missing[0]
            raise ValueError(
                f"{self.annotations_json}: image id {self.image_id(first)}: expected the file {names[first]} in "
                f"{self.images_dir}, found none; {len(missing)} of {len(self)} images are missing"
            )


def _has_box(annotations: list[dict[str, Any]]) -> bool:
    """Whether an annotation's box is more than 1 px wide and high."""
    return any(min(entry["bbox"][2:]) > 1 for entry in annotations)


def _lacks_mask(annotations: list[dict[str, Any]]) -> int | None:
    """The id of the first annotation, crowds aside, without a segmentation; None if there is none."""
    return next((entry["id"] for entry in annotations if not entry["iscrowd"] and "segmentation" not in entry), None)


def _listed(names: Iterable[str], limit: int = _LISTED) -> str:
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
