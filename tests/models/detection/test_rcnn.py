"""Detectors on maps of pictures of any size."""

import copy

import pytest
import torch
from lively_detectors import SIZES, detector, maps, targets
from torchvision.tv_tensors import BoundingBoxes, Mask

from freqlearn import ChannelSet, InputSpec
from freqlearn.models import detection

KINDS = ["fasterrcnn_resnet18_fpn", "maskrcnn_resnet18_fpn"]


@pytest.mark.parametrize("name", KINDS)
def test_trains_on_pictures_of_odd_and_different_sizes(name):
    model = detector(name).train()
    torch.manual_seed(0)
    losses = model(maps(), targets(), image_sizes=SIZES)
    expected = {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    assert losses.keys() == (expected | {"loss_mask"} if "mask" in name else expected)
    assert all(loss.shape == () and loss.isfinite() and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_trains_on_a_batch_without_objects():
    model = detector("maskrcnn_resnet18_fpn").train()
    empty = targets([(8, 8), *SIZES])[1:]
    losses = model(maps(), empty, image_sizes=SIZES)
    sum(losses.values()).backward()
    assert losses["loss_box_reg"] == losses["loss_rpn_box_reg"] == 0
    assert losses["loss_objectness"] > 0
    # DistributedDataParallel waits for every gradient.
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_takes_tv_tensors():
    model = detector("maskrcnn_resnet18_fpn").train()
    plain = targets()
    wrapped = [
        {**t, "boxes": BoundingBoxes(t["boxes"], format="XYXY", canvas_size=size), "masks": Mask(t["masks"])}
        for t, size in zip(plain, SIZES, strict=True)
    ]
    losses = []
    for truth in (plain, wrapped):
        torch.manual_seed(3)
        losses.append(model(maps(), truth, image_sizes=SIZES))
    assert all(type(loss) is torch.Tensor for loss in losses[1].values())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_finds_boxes_within_the_pictures(name):
    found = detector(name, min_anchor=256)(maps(), image_sizes=SIZES)
    for result, (height, width) in zip(found, SIZES, strict=True):
        boxes, count = result["boxes"], len(result["boxes"])
        assert count >= 2
        assert result["labels"].shape == result["scores"].shape == (count,)
        assert result["labels"].dtype == torch.int64
        assert (result["scores"].diff() <= 0).all()
        assert boxes.min() >= 0
        # Anchors are larger than the pictures, so boxes are clipped, at the pictures' borders: 63, not 64.
        assert boxes.amax(dim=0)[2:].tolist() == [width, height]
        if "mask" in name:
            assert result["masks"].shape == (count, 1, height, width)
            assert 0 <= result["masks"].min() < 0.5 < result["masks"].max() <= 1


@torch.no_grad()
def test_a_picture_of_1067_px_ends_at_1067():
    # 1067 px doubled are 2134, 266.75 blocks: 267 cells, which end at 1068.
    model, picture = detector(min_anchor=512), torch.randn(24, 4, 267)
    (found,) = model([picture], image_sizes=[(16, 1067)])
    assert found["boxes"][:, 2].max() == 1067
    (found,) = model([picture])
    assert found["boxes"][:, 2].max() == 1068


@torch.no_grad()
def test_scales_detections_to_output_sizes():
    model = detector("maskrcnn_resnet18_fpn")
    outputs = [(86, 126), (29, 33)]
    plain = model(maps(), image_sizes=SIZES)
    scaled = model(maps(), image_sizes=SIZES, output_sizes=outputs)
    for one, other, (height, width), (high, wide) in zip(plain, scaled, SIZES, outputs, strict=True):
        factors = torch.tensor([wide / width, high / height] * 2)
        torch.testing.assert_close(other["boxes"], one["boxes"] * factors)
        assert torch.equal(one["scores"], other["scores"])
        assert other["masks"].shape[-2:] == (high, wide)
        for mask, (left, top, right, bottom) in zip(other["masks"][:, 0], other["boxes"].tolist(), strict=True):
            rows, columns = torch.where(mask > 0.5)
            if len(rows):  # pasted into its box, within the pixel that torchvision rounds to on either side
                assert left - 2 <= columns.min() <= columns.max() <= right + 2
                assert top - 2 <= rows.min() <= rows.max() <= bottom + 2


@torch.no_grad()
def test_finds_the_same_after_a_tiny_picture():
    one, other = detector(), detector()
    one([torch.randn(24, 1, 2)], image_sizes=[(3, 5)])
    for a, b in zip(one(maps(), image_sizes=SIZES), other(maps(), image_sizes=SIZES), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)


@torch.no_grad()
def test_a_pictures_place_in_the_batch_does_not_matter():
    model = detector()
    first, second = model(maps(), image_sizes=SIZES)
    second_again, first_again = model(maps()[::-1], image_sizes=SIZES[::-1])
    for a, b in [(first, first_again), (second, second_again)]:
        torch.testing.assert_close(a["boxes"], b["boxes"], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(a["scores"], b["scores"], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_min_anchor_scales_all_anchors():
    sizes = []
    for min_anchor in (32, 8):
        model = detection.fasterrcnn_resnet18_fpn(in_channels=3, num_classes=2, min_anchor=min_anchor)
        sizes.append([size for (size,) in model.rpn.anchor_generator.sizes])
    assert sizes == [[32, 64, 128, 256, 512], [8, 16, 32, 64, 128]]


def test_options_reach_torchvision():
    model = detection.maskrcnn_resnet18_fpn(
        in_channels=3,
        num_classes=3,
        rpn_pre_nms_top_n_train=11,
        rpn_post_nms_top_n_test=12,
        rpn_fg_iou_thresh=0.6,
        box_score_thresh=0.2,
        box_detections_per_img=13,
        bbox_reg_weights=(1.0, 2.0, 3.0, 4.0),
    )
    assert model.rpn._pre_nms_top_n["training"] == 11
    assert model.rpn._post_nms_top_n["testing"] == 12
    assert model.rpn.proposal_matcher.high_threshold == 0.6
    assert model.roi_heads.score_thresh == 0.2
    assert model.roi_heads.detections_per_img == 13
    assert model.roi_heads.box_coder.weights == (1.0, 2.0, 3.0, 4.0)
    assert model.roi_heads.mask_predictor.mask_fcn_logits.out_channels == 3


def test_keeps_the_spec():
    spec = InputSpec.unstandardised(ChannelSet.square(24), size_px=160)
    model = detection.fasterrcnn_resnet18_fpn(spec=spec)
    assert (model.spec, model.in_channels, model.px_per_cell, model.gate) == (spec, 24, 4, None)
    assert model.roi_heads.box_predictor.cls_score.out_features == 91
    rgb = detection.fasterrcnn_resnet18_fpn(spec=InputSpec.preset("imagenet-rgb"))
    assert (rgb.in_channels, rgb.px_per_cell) == (3, 1)
    assert copy.deepcopy(model).spec == spec
