"""Boxes, masks and key points: where torchvision's own transforms of the same names put them, for the same seed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision import tv_tensors
from torchvision.ops import masks_to_boxes
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import freqlearn as fl
from freqlearn import transforms
from freqlearn.transforms.targets import carry_out

LAST = transforms.ToFrequencyTensor(fl.ChannelSet.of([0]), upscale=2, pad="black")
HEIGHT, WIDTH = 61, 83
# Coordinates of some hundred px in float32, a few operations.
FLOAT32 = 1e-4

CHAINS: dict[str, Callable[[Any], list[Any]]] = {
    "flips, resize": lambda t: [t.RandomHorizontalFlip(), t.RandomVerticalFlip(), t.Resize(37)],
    "resized crop, flip": lambda t: [t.RandomResizedCrop((40, 57)), t.RandomHorizontalFlip()],
    "several sizes, crop": lambda t: [t.RandomShortestSize([40, 73], 90), t.RandomCrop(39)],
    "jitter, padded crop": lambda t: [
        t.ScaleJitter((60, 60), (0.3, 2.0)),
        t.RandomCrop(64, pad_if_needed=True),
        t.RandomHorizontalFlip(),
    ],
    "crop, flip, resize, centre": lambda t: [
        t.RandomCrop((50, 60)),
        t.RandomHorizontalFlip(),
        t.Resize((71, 40)),
        t.CenterCrop(32),
    ],
    "cropped away, then padded": lambda t: [t.Resize(50), t.CenterCrop(30), t.RandomCrop(40, padding=20)],
    "mostly padding": lambda t: [t.RandomCrop(20, padding=70)],
}


def image(height: int = HEIGHT, width: int = WIDTH) -> fl.DCTImage:
    planes = [np.zeros((-(-height // 8), -(-width // 8), 8, 8), np.int16)]
    return fl.DCTImage.from_planes(planes, size_px=(height, width))


def target(kind: str = "XYXY") -> dict[str, Any]:
    """Five boxes within the picture, masks, key points, and what is no transform's business."""
    rng = torch.Generator().manual_seed(3)
    low, high = torch.rand(2, 5, 2, generator=rng).sort(dim=0).values * torch.tensor([WIDTH, HEIGHT])
    boxes = tv_tensors.BoundingBoxes(torch.cat([low, high], dim=1), format="XYXY", canvas_size=(HEIGHT, WIDTH))
    if tv_tensors.is_rotated_bounding_format(kind):  # torchvision converts between such formats only
        x1, y1, x2, y2 = boxes.T
        corners = torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], dim=1)
        boxes = tv_tensors.BoundingBoxes(corners, format="XYXYXYXY", canvas_size=(HEIGHT, WIDTH))
    boxes = F.convert_bounding_box_format(boxes, new_format=kind)
    return {
        "boxes": boxes,
        "masks": tv_tensors.Mask(torch.rand(5, HEIGHT, WIDTH, generator=rng) > 0.5),
        "points": tv_tensors.KeyPoints(torch.stack([low, high], dim=1), canvas_size=(HEIGHT, WIDTH)),
        "labels": torch.arange(5),
        "more": {"name": "a", "picture": tv_tensors.Image(torch.zeros(3, 4, 4))},
    }


def areas(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_same_as_torchvision(chain):
    ours, theirs = transforms.Compose([*CHAINS[chain](transforms), LAST]), v2.Compose(CHAINS[chain](v2))
    picture = torch.ones(3, HEIGHT, WIDTH, dtype=torch.uint8)
    for seed in range(12):
        torch.manual_seed(seed)
        pixels, want = theirs(tv_tensors.Image(picture), target() | {"more": 0})
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        maps, got = ours(image(), target())
        assert torch.equal(torch.get_rng_state(), state)
        assert maps.shape[1:] == tuple(-(-side // 4) for side in pixels.shape[1:])
        for key in ("boxes", "points"):
            assert type(got[key]) is type(want[key])
            assert got[key].canvas_size == want[key].canvas_size == tuple(pixels.shape[1:])
            if pixels.any():  # where nothing of the picture is left, places mean nothing
                torch.testing.assert_close(got[key], want[key], rtol=0, atol=FLOAT32)
        torch.testing.assert_close(areas(got["boxes"]), areas(want["boxes"]), rtol=0, atol=100 * FLOAT32)
        assert isinstance(got["masks"], tv_tensors.Mask)
        assert torch.equal(got["masks"], want["masks"])
        assert got["labels"].tolist() == [0, 1, 2, 3, 4]
        assert got["more"]["name"] == "a"
        assert got["more"]["picture"].shape == (3, 4, 4)


@pytest.mark.parametrize("kind", [format.value for format in tv_tensors.BoundingBoxFormat])
def test_every_format(kind):
    steps = CHAINS["crop, flip, resize, centre"]
    torch.manual_seed(0)
    _, want = v2.Compose(steps(v2))(tv_tensors.Image(torch.zeros(3, HEIGHT, WIDTH)), target(kind) | {"more": 0})
    torch.manual_seed(0)
    _, got = transforms.Compose([*steps(transforms), LAST])(image(), target(kind))
    assert got["boxes"].format == want["boxes"].format
    torch.manual_seed(0)
    _, plain = transforms.Compose([*steps(transforms), LAST])(image(), target())
    left = areas(plain["boxes"]) > 1  # of others, places mean nothing
    assert left.sum() >= 3
    rotated = tv_tensors.is_rotated_bounding_format(kind)
    # Rotated boxes go through angles in degrees.
    torch.testing.assert_close(got["boxes"][left], want["boxes"][left], rtol=0, atol=1e-3 if rotated else FLOAT32)

    plan = fl.Plan.identity((HEIGHT, WIDTH)).transpose()
    turned = carry_out(plan, target(kind)["boxes"])
    turned = F.convert_bounding_box_format(turned, new_format="XYXYXYXY" if rotated else "XYXY")
    x1, y1, x2, y2 = target()["boxes"].T
    # The corners of a rotated box go on clockwise from the first one.
    corners = [y1, x1, y2, x1, y2, x2, y1, x2] if rotated else [y1, x1, y2, x2]
    torch.testing.assert_close(turned.as_subclass(torch.Tensor), torch.stack(corners, dim=1), rtol=0, atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_them_as_pillow_turns_pictures(orientation):
    rectangle = np.zeros((HEIGHT, WIDTH), np.uint8)
    rectangle[5:20, 10:50] = 255
    picture = Image.fromarray(rectangle)
    picture.getexif()[0x0112] = orientation
    want = torch.from_numpy(np.array(ImageOps.exif_transpose(picture)))
    size = (HEIGHT, WIDTH)
    plan = fl.Plan.identity(size).orient(orientation)
    boxes = carry_out(plan, tv_tensors.BoundingBoxes([[10.0, 5, 50, 20]], format="XYXY", canvas_size=size))
    points = carry_out(plan, tv_tensors.KeyPoints([[[10.0, 5.0], [49.0, 19.0]]], canvas_size=size))
    assert torch.equal(carry_out(plan, tv_tensors.Mask(torch.from_numpy(rectangle))), want)
    first_and_last_pixel = masks_to_boxes(want[None])
    assert boxes.tolist() == (first_and_last_pixel + torch.tensor([0, 0, 1, 1])).tolist()
    assert boxes.canvas_size == points.canvas_size == tuple(want.shape)
    assert points[0].sort(dim=0).values.flatten().tolist() == first_and_last_pixel[0].tolist()


def test_a_centre_crop_that_pads_takes_boxes_where_the_picture_is():
    """Where torchvision's CenterCrop pads by an odd number, its boxes are a pixel below its own masks."""
    mask = torch.zeros(1, 21, 20, dtype=torch.uint8)
    mask[:, 5:9, 6:12] = 1
    crop = transforms.CenterCrop((24, 27))(image(21, 20)).plan
    want = v2.CenterCrop((24, 27))(tv_tensors.Mask(mask))
    assert torch.equal(carry_out(crop, tv_tensors.Mask(mask)), want)
    box = tv_tensors.BoundingBoxes([[6, 5, 12, 9]], format="XYXY", canvas_size=(21, 20))
    assert carry_out(crop, box).tolist() == (masks_to_boxes(want) + torch.tensor([0, 0, 1, 1])).tolist()


def test_nothing_of_the_picture_in_the_window():
    plan = fl.Plan.identity((HEIGHT, WIDTH)).resize(30, 40).crop(top=35, left=0, height=16, width=24)
    values = target()
    assert carry_out(plan, values["masks"]).shape == (5, 16, 24)
    assert not carry_out(plan, values["masks"]).any()
    plan = plan.crop(top=-30, left=-2, height=48, width=48)  # back where the picture was, which is gone
    assert not carry_out(plan, values["masks"]).any()
    boxes = carry_out(plan, values["boxes"])
    assert ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) == 0).all()


def test_semantic_masks_and_empty_boxes():
    plan = fl.Plan.identity((HEIGHT, WIDTH)).resize(32, 40).hflip().transpose()
    assert carry_out(plan, tv_tensors.Mask(torch.ones(HEIGHT, WIDTH))).shape == (40, 32)
    boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(HEIGHT, WIDTH))
    assert carry_out(plan, boxes).shape == (0, 4)
    assert carry_out(plan, boxes).canvas_size == (40, 32)


@pytest.mark.parametrize("key", ["boxes", "masks", "points"])
def test_of_another_picture(key):
    sample = (image(HEIGHT, WIDTH + 1), target()[key])
    with pytest.raises(ValueError, match=r"stored picture's size \(height, width\) = \(61, 84\), got \(61, 83\)"):
        LAST(*sample)


def test_whose_boxes_they_are_must_be_plain():
    first, second = image(), image()
    second = second.with_plan(second.plan.hflip())
    assert len(LAST((first, second))) == 2
    assert len(LAST((first, first, target()["boxes"]))) == 3
    with pytest.raises(ValueError, match=r"one plan for all images of a sample .* got flip left-right and nothing"):
        LAST((first, second, target()["boxes"]))


def test_batch_decoder_takes_them_along(make_jpeg):
    transform = transforms.Compose(
        [transforms.ReadDCT(), transforms.RandomResizedCrop((24, 40)), transforms.RandomHorizontalFlip(), LAST]
    )
    files = [make_jpeg(HEIGHT, WIDTH, seed=seed) for seed in range(3)]
    targets = [{key: target()[key] for key in ("boxes", "masks", "labels")} for _ in files]
    torch.manual_seed(5)
    want = [transform(file, values) for file, values in zip(files, targets, strict=True)]
    torch.manual_seed(5)
    images, got = fl.BatchDecoder(transform, num_threads=2)(list(zip(files, targets, strict=True)))
    assert torch.equal(images, torch.stack([maps for maps, _ in want]))
    for key in ("boxes", "masks", "labels"):
        assert torch.equal(got[key], torch.stack([values[key].as_subclass(torch.Tensor) for _, values in want]))

    wrong = tv_tensors.Mask(torch.zeros(8, 8))
    with pytest.raises(ValueError, match="got \\(8, 8\\)") as caught:
        fl.BatchDecoder(transform)([(files[0], targets[0]["masks"]), (files[1], wrong)])
    assert "image 1 of 2" in "".join(caught.value.__notes__)
