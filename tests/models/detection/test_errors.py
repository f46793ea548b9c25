"""What a detector refuses, in one line."""

import pytest
import torch
from lively_detectors import FEW, SIZES, maps, targets
from torchvision.tv_tensors import BoundingBoxes

from freqlearn import InputSpec
from freqlearn.models import detection

RGB = InputSpec.preset("imagenet-rgb")


@pytest.fixture(scope="module")
def model():
    return detection.maskrcnn_resnet18_fpn(in_channels=24, **FEW)


def changed(**entries) -> list[dict[str, torch.Tensor]]:
    first, *others = targets()
    return [{**first, **entries}, *others]


def without(key: str) -> list[dict[str, torch.Tensor]]:
    return [{name: value for name, value in target.items() if name != key} for target in targets()]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "at least one picture, got an empty list"),
        ([torch.zeros(3, 16, 16)], r"tensors \(24, h, w\), one per picture, got shape \(3, 16, 16\) at position 0"),
        (torch.zeros(24, 16, 16), r"one per picture, got shape \(16, 16\) at position 0"),
        ([maps()[0], torch.zeros(1, 24, 16, 16)], r"got shape \(1, 24, 16, 16\) at position 1"),
        ([maps()[0].numpy()], "got ndarray at position 0"),
        ([torch.zeros(24, 16, 16, dtype=torch.int16)], "floating-point values, got torch.int16 at position 0"),
    ],
    ids=["none", "channels", "no list", "batch axis", "array", "integers"],
)
def test_images(model, images, message):
    with pytest.raises(ValueError, match=message) as error:
        model.eval()(images)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ([SIZES[0]], ValueError, "expected image_sizes for 2 pictures, got 1"),
        (
            [SIZES[0], (58, 41)],
            ValueError,
            r"image_sizes\[1\] = \(58, 41\) does not fit maps of 15x10 cells: .*57\.\.60 x 37\.\.40 px",
        ),
        ([SIZES[0], SIZES[1][::-1]], ValueError, r"image_sizes\[1\] = \(37, 58\) does not fit"),
        ([SIZES[0], (15, 10)], ValueError, r"image_sizes\[1\] = \(15, 10\) does not fit"),
        (
            [SIZES[0], (0, 37)],
            ValueError,
            r"image_sizes\[1\] as two positive integers \(height, width\), got \(0, 37\)",
        ),
        ([SIZES[0], (1, 58, 37)], ValueError, r"image_sizes\[1\] as two positive integers"),
        ([SIZES[0], (58.0, 37.0)], TypeError, r"image_sizes\[1\] as an integer, got 58\.0"),
    ],
    ids=["number", "too wide", "swapped", "cells", "zero", "three", "float"],
)
def test_image_sizes(model, sizes, error, message):
    with pytest.raises(error, match=message):
        model.eval()(maps(), image_sizes=sizes)


def test_output_sizes(model):
    with pytest.raises(ValueError, match="expected output_sizes for 2 pictures, got 1"):
        model.eval()(maps(), image_sizes=SIZES, output_sizes=[(9, 9)])


def test_image_sizes_of_pixels():
    rgb = detection.fasterrcnn_resnet18_fpn(spec=RGB, **FEW)
    with pytest.raises(ValueError, match=r"\(43, 62\) does not fit maps of 43x63 cells: .*picture, 43 x 63 px"):
        rgb(maps(SIZES[:1], channels=3, px_per_cell=1), image_sizes=[(43, 62)])


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (None, r"expected targets in training mode, got none; call eval\(\)"),
        (targets()[:1], "expected targets for 2 pictures, got 1"),
        (without("boxes"), r"targets\[0\] with boxes and labels and masks, got none under 'boxes'"),
        (without("masks"), r"targets\[0\] .* got none under 'masks'"),
        (changed(boxes=torch.zeros(4)), r"boxes \(K, 4\) and labels \(K,\) in targets\[0\], got shapes \(4,\), \(2,\)"),
        (changed(labels=torch.tensor([1])), r"got shapes \(2, 4\), \(1,\)"),
        (changed(masks=torch.zeros(2, 44, 64)), r"masks \(2, 43, 63\) in targets\[0\], .* got \(2, 44, 64\)"),
        (
            changed(boxes=BoundingBoxes(targets()[0]["boxes"], format="XYXY", canvas_size=(430, 630))),
            r"boxes of targets\[0\] in pixels of the resized picture, of 43x63 .*got them for 430x630",
        ),
        (changed(boxes=torch.tensor([[3.0, 4, 30, 40], [70, 10, 90, 42]])), r"of 43x63 .*got \[70\.0, 10\.0, 90\.0"),
        (changed(boxes=torch.tensor([[3.0, 4, 30, 40], [20, 10, torch.nan, 42]])), r"got \[20\.0, 10\.0, nan, 42\.0"),
        (changed(boxes=torch.tensor([[3.0, 4, torch.inf, 40], [20, 10, 62, 42]])), r"got \[3\.0, 4\.0, inf, 40\.0"),
        (changed(labels=torch.tensor([0, 1])), r"labels of 1 to 4 in targets\[0\] \(0 is the back.*from 0 to 1"),
        (changed(labels=torch.tensor([5, 1])), r"labels of 1 to 4 in targets\[0\].*from 1 to 5"),
        (changed(masks=255 * targets()[0]["masks"]), r"masks of 0 and 1 in targets\[0\], got values up to 255"),
    ],
    ids=[
        *("none", "number", "boxes", "masks", "box shape", "labels", "mask size", "pixels of the stored photo"),
        *("outside", "NaN", "infinite", "background", "no class", "mask values"),
    ],
)
def test_targets(model, truth, message):
    with pytest.raises(ValueError, match=message):
        model.train()(maps(), truth, image_sizes=SIZES)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "in_channels= .* or spec= .* got neither"),
        ({"spec": RGB, "in_channels": 24}, ValueError, "in_channels of 3, or none, with a spec of kind rgb, got 24"),
        (
            {"in_channels": 24, "rpn_pre_nms_top_n_trian": 5},
            TypeError,
            "did you mean rpn_pre_nms_top_n_train",
        ),
        ({"in_channels": 24, "min_size": 800}, TypeError, "min_size is no option .*presets.detection_train"),
        ({"in_channels": 24, "weights": "DEFAULT"}, TypeError, "weights is no option .*detection.load_backbone"),
        (
            {"in_channels": 24, "trainable_backbone_layers": 3},
            TypeError,
            "no option .*: trainable_layers says",
        ),
        ({"in_channels": 24, "box_roi_pool": None}, TypeError, "unknown option 'box_roi_pool'"),
        ({"in_channels": 24, "min_anchor": 0}, ValueError, "min_anchor of at least 1 px, got 0"),
        ({"in_channels": 24, "num_classes": 1}, ValueError, "num_classes of at least 2, .* got 1"),
        ({"spec": RGB, "pad": "white"}, ValueError, '"mean" or "black", got \'white\''),
    ],
    ids=["no input", "channels", "misspelt", "size", "weights", "layers", "pool", "anchor", "classes", "pad"],
)
def test_options(options, error, message):
    with torch.device("meta"), pytest.raises(error, match=message):
        detection.fasterrcnn_resnet18_fpn(**options)
