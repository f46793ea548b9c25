"""In evaluation, a picture's detections are its own: companions in the batch change nothing, whatever the norm."""

import pytest
import torch
from lively_detectors import FEW, detector, maps
from torch import nn

from freqlearn import InputSpec
from freqlearn.models import detection, norm_layer

SIZES = [(43, 63), (150, 97), (40, 50)]


@pytest.mark.parametrize("norm", [None, norm_layer("group")], ids=["batch", "group"])
@torch.no_grad()
def test_a_picture_is_found_in_as_if_alone(norm):
    model = detector(norm_layer=norm)
    pictures = maps(SIZES)
    together = model(pictures, image_sizes=SIZES)
    for picture, size, found in zip(pictures, SIZES, together, strict=True):
        (alone,) = model([picture], image_sizes=[size])
        torch.testing.assert_close(found["boxes"], alone["boxes"], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(found["scores"], alone["scores"], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_pictures_padded_alike_are_computed_together():
    model = detector()
    batches = []
    model.backbone.register_forward_pre_hook(lambda _, args: batches.append(tuple(args[0].shape)))
    # 43x63 and 58x37 px are padded to 64x64, 70x64 to 96x64.
    sizes = [(43, 63), (70, 64), (58, 37)]
    model(maps(sizes), image_sizes=sizes)
    assert batches == [(2, 24, 16, 16), (1, 24, 24, 16)]


def test_training_pads_all_pictures_to_one_size():
    torch.manual_seed(0)
    spec = InputSpec.preset("imagenet-rgb")
    model = detection.fasterrcnn_resnet18_fpn(spec=spec, norm_layer=nn.BatchNorm2d, **FEW)
    batches = []
    model.backbone.register_forward_pre_hook(lambda _, args: batches.append(tuple(args[0].shape)))
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    model([torch.randn(3, 40, 70), torch.randn(3, 90, 30)], [nothing, nothing])
    assert batches == [(2, 3, 96, 96)]
