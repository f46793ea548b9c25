"""Anchors of maps lie where torchvision's lie on the picture."""

import pytest
import torch
from torchvision.models.detection.faster_rcnn import _default_anchorgen
from torchvision.models.detection.image_list import ImageList

from freqlearn.models.detection import PictureAnchorGenerator


def levels(height: int, width: int, *, dtype=torch.float32) -> list[torch.Tensor]:
    """Feature maps of a ResNet's pyramid for a padded picture: each level halves, rounding up."""
    shapes = [(height // 4, width // 4)]
    for _ in range(4):
        shapes.append(tuple((side + 1) // 2 for side in shapes[-1]))
    return [torch.zeros(1, 8, *shape, dtype=dtype) for shape in shapes]


# As padded to multiples of 32: 320x416 has whole numbers of cells at every level but the last; 800 has 25, 13 rows.
@pytest.mark.parametrize("size", [(320, 448), (800, 1088), (96, 32)], ids=str)
def test_are_torchvisions_on_the_picture(size):
    features = levels(*size)
    sizes = [(size[0] - 3, size[1] - 2)]
    theirs = _default_anchorgen()(ImageList(torch.zeros(1, 3, *size), sizes), features)
    maps = torch.zeros(1, 24, size[0] // 4, size[1] // 4)
    ours = PictureAnchorGenerator(32, 4)(ImageList(maps, sizes), features)
    assert torch.equal(ours[0], theirs[0])


def test_have_the_strides_of_the_pyramid():
    features = levels(320, 448)
    maps = torch.zeros(1, 24, 80, 112)
    (anchors,) = PictureAnchorGenerator(32, 4)(ImageList(maps, [(320, 448)]), features)
    by_level = anchors.split([3 * f.shape[-2] * f.shape[-1] for f in features])
    centres = [(level[:, :2] + level[:, 2:]).mul(0.5)[::3] for level in by_level]
    assert [float(centre[1, 0] - centre[0, 0]) for centre in centres] == [4, 8, 16, 32, 64]
    square = [level[1, 2] - level[1, 0] for level in by_level]
    assert square == [32, 64, 128, 256, 512]


def test_of_pixels_and_of_another_size():
    features = levels(64, 64)
    batch = ImageList(torch.zeros(1, 3, 64, 64), [(64, 64)])
    assert torch.equal(PictureAnchorGenerator(32, 1)(batch, features)[0], _default_anchorgen()(batch, features)[0])
    smaller = PictureAnchorGenerator(8, 1)(batch, features)[0]
    assert (smaller[1, 2:] - smaller[1, :2]).tolist() == [8, 8]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_are_precise_whatever_the_features_are(dtype):
    # bfloat16 has 8 bits: it cannot tell 1064 from 1066.
    maps = torch.zeros(1, 24, 200, 272)
    generator = PictureAnchorGenerator(32, 4)
    (anchors,) = generator(ImageList(maps, [(800, 1067)]), levels(800, 1088, dtype=dtype))
    (expected,) = generator(ImageList(maps, [(800, 1067)]), levels(800, 1088))
    assert anchors.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(anchors.float(), expected)
