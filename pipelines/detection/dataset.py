"""Samples of a COCO dataset: a tensor, and where in it is what."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torchvision import tv_tensors
from torchvision.datasets import CocoDetection, VisionDataset, wrap_dataset_for_transforms_v2

from freqlearn import pixels
from freqlearn.detection_presets import DetectionTransform
from freqlearn.errors import ImageError, NotJpegError, UnsupportedJpegError
from freqlearn.pipelines.data import SeededDataset
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.cocotools import load_masks
from freqlearn.pipelines.detection.segmentation import check_segmentation
from freqlearn.reading import read_bytes, read_info

Target = dict[str, Any]


class DetectionBatch(NamedTuple):
    """Samples of a CocoDataset, each of its own size.

    Attributes:
        images: N tensors (C, h, w) float32.
        targets: N targets, see CocoDataset.
    """

    images: list[torch.Tensor]
    targets: list[Target]


class CocoDataset(SeededDataset):
    """Images of a CocoFolder with what is to be found in them, the same for the same (seed, epoch, index).

    A sample is a tensor (C, h, w) float32 and a target. Its boxes and masks are in picture pixels, those of the resized
    picture; K is the number of objects that are left in it, which may be 0. Crowds are left out.

    - boxes: (K, 4) float32, left, top, right, bottom.
    - labels: (K,) int64, 1 to len(folder.classes).
    - masks: (K, H, W) uint8, 0 or 1; only if wanted.
    - image_id: the JSON file's.
    - image_size: (H, W) of the picture.
    - original_size: (H, W) of the stored photo.
    """

    def __init__(
        self, folder: CocoFolder, transform: DetectionTransform, *, masks: bool = False, seed: int = 0
    ) -> None:
        """Wrap a folder.

        Args:
            folder: The images and their annotations.
            transform: Such as `freqlearn.presets.detection_train(spec)`; draws its randomness from torch's default
                generator.
            masks: Whether targets have masks. Without, they are not even decoded.
            seed: Root of all randomness.

        Raises:
            ImportError: If there are to be masks, and pycocotools is not installed; the message says how to.
            ValueError: If there are to be masks, and an annotation has none.
        """
        super().__init__(folder, seed=seed)
        self.folder = folder
        self.transform = transform
        self.masks = masks
        if masks:
            load_masks()
            without = folder.without_mask()
            if without is not None:
                raise ValueError(
                    f"{folder.annotations_json}: annotation id {without}: expected a segmentation, got none: "
                    "a network with masks cannot train on boxes alone; choose one without, such as Faster R-CNN"
                )
        keys = {"image_id", "boxes", "labels"} | ({"masks"} if masks else set())
        self._targets = wrap_dataset_for_transforms_v2(_Annotations(folder, masks=masks), target_keys=keys)
        self._labels = folder.labels

    def sample(self, index: int) -> tuple[torch.Tensor, Target]:
        """The tensor and target of the image at `index`."""
        source = read_bytes(self.folder.path(index))
        self._check_size(source, index)
        image, target = self.transform(source, self.target(index))
        return image, self._finished(target, index)

    def target(self, index: int) -> Target:
        """The target before the transform: tv_tensors in the stored photo's pixels, without crowds.

        Raises:
            ValueError: If a mask is none; the message names the JSON file and the annotation.
        """
        _, target = self._targets[index]
        if "boxes" not in target:  # torchvision's wrapper gives none where there is no annotation
            target |= {"boxes": _boxes(self.folder.size_px(index)), "labels": torch.zeros(0, dtype=torch.int64)}
            if self.masks:
                target["masks"] = tv_tensors.Mask(torch.zeros(0, *self.folder.size_px(index), dtype=torch.uint8))
        labels = [self._labels[category] for category in target["labels"].tolist()]
        target["labels"] = torch.tensor(labels, dtype=torch.int64)
        return dict(target)

    def collate(self, samples: Sequence[tuple[torch.Tensor, Target]]) -> DetectionBatch:
        """Keep samples as they are: their sizes differ, and what a batch is filled up with is the network's matter."""
        return DetectionBatch([image for image, _ in samples], [target for _, target in samples])

    def groups(self) -> list[int]:
        """By the shape of the image: a batch of similar shapes has little to fill up."""
        return self.folder.aspect_groups()

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.folder.path(index))

    def fingerprint(self) -> str:
        """The folder's."""
        return self.folder.fingerprint()

    def _check_size(self, source: bytes, index: int) -> None:
        height, width = stored_size(source)
        expected = self.folder.size_px(index)
        if (height, width) == expected:
            return
        turned = (width, height) == expected
        hint = "; COCO counts stored pixels, before any EXIF orientation: was the file turned?" if turned else ""
        raise ImageError(
            f"expected {expected[1]}x{expected[0]} px (width x height), as {self.folder.annotations_json} says of "
            f"image id {self.folder.image_id(index)}, got {width}x{height}{hint}",
            path=self.folder.path(index),
        )

    def _finished(self, target: Target, index: int) -> Target:
        """The target of a sample, of plain tensors."""
        boxes = target["boxes"]
        height, width = boxes.canvas_size
        finished = {
            "boxes": boxes.as_subclass(torch.Tensor).to(torch.float32),
            "labels": target["labels"].as_subclass(torch.Tensor),
            "image_id": self.folder.image_id(index),
            "image_size": (int(height), int(width)),
            "original_size": self.folder.size_px(index),
        }
        if self.masks:
            finished["masks"] = target["masks"].as_subclass(torch.Tensor)
        return finished


def stored_size(source: bytes) -> tuple[int, int]:
    """(height, width) of an encoded file's stored pixels, from its headers.

    Raises:
        ImageError: If it is no image.
    """
    try:
        return read_info(source).size_px
    except (NotJpegError, UnsupportedJpegError):
        with pixels.open_image(source) as image:
            return image.height, image.width


def _boxes(size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    """No boxes on a picture of that (height, width)."""
    return tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=size)


class _Annotations(CocoDetection):
    """A folder's annotations as torchvision's CocoDetection, which its wrapper makes tv_tensors of.

    The pictures are stand-ins without any channel: all that the wrapper asks of them is their size.
    """

    def __init__(self, folder: CocoFolder, *, masks: bool) -> None:
        VisionDataset.__init__(self, folder.images_dir)  # CocoDetection's own reads the JSON file, once more
        self.folder = folder
        self.masks = masks
        self.ids = folder.image_ids

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, list[dict[str, Any]]]:
        size = self.folder.size_px(index)
        annotations = [entry for entry in self.folder.annotations(index) if not entry["iscrowd"]]
        for entry in annotations if self.masks else ():
            try:
                check_segmentation(entry["segmentation"], size)
            except ValueError as error:
                raise ValueError(f"{self.folder.annotations_json}: annotation id {entry['id']}: {error}") from error
        return torch.empty(0, *size), annotations
