"""Masks as COCO's compressed run lengths, without ever making pictures of the photo's size."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks, paste_mask_in_image

from freqlearn.pipelines.detection.cocotools import load_masks

MASK_THRESHOLD = 0.5
"""A pixel belongs to an object above this probability, as in torchvision's references."""

RunLengths = dict[str, Any]
"""`size` [H, W] and `counts`, text: what pycocotools reads, and JSON keeps."""


def run_lengths(mask: torch.Tensor) -> RunLengths:
    """A mask as compressed run lengths.

    Args:
        mask: (H, W) bool.

    Raises:
        ImportError: If pycocotools is not installed; the message says how to.
    """
    height, width = mask.shape
    return _placed(mask.detach().cpu().numpy(), 0, 0, (height, width))


def mask_of(runs: Mapping[str, Any]) -> torch.Tensor:
    """The inverse of `run_lengths`: (H, W) bool."""
    return torch.from_numpy(load_masks().decode(dict(runs))).bool()


def pasted_run_lengths(masks: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int]) -> Iterator[RunLengths]:
    """What torchvision's `paste_masks_in_image` makes of a mask head's masks, above the threshold, as run lengths.

    One after another, and only the part of the photo that a box covers: a hundred masks of a photo of 12 megapixels
    would take 5 GB, and most of the time.

    Args:
        masks: (N, 1, M, M), probabilities within the boxes.
        boxes: (N, 4) XYXY in px of the photo.
        size: (height, width) of the photo.
    """
    height, width = size
    padded, scale = expand_masks(masks.detach().float(), padding=1)
    places = expand_boxes(boxes.detach().float(), scale).to(torch.int64)
    for mask, place in zip(padded[:, 0], places.tolist(), strict=True):
        left, right = (min(max(x, 0), width) for x in (place[0], place[2] + 1))
        top, bottom = (min(max(y, 0), height) for y in (place[1], place[3] + 1))
        moved = torch.tensor([place[0] - left, place[1] - top, place[2] - left, place[3] - top])
        if right <= left or bottom <= top:
            yield _placed(np.zeros((0, 0), dtype=np.bool_), 0, 0, size)
            continue
        part = paste_mask_in_image(mask, moved, bottom - top, right - left)
        yield _placed((part > MASK_THRESHOLD).cpu().numpy(), top, left, size)


def _placed(part: npt.NDArray[np.bool_], top: int, left: int, size: tuple[int, int]) -> RunLengths:
    """Run lengths of a (height, width) mask that is False outside of a part, column by column as COCO counts."""
    height, width = size
    changes = np.diff(np.pad(part.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    columns, rows = np.nonzero(changes)
    # Where a run reaches the photo's lower border and goes on at the upper one, it ends and begins at the same place.
    borders, times = np.unique((left + columns) * height + top + rows, return_counts=True)
    counts = np.diff(borders[times == 1], prepend=0, append=height * width).tolist()
    if counts[-1] == 0:
        del counts[-1]
    encoded = load_masks().frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}
