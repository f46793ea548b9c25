"""Run lengths against pycocotools' own encoder, and pasted masks against torchvision's."""

import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import clip_boxes_to_image

from freqlearn.pipelines.detection.run_lengths import mask_of, pasted_run_lengths, run_lengths

mask_tools = pytest.importorskip("pycocotools.mask")


def encoded(mask: torch.Tensor) -> dict[str, object]:
    runs = mask_tools.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (13, 17)], ids=str)
def test_run_lengths_are_pycocotools_own(size: tuple[int, int], share: float) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        mask = torch.rand(size, generator=generator) < share
        assert run_lengths(mask) == encoded(mask)
        assert mask_of(run_lengths(mask)).equal(mask)


def test_pasted_as_torchvision_does() -> None:
    """Boxes within the photo, cut off by its borders, tiny and as large as it."""
    generator = torch.Generator().manual_seed(2)
    height, width = 61, 47
    corners = torch.rand(60, 2, generator=generator) * torch.tensor([width * 1.4, height * 1.4]) - 10
    sides = torch.rand(60, 2, generator=generator) ** 3 * torch.tensor([70.0, 90.0])
    special = torch.tensor([[0.0, 0, 47, 61], [0, 0, 47, 30], [3, 4, 3, 4], [46, 60, 47, 61], [47, 10, 47, 60]])
    boxes = clip_boxes_to_image(torch.cat([torch.cat([corners, corners + sides], dim=1), special]), (height, width))
    noise = torch.randn(len(boxes), 1, 5, 5, generator=generator)
    masks = torch.nn.functional.interpolate(noise, size=28, mode="bicubic").add(0.3).sigmoid()
    masks[-5] = 0.9  # all of the photo
    expected = paste_masks_in_image(masks, boxes, (height, width))[:, 0] > 0.5
    assert 20 < expected.any(dim=(1, 2)).sum() < len(boxes)
    assert list(pasted_run_lengths(masks, boxes, (height, width))) == [encoded(mask) for mask in expected]
    assert list(pasted_run_lengths(masks[:0], boxes[:0], (height, width))) == []
