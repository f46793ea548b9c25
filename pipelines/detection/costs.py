"""What a detector costs: multiply-accumulates of one picture, part by part, counted without computing anything."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from freqlearn.models import FrequencyGate
from freqlearn.models.detection.rcnn import px_per_cell
from freqlearn.pipelines.profiling.counting import profile
from freqlearn.spec import InputSpec

PICTURE_PX = (800, 1333)
"""Height and width of the largest landscape picture that the paper's detectors see: short side 800, at most 1333."""


@dataclass(frozen=True, kw_only=True)
class DetectorCost:
    """Multiply-accumulates of one picture, part by part.

    Attributes:
        gate: Of a gate in front.
        backbone: Of the network and its feature pyramid.
        rpn: Of the network that proposes regions, on all levels.
        boxes: Of what classifies the proposals and moves their boxes.
        masks: Of what draws the masks of the detections.
    """

    gate: int
    backbone: int
    rpn: int
    boxes: int
    masks: int

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(getattr(self, part.name) for part in fields(self))


def detector_cost(
    detector: nn.Module,
    spec: InputSpec,
    *,
    picture_px: tuple[int, int] = PICTURE_PX,
    proposals: int | None = None,
    detections: int | None = None,
) -> DetectorCost:
    """Count the multiply-accumulates of one picture in evaluation; computes nothing.

    How much a detector does depends on what it finds, so the numbers of proposals and detections are given. As
    `profile` does, it counts convolutions and linear layers; pooling regions and sorting out boxes count nothing.

    Args:
        detector: A Faster R-CNN or Mask R-CNN, on any device; it is not changed.
        spec: What it is given.
        picture_px: (height, width) of the resized picture.
        proposals: Regions that are classified; by default as many as the detector lets through.
        detections: Objects that get a mask; by default as many as the detector lets through.
    """
    work = OnePicture(detector, proposals=proposals, detections=detections)
    counted = profile(work, maps_shape(spec, picture_px))
    heads = {
        layer.name for layer in counted.layers if layer.name.count(".") == 1 and layer.name.startswith("roi_heads")
    }
    return DetectorCost(
        gate=0 if work.gate is None else counted["gate"].macs,
        backbone=counted["backbone"].macs,
        rpn=counted["rpn"].macs,
        boxes=sum(counted[name].macs for name in heads if name.startswith("roi_heads.box_")),
        masks=sum(counted[name].macs for name in heads if name.startswith("roi_heads.mask_")),
    )


def maps_shape(spec: InputSpec, picture_px: tuple[int, int], *, divisible_px: int = 32) -> tuple[int, int, int]:
    """Shape (C, h, w) of a detector's input, padded as torchvision pads a batch.

    Args:
        spec: What it is given.
        picture_px: (height, width) of the resized picture.
        divisible_px: Batches are padded to multiples of so many picture pixels.
    """
    height, width = (math.ceil(side / divisible_px) * divisible_px // px_per_cell(spec) for side in picture_px)
    return spec.in_channels, height, width


class OnePicture(nn.Module):
    """A detector's work on one picture as a network that takes its maps, with given numbers of regions.

    Its children are the detector's, so that their names in a profile are the detector's. What comes out has no meaning.

    Args:
        detector: A Faster R-CNN or Mask R-CNN.
        proposals: Regions that are classified; by default as many as the detector lets through.
        detections: Objects that get a mask; by default as many as the detector lets through.
    """

    # torchvision's, which is not annotated.
    backbone: Any
    rpn: Any
    roi_heads: Any

    def __init__(self, detector: nn.Module, *, proposals: int | None = None, detections: int | None = None) -> None:
        super().__init__()
        gate = getattr(detector, "gate", None)
        self.gate = gate if isinstance(gate, FrequencyGate) else None
        self.backbone, self.rpn, self.roi_heads = detector.backbone, detector.rpn, detector.roi_heads
        self.proposals = self.rpn._post_nms_top_n["testing"] if proposals is None else proposals
        self.detections = self.roi_heads.detections_per_img if detections is None else detections

    def forward(self, maps: torch.Tensor) -> list[torch.Tensor]:
        """Run all parts of the detector on (1, C, h, w) maps."""
        levels = self.backbone(maps if self.gate is None else self.gate(maps))
        objectness, _ = self.rpn.head(list(levels.values()))
        heads = self.roi_heads
        regions = self._regions(maps, self.proposals, heads.box_roi_pool.output_size)
        scores, _ = heads.box_predictor(heads.box_head(regions))
        if not heads.has_mask():
            return [*objectness, scores]
        regions = self._regions(maps, self.detections, heads.mask_roi_pool.output_size)
        return [*objectness, scores, heads.mask_predictor(heads.mask_head(regions))]

    def _regions(self, like: torch.Tensor, number: int, size: tuple[int, int]) -> torch.Tensor:
        # Not new_empty, which a profile would list as something that is computed.
        return torch.empty(number, self.backbone.out_channels, *size, dtype=like.dtype, device=like.device)
