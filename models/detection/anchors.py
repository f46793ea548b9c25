"""Anchors in picture pixels over maps of which a cell is several pixels."""

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

_RATIOS = (0.5, 1.0, 2.0)  # torchvision's default
_LEVELS = 5


class PictureAnchorGenerator(AnchorGenerator):
    """torchvision's AnchorGenerator, shown the picture's size instead of the maps'.

    torchvision divides the size of the batch that it is shown by a level's size to get the level's stride. Shown maps
    of 4 px a cell it would place anchors as if the picture were a quarter as high and wide.

    The anchors are those that torchvision places on pictures of that size, also where a level's size is rounded up (the
    coarsest level of 800 px has 13 rows, so its stride is 61 instead of 64). But they are float32 at least: torchvision
    gives them the features' precision, and bfloat16 rounds a position of 1000 px to 4 px.

    Args:
        min_anchor: Size of the finest level's anchors, in picture pixels; each further level doubles it.
        px_per_cell: Picture pixels per cell of the maps.
    """

    def __init__(self, min_anchor: int, px_per_cell: int) -> None:
        sizes = tuple((min_anchor * 2**level,) for level in range(_LEVELS))
        super().__init__(sizes, (_RATIOS,) * _LEVELS)  # type: ignore[no-untyped-call]
        self.px_per_cell = px_per_cell

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """Return each picture's anchors, (A, 4) XYXY in picture pixels, finest level first."""
        batch = image_list.tensors
        pixels = (*batch.shape[:2], *(side * self.px_per_cell for side in batch.shape[-2:]))
        stand_in = ImageList(batch.new_empty(()).expand(pixels), image_list.image_sizes)
        dtype = torch.promote_types(feature_maps[0].dtype, torch.float32)
        # torchvision asks the features only for their shapes, the dtype and the device.
        return super().forward(stand_in, [maps.new_empty((), dtype=dtype).expand(maps.shape) for maps in feature_maps])
