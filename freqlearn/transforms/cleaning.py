"""The last step of a detection pipeline: boxes clipped, those of which nothing is left taken out."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

# What targets say of the picture as a whole; with a single box, a tensor of one number could be either.
_OF_THE_PICTURE = ("image_id", "image_size", "original_size", "size", "orig_size")


class CleanBoxes(nn.Module):
    """Clip a target's boxes to the picture, and remove those of less than a pixel with everything that is theirs.

    As `torchvision.transforms.v2.ClampBoundingBoxes` and `SanitizeBoundingBoxes`, for (picture, target) with the boxes
    at `target["boxes"]`. A removed box takes along its row of every tensor in the target that has one row a box
    (labels, masks, area, iscrowd, ...), but for image_id, image_size, original_size, size and orig_size, which are the
    picture's.

    Args:
        min_size: least width and height of a box that is kept, in px; at least 1.
    """

    def __init__(self, min_size: float = 1.0) -> None:
        super().__init__()
        if not min_size >= 1:
            raise ValueError(f"expected min_size of at least 1 px, got {min_size}")
        self.min_size = float(min_size)

    def forward(self, picture: Any, target: Mapping[str, Any] | None = None) -> Any:
        """Clean `target`; the picture passes through, alone where it has none.

        Raises:
            TypeError: if the target is no dict with BoundingBoxes at "boxes", or its masks are no Mask.
        """
        if target is None:
            return picture
        boxes = _checked(target)
        kept, valid = F.sanitize_bounding_boxes(
            F.clamp_bounding_boxes(boxes, clamping_mode="soft"), min_size=self.min_size
        )
        cleaned = dict(target, boxes=tv_tensors.wrap(kept, like=boxes))
        for key, value in target.items():
            if key != "boxes" and key not in _OF_THE_PICTURE and _has_rows(value, len(boxes)):
                rows = value[valid]
                cleaned[key] = tv_tensors.wrap(rows, like=value) if isinstance(value, tv_tensors.TVTensor) else rows
        return picture, cleaned

    def extra_repr(self) -> str:
        """The option."""
        return f"min_size={self.min_size:g}"


def _checked(target: Any) -> tv_tensors.BoundingBoxes:
    if not isinstance(target, Mapping) or not isinstance(boxes := target.get("boxes"), tv_tensors.BoundingBoxes):
        got = f"boxes of type {type(target.get('boxes')).__name__}" if isinstance(target, Mapping) else type(target)
        raise TypeError(
            f'expected a target dict with torchvision.tv_tensors.BoundingBoxes at "boxes", got {got}: plain tensors '
            "would stay where they were while the picture is resized"
        )
    if "masks" in target and not isinstance(target["masks"], tv_tensors.Mask):
        raise TypeError(
            f'expected a torchvision.tv_tensors.Mask at "masks", got {type(target["masks"]).__name__}: a plain tensor '
            "would stay as it was while the picture is resized"
        )
    return boxes


def _has_rows(value: Any, count: int) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count
