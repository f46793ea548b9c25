"""What a detector does to maps before its backbone: batches them, and nothing else."""

import numpy as np
import pytest
import torch
from torchvision.tv_tensors import BoundingBoxes

from freqlearn import ChannelSet, InputSpec
from freqlearn.models import detection
from freqlearn.models.detection import MapsTransform, SizedMaps
from freqlearn.presets import detection_eval

SPEC = InputSpec(
    kind="dct",
    channels=ChannelSet.of((0, 1, 64, 128)),
    mean=(-120.0, 3.0, -16.0, 24.0),
    std=(400.0, 80.0, 50.0, 40.0),
    size_px=160,
)
RGB = InputSpec.preset("imagenet-rgb")
SHAPES = [(20, 27), (31, 17)]


def images(channels: int = 4, shapes=SHAPES) -> list[torch.Tensor]:
    return [torch.randn(channels, *shape) for shape in shapes]


@pytest.fixture(params=[True, False], ids=["training", "evaluation"])
def transform(request) -> MapsTransform:
    return detection.fasterrcnn_resnet18_fpn(spec=SPEC).transform.train(request.param)


def test_maps_and_targets_are_left_as_they_are(transform):
    pictures = images()
    target = {
        "boxes": torch.tensor([[1.5, 2, 100, 79]]),
        "labels": torch.tensor([3]),
        "masks": torch.ones(1, 80, 107, dtype=torch.uint8),
    }
    batch, targets = transform(pictures, [target, target])
    for position, picture in enumerate(pictures):
        h, w = picture.shape[-2:]
        assert torch.equal(batch.tensors[position, :, :h, :w], picture)
    for after in targets:
        assert after.keys() == target.keys()
        assert all(after[key] is value for key, value in target.items())


def test_sizes_are_the_pictures(transform):
    batch, _ = transform(images())
    assert batch.image_sizes == [(80, 108), (124, 68)]
    sizes = [(77, 107), (121, 66)]
    batch, _ = transform(SizedMaps(images(), sizes, torch.zeros(2, 4)))
    assert batch.image_sizes == sizes
    assert batch.tensors.shape == (2, 4, 32, 32)  # 128 px: a multiple of 32 px, as torchvision pads


def test_detections_pass_with_their_sizes(transform):
    found = [{"boxes": torch.tensor([[1.0, 2, 30, 40]]), "masks": torch.rand(1, 1, 28, 28)}]
    before = [dict(result) for result in found]
    assert transform.postprocess(found, [(80, 107)], [(20, 27)]) is found
    assert all(found[0][key] is before[0][key] for key in before[0])


@pytest.mark.parametrize(
    ("spec", "pad", "expected"),
    [
        # The colour whose flat block has the DC means: DCs standardise to 0, an AC of 0 to -mean / std.
        (SPEC, "mean", [0, -3 / 80, 0, 0]),
        # Black: Y = 0, Cb = Cr = 128; a flat block's DC is 8 times the value less 128.
        (SPEC, "black", [(8 * -128 + 120) / 400, -3 / 80, 16 / 50, -24 / 40]),
        (RGB, "mean", [0, 0, 0]),
        (RGB, "black", [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]),
    ],
    ids=["mean", "black", "rgb mean", "rgb black"],
)
def test_pads_with_the_maps_of_a_flat_picture(spec, pad, expected):
    transform = detection.fasterrcnn_resnet18_fpn(spec=spec, pad=pad).transform
    pictures = images(spec.in_channels)
    batch, _ = transform(pictures)
    assert max(batch.tensors.shape[-2:]) == 32
    flat = torch.tensor(expected, dtype=torch.float32)[:, None, None]
    for position, (h, w) in enumerate(SHAPES):
        tensor = batch.tensors[position]
        # 1e-6: float64 numbers rounded to float32, of mean colours that went through RGB and back.
        torch.testing.assert_close(tensor[:, h:], flat.expand_as(tensor[:, h:]), atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(tensor[:, :h, w:], flat.expand_as(tensor[:, :h, w:]), atol=1e-6, rtol=1e-6)


def test_without_a_spec_pads_with_every_channels_mean():
    transform = detection.fasterrcnn_resnet18_fpn(in_channels=4).transform
    assert not transform(images())[0].tensors[0, :, 20:].any()
    with pytest.raises(ValueError, match='pad="black" needs spec='):
        detection.fasterrcnn_resnet18_fpn(in_channels=4, pad="black")


@pytest.mark.parametrize("spec", [SPEC, RGB], ids=["dct", "rgb"])
def test_a_black_picture_and_its_black_padding_are_one(spec, make_jpeg):
    """The picture's last, partial blocks, and what the batch is padded with, continue a flat picture."""
    preset = detection_eval(spec, min_size=75, max_size=200, pad="black")
    pictures = []
    for height, width in [(60, 90), (83, 60)]:
        black = np.zeros((height, width, 3), dtype=np.uint8)
        boxes = BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(height, width))
        picture, _ = preset(make_jpeg(height, width, pixels=black, quality=100), {"boxes": boxes})
        pictures.append(picture)
    batch, _ = detection.fasterrcnn_resnet18_fpn(spec=spec, pad="black").transform(pictures)
    expected = torch.tensor(spec.flat_values((0, 0, 0)))[:, None, None]
    # At this quality JPEG's black is exact; sums of up to 400 products of float32 are not.
    torch.testing.assert_close(batch.tensors, expected.expand_as(batch.tensors), atol=2e-5, rtol=0)
