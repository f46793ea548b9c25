"""Faster and Mask R-CNN on maps of any cell size: torchvision's, with everything in picture pixels."""

from collections.abc import Sequence
from typing import Any, Unpack, overload

from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

from freqlearn.flat_color import Pad, pad_color
from freqlearn.indexing import integer
from freqlearn.models.detection.anchors import PictureAnchorGenerator
from freqlearn.models.detection.heads import PreciseBoxPredictor, PreciseMaskPredictor, PreciseRPNHead
from freqlearn.models.detection.options import RCNNOptions, check_rcnn_options
from freqlearn.models.detection.pooling import PyramidRoIAlign
from freqlearn.models.detection.sized_maps import (
    Detection,
    Size,
    SizedMaps,
    Target,
    as_sizes,
    check_images,
    check_targets,
    resolve_picture_sizes,
)
from freqlearn.models.detection.transform import MapsTransform
from freqlearn.models.gate import FrequencyGate
from freqlearn.spec import InputSpec

PX_PER_BLOCK = 4  # the picture is enlarged by 2 before 8x8 blocks are taken
_REPRESENTATION = 1024  # torchvision's size of a region's representation
_MASK_CHANNELS = 256  # and of the mask head's maps


class FrequencyRCNN(GeneralizedRCNN):
    """What Faster and Mask R-CNN here add to torchvision's: sizes and boxes in picture pixels, and the gate.

    Picture pixels are those of the resized photo (800 px short side, say). A frequency map has one cell per 4 of them:
    an 8x8 block of the photo enlarged by 2. RGB has one per pixel.

    Attributes:
        spec: What the input is, or None.
        in_channels: Number of channels.
        px_per_cell: Picture pixels per cell of the input.
        gate: The frequency gate, or None.
    """

    transform: MapsTransform
    backbone: nn.Module
    rpn: RegionProposalNetwork
    roi_heads: RoIHeads
    spec: InputSpec | None
    in_channels: int
    px_per_cell: int
    gate: FrequencyGate | None

    def _set_input(self, spec: InputSpec | None, in_channels: int, *, pad: Pad, gate: bool) -> None:
        self.spec, self.in_channels = spec, in_channels
        self.px_per_cell = px_per_cell(spec)
        if spec is None and pad == "black":
            raise ValueError('pad="black" needs spec=, which says what black is in standardised channels')
        # Without a spec: the mean of every channel, which is 0 once standardised.
        padding = [0.0] * in_channels if spec is None else spec.flat_values(pad_color(spec, pad))
        self.transform = MapsTransform(self.px_per_cell, padding)
        if gate and spec is not None and spec.channels is None:
            raise ValueError("a gate is for frequency channels; the spec is of kind rgb")
        channels = in_channels if spec is None or spec.channels is None else spec.channels
        self.gate = FrequencyGate(channels) if gate else None

    @overload  # type: ignore[override]
    def forward(
        self,
        images: Sequence[Tensor],
        targets: Sequence[Target],
        *,
        image_sizes: Sequence[Sequence[int]] | None = None,
        output_sizes: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, Tensor]: ...
    @overload
    def forward(
        self,
        images: Sequence[Tensor],
        targets: None = None,
        *,
        image_sizes: Sequence[Sequence[int]] | None = None,
        output_sizes: Sequence[Sequence[int]] | None = None,
        paste_masks: bool = True,
    ) -> list[Detection]: ...
    def forward(
        self,
        images: Sequence[Tensor],
        targets: Sequence[Target] | None = None,
        *,
        image_sizes: Sequence[Sequence[int]] | None = None,
        output_sizes: Sequence[Sequence[int]] | None = None,
        paste_masks: bool = True,
    ) -> dict[str, Tensor] | list[Detection]:
        """Return the losses in training mode, and what is found in the pictures in evaluation mode.

        In evaluation, what is found in a picture does not depend on what else is in the batch: only pictures that are
        padded to the same size anyway are computed together. Padding for a larger one would count in the statistics of
        GroupNorm, say, and the convolutions next to it would see something else than the end of the maps.

        Args:
            images: Standardised maps (C, h, w) of each picture; sizes may differ.
            targets: In training, for each picture: ``boxes`` (K, 4) float, XYXY in picture pixels, ``labels`` (K,)
                int64 from 1, and for Mask R-CNN ``masks`` (K, height, width); K may be 0.
            image_sizes: (height, width) of each picture, in picture pixels. Where a picture does not end with a block,
                its last cells reach beyond it: 800x1067 px have 200x267 cells, which end at 1068. By default it ends
                with them.
            output_sizes: (height, width) that detections are scaled to, for instance of the stored photo; by default
                image_sizes.
            paste_masks: Whether masks are pasted into pictures of the output's size. They take 400 bytes a pixel where
                there are a hundred; without, they are what the mask head gives, for the boxes.

        Returns:
            Training: the losses by name, () each. Evaluation: for each picture ``boxes`` (D, 4) XYXY in pixels of the
            output, ``labels`` (D,) int64, ``scores`` (D,), best first, and for Mask R-CNN ``masks`` (D, 1, height,
            width), 0..1; not pasted, (D, 1, 28, 28).

        Raises:
            ValueError: If shapes, sizes or targets do not fit each other.
        """
        check_images(images, self.in_channels)
        sizes = resolve_picture_sizes(images, image_sizes, self.px_per_cell)
        outputs = sizes if output_sizes is None else as_sizes(output_sizes, len(images), "output_sizes")
        if self.training:
            check_targets(targets, sizes, self.px_per_cell, classes=self.num_classes, masks=self.predicts_masks)
        maps = self._gated(images, sizes)
        if self.training:
            result: Any = super().forward(maps, list(targets or ()))
            losses: dict[str, Tensor] = result
            return losses
        found: list[Detection] = [{} for _ in images]
        for together in self.transform.padded_alike(images):
            part: Any = super().forward(maps.select(together))
            for position, detection in zip(together, part, strict=True):
                found[position] = detection
        return self.transform.scale(found, sizes, outputs, paste_masks)

    @property
    def predicts_masks(self) -> bool:
        """Whether detections have masks."""
        return bool(self.roi_heads.has_mask())  # type: ignore[no-untyped-call]

    @property
    def num_classes(self) -> int:
        """Number of classes that a region is one of, with the background."""
        predictor: Any = self.roi_heads.box_predictor
        return int(predictor.cls_score.out_features)

    def compile(self, *args: Any, **options: Any) -> None:
        """Let torch compile, when they are used first, the parts that do most of the work: the backbone and the heads.

        The rest of torchvision's detectors depends on what is in a picture (how many boxes, which size): compiled as
        one, ``torch.compile(model)``, a step of training falls into dozens of graphs and is compiled for minutes.

        Args:
            *args: As of torch.compile.
            **options: As of torch.compile.
        """
        heads = self.roi_heads
        for part in (self.backbone, self.rpn.head, heads.box_head, heads.box_predictor):
            part.compile(*args, **options)
        if self.predicts_masks:
            heads.mask_head.compile(*args, **options)
            heads.mask_predictor.compile(*args, **options)

    def _gated(self, images: Sequence[Tensor], sizes: list[Size]) -> SizedMaps:
        padding = self.transform.padding_like(images)
        if self.gate is None:
            return SizedMaps(images, sizes, padding)
        gated, switches = self.gate.gate_each(images)
        # A channel that is off is off in the padding too, as if the network had never had it.
        return SizedMaps(gated, sizes, padding * switches.to(padding.dtype))


class FrequencyFasterRCNN(FrequencyRCNN, FasterRCNN):
    """torchvision's Faster R-CNN on standardised maps of pictures of any sizes; see `FrequencyRCNN`.

    Parameters have torchvision's names.

    Args:
        backbone: A pyramid with levels of strides 4 to 64 picture pixels, see `resnet_fpn`.
        num_classes: Number of classes, with the background.
        spec: What the input is; None for frequency channels of which only the number is known.
        in_channels: Number of channels.
        pad: Colour that batches are padded with: the spec's mean colour, or black as DCTNet.
        gate: Put a FrequencyGate in front, ``model.gate``. It sees each picture's own maps, without padding.
        min_anchor: Size of the finest level's anchors in picture pixels; each further level doubles it.
        **options: Further options of torchvision's FasterRCNN.

    Raises:
        TypeError: If an option is unknown.
        ValueError: If the options do not fit each other.
    """

    def __init__(
        self,
        backbone: BackboneWithFPN,
        num_classes: int,
        *,
        spec: InputSpec | None,
        in_channels: int,
        pad: Pad = "mean",
        gate: bool = False,
        min_anchor: int = 32,
        **options: Unpack[RCNNOptions],
    ) -> None:
        check_rcnn_options(options)
        parts = _parts(backbone, num_classes, min_anchor, px_per_cell(spec))
        super().__init__(backbone, **parts, **options)  # type: ignore[no-untyped-call]
        self._set_input(spec, in_channels, pad=pad, gate=gate)


class FrequencyMaskRCNN(FrequencyRCNN, MaskRCNN):
    """torchvision's Mask R-CNN on standardised maps of pictures of any sizes.

    Args and Raises as of `FrequencyFasterRCNN`.
    """

    def __init__(
        self,
        backbone: BackboneWithFPN,
        num_classes: int,
        *,
        spec: InputSpec | None,
        in_channels: int,
        pad: Pad = "mean",
        gate: bool = False,
        min_anchor: int = 32,
        **options: Unpack[RCNNOptions],
    ) -> None:
        check_rcnn_options(options)
        parts = _parts(backbone, num_classes, min_anchor, px_per_cell(spec))
        super().__init__(  # type: ignore[no-untyped-call]
            backbone,
            **parts,
            mask_roi_pool=PyramidRoIAlign(output_size=14),
            mask_predictor=PreciseMaskPredictor(_MASK_CHANNELS, _MASK_CHANNELS, num_classes),  # type: ignore[no-untyped-call]
            **options,
        )
        self._set_input(spec, in_channels, pad=pad, gate=gate)


def px_per_cell(spec: InputSpec | None) -> int:
    """Return how many picture pixels a cell of a detector's input is high and wide."""
    return 1 if spec is not None and spec.kind == "rgb" else PX_PER_BLOCK


def _parts(backbone: BackboneWithFPN, num_classes: int, min_anchor: int, cell: int) -> dict[str, Any]:
    if integer(min_anchor, "min_anchor") < 1:
        raise ValueError(f"expected min_anchor of at least 1 px, got {min_anchor}")
    if integer(num_classes, "num_classes") < 2:
        raise ValueError(f"expected num_classes of at least 2, the background and a class, got {num_classes}")
    anchors = PictureAnchorGenerator(min_anchor, cell)
    return {
        "rpn_anchor_generator": anchors,
        "rpn_head": PreciseRPNHead(backbone.out_channels, anchors.num_anchors_per_location()[0]),
        "box_roi_pool": PyramidRoIAlign(output_size=7),
        "box_predictor": PreciseBoxPredictor(_REPRESENTATION, num_classes),  # type: ignore[no-untyped-call]
    }
