"""Detectors by name, and the weights that their ResNets begin with."""

from typing import Any, get_args

from torchvision.ops import FrozenBatchNorm2d

from freqlearn import models
from freqlearn.flat_color import Pad
from freqlearn.models import detection
from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.detection.options import DetectorName, DetectorNorm
from freqlearn.spec import InputSpec

DETECTOR_NAMES: tuple[str, ...] = get_args(DetectorName)


def build_detector(
    name: str,
    spec: InputSpec,
    *,
    classes: int,
    norm: DetectorNorm = "batch",
    trainable_layers: int = 5,
    min_anchor: int = 32,
    pad: Pad = "mean",
    gate: bool = False,
    proposals: int = 1000,
    rois: int = 512,
    detections: int = 100,
    min_score: float = 0.05,
) -> FrequencyRCNN:
    """Build a detector with random weights; by default with torchvision's options.

    Args:
        name: One of DETECTOR_NAMES.
        spec: What it is given.
        classes: Number of classes, without the background.
        norm: How its ResNet normalises its maps, see `freqlearn.models.norm_layer`; "frozen" is torchvision's
            FrozenBatchNorm2d.
        trainable_layers: Of its ResNet, 0 to 5, counted from the last.
        min_anchor: Side of the smallest anchors, in px.
        pad: What batches are padded with.
        gate: Put a FrequencyGate in front, `model.gate`.
        proposals: Regions of a picture that the heads look at in evaluation; in training they are drawn from twice as
            many.
        rois: Regions of a picture that the heads are trained on.
        detections: Most objects that are found in a picture.
        min_score: Lowest score of what is found.

    Raises:
        ValueError: If there is no such detector, or the options do not fit the spec.
    """
    if name not in DETECTOR_NAMES:
        raise ValueError(f"unknown detector {name!r}; known are {', '.join(DETECTOR_NAMES)}")
    build: Any = getattr(detection, name)
    detector: FrequencyRCNN = build(
        spec=spec,
        num_classes=classes + 1,
        norm_layer=FrozenBatchNorm2d if norm == "frozen" else models.norm_layer(norm),
        trainable_layers=trainable_layers,
        min_anchor=min_anchor,
        pad=pad,
        gate=gate,
        rpn_pre_nms_top_n_train=2 * proposals,
        rpn_pre_nms_top_n_test=proposals,
        rpn_post_nms_top_n_train=2 * proposals,
        rpn_post_nms_top_n_test=proposals,
        box_batch_size_per_image=rois,
        box_detections_per_img=detections,
        box_score_thresh=min_score,
    )
    return detector
