"""Regions are pooled at the pyramid's strides, whatever was seen first."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from freqlearn.models.detection import PyramidRoIAlign

BOXES = [torch.tensor([[1.0, 2, 40, 50], [10, 10, 126, 94], [0, 0, 128, 96], [33.3, 5.5, 60.1, 90.9]])]


def pyramid(height: int, width: int, *, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    return {str(level): torch.randn(1, 3, *shape, generator=generator) for level, shape in enumerate(shapes)}


@pytest.mark.parametrize("output_size", [7, 14])
def test_is_torchvisions(output_size):
    theirs = MultiScaleRoIAlign(["0", "1", "2", "3"], output_size, 2)
    features = pyramid(96, 128)
    expected = theirs(features, BOXES, [(96, 128)])
    pool = PyramidRoIAlign(output_size)
    assert torch.equal(pool(features, BOXES, [(96, 128)]), expected)
    assert pool.scales == theirs.scales
    assert vars(pool.map_levels) == vars(theirs.map_levels)


@pytest.mark.parametrize("tiny", [(1, 1), (4, 7), (33, 9)], ids=str)
def test_is_the_same_after_a_tiny_picture(tiny):
    pool = PyramidRoIAlign(7)
    pool(pyramid(*tiny), [torch.tensor([[0.0, 0, 1, 1]])], [tiny])
    features = pyramid(96, 128)
    assert torch.equal(pool(features, BOXES, [(96, 128)]), PyramidRoIAlign(7)(features, BOXES, [(96, 128)]))


def test_uses_every_level():
    # A box of 112 px or less belongs to the level of stride 4 or 8, one of 448 px to stride 32 (FPN's equation 1).
    sides = [50, 112, 224, 448]
    boxes = [torch.tensor([[0.0, 0, side, side] for side in sides])]
    features = {name: torch.full_like(maps, float(name)) for name, maps in pyramid(512, 512).items()}
    pooled = PyramidRoIAlign(7)(features, boxes, [(512, 512)])
    assert pooled[:, 0, 3, 3].tolist() == [0, 1, 2, 3]


def test_boxes_are_not_rounded_to_the_features_precision():
    features = {name: maps.bfloat16() for name, maps in pyramid(96, 128).items()}
    pooled = PyramidRoIAlign(7)(features, BOXES, [(96, 128)])
    assert pooled.dtype == torch.bfloat16
    precise = PyramidRoIAlign(7)({name: maps.float() for name, maps in features.items()}, BOXES, [(96, 128)])
    assert torch.equal(pooled, precise.bfloat16())
