"""torchvision's heads, which answer in float32 also under autocast.

torchvision computes boxes in the precision of the heads' output, and hands that on to the true boxes: in bfloat16 a
position of 1000 px is rounded to 4 px, in float16 to half a pixel.
"""

import torch
from torch import Tensor
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead


class PreciseRPNHead(RPNHead):
    """torchvision's head of the region proposal network; parameters of the same names."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return logits and box deltas of each level."""
        logits, deltas = super().forward(x)
        return [_precise(level) for level in logits], [_precise(level) for level in deltas]


class PreciseBoxPredictor(FastRCNNPredictor):
    """torchvision's classes and box deltas of a region; parameters of the same names."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (K, classes) and box deltas (K, 4 * classes)."""
        logits, deltas = super().forward(x)  # type: ignore[no-untyped-call]
        return _precise(logits), _precise(deltas)


class PreciseMaskPredictor(MaskRCNNPredictor):
    """torchvision's masks of a region; parameters of the same names."""

    def forward(self, input: Tensor) -> Tensor:
        """Return mask logits (K, classes, 28, 28)."""
        return _precise(super().forward(input))  # type: ignore[no-untyped-call]


def _precise(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
