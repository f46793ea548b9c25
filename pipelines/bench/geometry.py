"""What is done to a photo between decoding and the network, for peers to do in their own way."""

from dataclasses import dataclass

import torch
from torchvision.transforms import RandomResizedCrop, v2

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# torchvision's of RandomResizedCrop: part of the area, width by height.
SCALE, RATIO = [0.08, 1.0], [3 / 4, 4 / 3]

_PIXEL = torch.zeros(1, 1, 1, dtype=torch.uint8)


@dataclass(frozen=True)
class Geometry:
    """The usual augmentation of training, or the usual crop of evaluation.

    Attributes:
        size_px: Height and width of the result.
        resize_px: Short side before the centre crop; None for a random resized crop and a random flip.
    """

    size_px: int
    resize_px: int | None = None

    def steps(self) -> list[torch.nn.Module]:
        """The transforms of torchvision that do it."""
        if self.resize_px is None:
            return [v2.RandomResizedCrop(self.size_px, antialias=True), v2.RandomHorizontalFlip()]
        return [v2.Resize(self.resize_px, antialias=True), v2.CenterCrop(self.size_px)]

    def box(self, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the picture's part that becomes the result, and torchvision's draws for it.

        Args:
            size_px: (height, width) of the picture.
        """
        height, width = size_px
        if self.resize_px is None:
            return RandomResizedCrop.get_params(_PIXEL.expand(1, height, width), SCALE, RATIO)
        side = min(height, width) * self.size_px / self.resize_px
        side_px = round(side)
        return (height - side_px) // 2, (width - side_px) // 2, side_px, side_px

    def flipped(self) -> bool:
        """Whether to mirror: torchvision's draw, after that of the box."""
        return self.resize_px is None and bool(torch.rand(1) < 0.5)


def to_standardised() -> list[torch.nn.Module]:
    """uint8 tensor to standardised float32."""
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
