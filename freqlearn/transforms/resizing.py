"""Resizing, with torchvision's arithmetic for the size and its random draws."""

from collections.abc import Sequence
from typing import Any

import torch

from freqlearn.image import DCTImage
from freqlearn.indexing import integer
from freqlearn.plan import Plan
from freqlearn.transforms.base import PlanTransform, as_range, as_size


class Resize(PlanTransform):
    """Resize, antialiased bilinear, as `torchvision.transforms.v2.Resize` does by default.

    A plan holds one resize: a second one, to another size, is an error.

    Args:
        size: an int (or a sequence of one) for the shorter side, (height, width), or None to go by `max_size` alone.
        max_size: limit of the longer side; only where `size` is not (height, width).
    """

    def __init__(self, size: int | Sequence[int] | None, *, max_size: int | None = None) -> None:
        super().__init__()
        if size is None:
            if max_size is None:
                raise ValueError("expected a size, or max_size where size is None; got neither")
        else:
            height, width = as_size(size)
            both = isinstance(size, Sequence) and len(size) == 2
            if both and max_size is not None:
                raise ValueError(f"max_size goes with the size of the shorter side, got size {size!r}")
            if not both and max_size is not None and max_size <= height:
                raise ValueError(f"expected max_size above the shorter side's size {size!r}, got {max_size}")
        if max_size is not None and max_size < 1:
            raise ValueError(f"expected max_size of at least 1 px, got {max_size}")
        self.size = None if size is None else [height, width] if both else [height]
        self.max_size = max_size

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Resize what the plan shows."""
        return plan.resize(*resized_size(plan.output_size, self.size, self.max_size))


class RandomShortestSize(PlanTransform):
    """Resize the shorter side to one of several sizes, as `torchvision.transforms.v2.RandomShortestSize`.

    Args:
        min_size: the sizes of the shorter side, one or several.
        max_size: limit of the longer side.
    """

    def __init__(self, min_size: int | Sequence[int], max_size: int | None = None) -> None:
        super().__init__()
        sizes = list(min_size) if isinstance(min_size, Sequence) else [min_size]
        self.min_size = [integer(size, "min_size (an int or several)") for size in sizes]
        if not self.min_size or min(self.min_size) < 1:
            raise ValueError(f"expected min_size as one or several numbers of px, 1 or more, got {min_size!r}")
        self.max_size = None if max_size is None else integer(max_size, "max_size")
        if self.max_size is not None and self.max_size < 1:
            raise ValueError(f"expected max_size of at least 1 px, got {max_size}")

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw the size: height, width."""
        height, width = images[0].plan.output_size
        ratio = self.min_size[int(torch.randint(len(self.min_size), ()))] / min(height, width)
        if self.max_size is not None:
            ratio = min(ratio, self.max_size / max(height, width))
        return _times(ratio, height, width)

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Resize what the plan shows."""
        return plan.resize(**params)


class ScaleJitter(PlanTransform):
    """Resize to a random share of the size that just fits `target_size`, as `torchvision.transforms.v2.ScaleJitter`.

    A random crop usually follows (Ghiasi et al., Simple Copy-Paste, arXiv 2012.07177: "large scale jittering").

    Args:
        target_size: the size that a share of 1 just fits into; torchvision holds its first number against the width.
        scale_range: smallest and largest share.
    """

    def __init__(self, target_size: tuple[int, int], scale_range: tuple[float, float] = (0.1, 2.0)) -> None:
        super().__init__()
        self.target_size = as_size(target_size)
        self.scale_range = as_range("scale_range", scale_range)

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw the size: height, width."""
        height, width = images[0].plan.output_size
        low, high = self.scale_range
        # In float32 from here on, as torchvision, so that the same size comes out.
        scale = low + torch.rand(1) * (high - low)
        ratio = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return _times(ratio, height, width)

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Resize what the plan shows."""
        return plan.resize(**params)


def _times(ratio: float | torch.Tensor, height: int, width: int) -> dict[str, Any]:
    """A size times a ratio, rounded as torchvision does, but never to nothing."""
    return {"height": max(1, int(height * ratio)), "width": max(1, int(width * ratio))}


def resized_size(size_px: tuple[int, int], size: list[int] | None, max_size: int | None) -> tuple[int, int]:
    """(height, width) after Resize(size, max_size), with torchvision's rounding (towards zero)."""
    height, width = size_px
    short, long = min(size_px), max(size_px)
    if size is not None and len(size) == 2:
        return size[0], size[1]
    if size is None:
        if max_size is None:
            raise ValueError("expected a size or max_size, got neither")
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short, new_long = size[0], int(size[0] * long / short)
        if max_size is not None and new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)
