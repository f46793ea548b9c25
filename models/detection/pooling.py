"""RoI pooling whose scales do not depend on the first picture."""

import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import initLevelMapper

_FINEST, _COARSEST = 2, 5  # log2 of the strides of a ResNet's stages, 4 .. 32 picture pixels
_LEVEL_NAMES = [str(level - _FINEST) for level in range(_FINEST, _COARSEST + 1)]  # as the pyramid names them
_SAMPLES = 2  # torchvision's


class PyramidRoIAlign(MultiScaleRoIAlign):
    """torchvision's MultiScaleRoIAlign over the levels of strides 4, 8, 16 and 32 picture pixels.

    torchvision infers the strides from the first batch that it sees, and keeps them: after a tiny picture, whose
    coarse levels are rounded up to a cell, they are wrong for good.

    Args:
        output_size: Height and width of a pooled region.
    """

    def __init__(self, output_size: int) -> None:
        super().__init__(_LEVEL_NAMES, output_size, _SAMPLES)
        self.scales: list[float] = [2.0**-level for level in range(_FINEST, _COARSEST + 1)]  # type: ignore[assignment]
        self.map_levels = initLevelMapper(_FINEST, _COARSEST, self.canonical_scale, self.canonical_level)

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool regions, in float32 at least, because the boxes are.

        Args:
            x: Feature maps by level, each (N, C, h, w).
            boxes: (K, 4) XYXY in picture pixels, for each picture.
            image_shapes: Not used.

        Returns:
            (sum of K, C, output_size, output_size), dtype of the features.
        """
        dtype = next(iter(x.values())).dtype
        precise = {name: maps.to(torch.promote_types(dtype, torch.float32)) for name, maps in x.items()}
        return super().forward(precise, boxes, image_shapes).to(dtype)
