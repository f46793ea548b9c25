"""What detectors cost: against torch's count of what torchvision's really compute, and against a published number."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import FasterRCNN, MaskRCNN, maskrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from freqlearn.channels import ChannelSet
from freqlearn.models.detection import maskrcnn_resnet18_fpn
from freqlearn.pipelines.detection.costs import detector_cost, maps_shape
from freqlearn.spec import InputSpec

RGB = InputSpec.preset("imagenet-rgb")


# With these thresholds a detector lets through as many regions as it may, and finds as many objects.
ALL: dict[str, Any] = {
    "rpn_post_nms_top_n_test": 20,
    "rpn_nms_thresh": 1.0,
    "box_score_thresh": -1.0,
    "box_nms_thresh": 1.0,
    "box_detections_per_img": 7,
}


@pytest.mark.parametrize("kind", [FasterRCNN, MaskRCNN])
def test_a_detector_costs_what_it_computes(kind: Any) -> None:
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    detector = kind(backbone, num_classes=4, min_size=60, max_size=90, **ALL).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        (found,) = detector([torch.rand(3, 60, 90)])
    assert len(found["boxes"]) == 7
    cost = detector_cost(detector, RGB, picture_px=(60, 90))
    assert cost.total == counter.get_total_flops() // 2
    assert (cost.masks > 0) == (kind is MaskRCNN)
    fewer = detector_cost(detector, RGB, picture_px=(60, 90), proposals=10, detections=0)
    assert (fewer.boxes, fewer.masks) == (cost.boxes // 2, 0)


def test_a_detector_on_channels_costs_what_it_computes() -> None:
    spec = InputSpec.unstandardised(ChannelSet.square(24), 128)
    detector = maskrcnn_resnet18_fpn(spec=spec, num_classes=4, gate=True, **ALL).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        (found,) = detector([torch.rand(24, 15, 23)], image_sizes=[(60, 90)])
    assert len(found["boxes"]) == 7
    cost = detector_cost(detector, spec, picture_px=(60, 90))
    assert cost.total == counter.get_total_flops() // 2
    assert cost.gate == 24 * 24 + 24 * 2
    assert cost.gate < cost.masks < cost.total


def test_published_cost() -> None:
    """Papers quote 260 GFLOPs (multiply-accumulates) for mmdetection's model, at 1280x800, 1000 and 100 regions.

    Its counter adds biases, normalisation and activations, which come to less than half a percent.
    """
    with torch.device("meta"):
        detector = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=81)
    gmacs = detector_cost(detector, RGB, picture_px=(800, 1280), proposals=1000, detections=100).total / 1e9
    assert gmacs == pytest.approx(260, rel=0.005)


def test_maps_are_padded_as_a_batch_is() -> None:
    spec = InputSpec.preset("imagenet-448")
    assert maps_shape(RGB, (800, 1333)) == (3, 800, 1344)
    assert maps_shape(spec, (800, 1333)) == (spec.in_channels, 200, 336)
