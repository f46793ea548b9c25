"""Resize, with torchvision's arithmetic for the size."""

from collections.abc import Sequence
from typing import Any

from freqlearn.plan import Plan
from freqlearn.transforms.base import PlanTransform, as_size


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
