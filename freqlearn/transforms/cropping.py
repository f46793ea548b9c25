"""Crops, with torchvision's rounding and its random draws: the same seed gives the same boxes."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from freqlearn.image import DCTImage
from freqlearn.plan import Plan
from freqlearn.transforms.base import PlanTransform, as_range, as_size


class CenterCrop(PlanTransform):
    """Crop the middle, as `torchvision.transforms.v2.CenterCrop`; a smaller picture is padded with black.

    Args:
        size: an int for a square, or (height, width).
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = as_size(size)

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Crop what the plan shows."""
        top, left = (centred(crop, side) for crop, side in zip(self.size, plan.output_size, strict=True))
        return plan.crop(top=top, left=left, height=self.size[0], width=self.size[1])


def centred(crop: int, side: int) -> int:
    """First pixel of a centred crop; torchvision rounds halves to even, and puts the odd padding pixel at the end."""
    return -((crop - side) // 2) if crop > side else round((side - crop) / 2.0)


class RandomCrop(PlanTransform):
    """Crop at random, as `torchvision.transforms.v2.RandomCrop`.

    Padding has one colour; torchvision's other padding modes (edge, reflect, symmetric) are not available.

    Args:
        size: an int for a square, or (height, width).
        padding: px added before the crop: an int for all sides, (left/right, top/bottom) or (left, top, right, bottom).
        pad_if_needed: whether a picture smaller than the crop is padded (otherwise it is an error).
        fill: of the padding, 0..255: one number, or three for R, G, B.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        self.size = as_size(size)
        self.padding = _as_padding(padding)
        self.pad_if_needed = pad_if_needed
        self.fill = _as_fill(fill)

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw the box: top, left, height, width, in px of the picture before padding (so maybe negative)."""
        height, width = images[0].plan.output_size
        left_pad, top_pad, right_pad, bottom_pad = self.padding or (0, 0, 0, 0)
        crop_height, crop_width = self.size
        missing_height = max(0, crop_height - (height + top_pad + bottom_pad)) if self.pad_if_needed else 0
        missing_width = max(0, crop_width - (width + left_pad + right_pad)) if self.pad_if_needed else 0
        # torchvision adds what is missing on both sides.
        padded_height = height + top_pad + bottom_pad + 2 * missing_height
        padded_width = width + left_pad + right_pad + 2 * missing_width
        if padded_height < crop_height or padded_width < crop_width:
            raise ValueError(
                f"expected a picture of at least the crop's {crop_height}x{crop_width} px, got "
                f"{padded_height}x{padded_width} px with its padding; pad_if_needed=True pads it"
            )
        top, left = _draw_offset(padded_height, crop_height), _draw_offset(padded_width, crop_width)
        return {
            "top": top - top_pad - missing_height,
            "left": left - left_pad - missing_width,
            "height": crop_height,
            "width": crop_width,
        }

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Crop what the plan shows."""
        return plan.crop(**params, fill=self.fill)


def _draw_offset(side: int, crop: int) -> int:
    """Draw as torchvision does: nothing where there is nothing to choose."""
    return int(torch.randint(0, side - crop + 1, size=())) if side > crop else 0


def _as_padding(padding: int | Sequence[int] | None) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) from torchvision's forms."""
    if padding is None:
        return None
    values = [padding] if isinstance(padding, int) else list(padding)
    if len(values) not in (1, 2, 4) or any(value < 0 for value in values):
        raise ValueError(f"expected padding as one, two or four numbers of px, 0 or more, got {padding!r}")
    left, top = values[0], values[1 % len(values)]
    right, bottom = (values[2], values[3]) if len(values) == 4 else (left, top)
    return left, top, right, bottom


def _as_fill(fill: float | Sequence[float]) -> tuple[float, float, float]:
    values = [fill] if isinstance(fill, (int, float)) else list(fill)
    if len(values) not in (1, 3):
        raise ValueError(f"expected fill as one number or three (R, G, B), got {fill!r}")
    return float(values[0]), float(values[len(values) // 2]), float(values[-1])


class RandomResizedCrop(PlanTransform):
    """Crop a random box and resize it, as `torchvision.transforms.v2.RandomResizedCrop`.

    Args:
        size: an int for a square, or (height, width).
        scale: smallest and largest share of the picture's area.
        ratio: smallest and largest width / height of the box.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
    ) -> None:
        super().__init__()
        self.size = as_size(size)
        self.scale = as_range("scale", scale)
        self.ratio = as_range("ratio", ratio)
        # Rounded as torchvision's, which are a tensor.
        self._log_ratio: list[float] = torch.log(torch.tensor(self.ratio)).tolist()

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw the box: top, left, height, width, in px."""
        height, width = images[0].plan.output_size
        area = height * width
        low, high = self._log_ratio
        for _ in range(10):
            target_area = area * torch.empty(1).uniform_(*self.scale).item()
            aspect_ratio = torch.exp(torch.empty(1).uniform_(low, high)).item()
            w = round(math.sqrt(target_area * aspect_ratio))
            h = round(math.sqrt(target_area / aspect_ratio))
            if 0 < w <= width and 0 < h <= height:
                top = int(torch.randint(0, height - h + 1, size=(1,)).item())
                left = int(torch.randint(0, width - w + 1, size=(1,)).item())
                return {"top": top, "left": left, "height": h, "width": w}
        return self._central_box(height, width)

    def _central_box(self, height: int, width: int) -> dict[str, Any]:
        """After ten boxes that did not fit, as torchvision: the largest central one of a permitted ratio."""
        h, w = height, width
        if width / height < min(self.ratio):
            h = round(width / min(self.ratio))
        elif width / height > max(self.ratio):
            w = round(height * max(self.ratio))
        return {"top": (height - h) // 2, "left": (width - w) // 2, "height": h, "width": w}

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Crop and resize what the plan shows."""
        return plan.crop(**params).resize(*self.size)
