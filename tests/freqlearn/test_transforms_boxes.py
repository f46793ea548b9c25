"""Sizes, boxes and random draws: the same as torchvision's own v2 classes for the same seed.

torchvision's transforms are applied to a picture whose pixels are their own coordinates, so that the box that it took
is read from its output.
"""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import transforms
from freqlearn.geometry import Box

SIZES = [(375, 500), (500, 333), (64, 64), (31, 200), (449, 447), (7, 3)]


def image(height: int, width: int) -> fl.DCTImage:
    planes = [np.zeros((-(-height // 8), -(-width // 8), 8, 8), np.int16)]
    return fl.DCTImage.from_planes(planes, size_px=(height, width))


def coordinates(height: int, width: int) -> torch.Tensor:
    """(3, height, width) int32: row + 1, column + 1, 1; zeros are padding."""
    y, x = torch.meshgrid(torch.arange(height) + 1, torch.arange(width) + 1, indexing="ij")
    return torch.stack([y, x, torch.ones_like(y)]).int()


def shown_coordinates(plan: fl.Plan) -> torch.Tensor:
    """What `coordinates` looks like after a plan without a resize."""
    full = coordinates(*plan.size_px)
    box = plan.window.shifted(plan.box.top, plan.box.left)
    out = torch.zeros((3, *box.size_px), dtype=torch.int32)
    seen = box.intersection(Box(0, 0, *plan.size_px))
    part = full[:, seen.top : seen.bottom, seen.left : seen.right]
    out[:, seen.top - box.top : seen.bottom - box.top, seen.left - box.left : seen.right - box.left] = part
    out = out.transpose(1, 2) if plan.transposed else out
    out = out.flip(2) if plan.flip_horizontal else out
    return out.flip(1) if plan.flip_vertical else out


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (0.5, 1.0)},
        {"ratio": (0.9, 1.1)},
        {"scale": (0.9, 1.0), "ratio": (3.0, 4.0)},  # seldom fits: the central box
    ],
    ids=["default", "large", "square", "wide"],
)
def test_random_resized_crop(size, options):
    ours, theirs = transforms.RandomResizedCrop(448, **options), v2.RandomResizedCrop(448, **options)
    for seed in range(30):
        torch.manual_seed(seed)
        want = theirs.make_params([coordinates(*size)])
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        plan = ours(image(*size)).plan
        assert plan.box == Box(want["top"], want["left"], want["height"], want["width"])
        assert plan.resized_px == (448, 448)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"size": 24, "padding": 12},
        {"size": (16, 40), "padding": (20, 3)},
        {"size": (40, 16), "padding": [1, 30, 20, 4]},
        {"size": 80, "pad_if_needed": True},
        {"size": 80, "padding": 2, "pad_if_needed": True},
        {"size": (7, 3)},
    ],
    ids=["padded", "two", "four", "if needed", "both", "plain"],
)
def test_random_crop(size, options):
    ours, theirs = transforms.RandomCrop(**options), v2.RandomCrop(**options)
    for seed in range(20):
        torch.manual_seed(seed)
        try:
            want = theirs(coordinates(*size))
        except ValueError:  # larger than the picture
            with pytest.raises(ValueError, match="pad_if_needed"):
                ours(image(*size))
            return
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        plan = ours(image(*size)).plan
        torch.testing.assert_close(shown_coordinates(plan), want, rtol=0, atol=0)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("crop", [448, (30, 31), (31, 448), 8, 9, [64]], ids=str)
def test_center_crop(size, crop):
    plan = transforms.CenterCrop(crop)(image(*size)).plan
    want = v2.CenterCrop(crop)(coordinates(*size))
    torch.testing.assert_close(shown_coordinates(plan), want, rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"size": 512},
        {"size": [100]},
        {"size": (48, 56)},
        {"size": 100, "max_size": 130},
        {"size": None, "max_size": 50},
    ],
    ids=str,
)
def test_resize(size, options):
    plan = transforms.Resize(**options)(image(*size)).plan
    assert plan.output_size == v2.Resize(**options)(torch.zeros(1, *size)).shape[1:]
    turned = transforms.Resize(**options)(image(*size).with_plan(fl.Plan.identity(size).transpose())).plan
    assert turned.output_size == v2.Resize(**options)(torch.zeros(1, *size[::-1])).shape[1:]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RandomShortestSize", {"min_size": 80}),
        ("RandomShortestSize", {"min_size": [48, 51, 80, 97], "max_size": 120}),
        ("ScaleJitter", {"target_size": (96, 96)}),
        ("ScaleJitter", {"target_size": (130, 70), "scale_range": (0.8, 1.25)}),
    ],
    ids=["one size", "several", "jitter", "oblong"],
)
def test_random_sizes(name, options, size):
    ours, theirs = getattr(transforms, name)(**options), getattr(v2, name)(**options)
    for seed in range(20):
        torch.manual_seed(seed)
        height, width = theirs.make_params([torch.zeros(1, *size)])["size"]
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        plan = ours(image(*size)).plan
        # torchvision fails where a side would round to nothing.
        assert plan.output_size == (max(1, height), max(1, width))
        assert torch.equal(torch.get_rng_state(), state)


def test_a_whole_pipeline_draws_what_torchvisions_draws():
    ours = v2.Compose(
        [transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip(0.3), transforms.RandomCrop(40, padding=8)]
    )
    theirs = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(0.3), v2.RandomCrop(40, padding=8)])
    for seed in range(40):
        torch.manual_seed(seed)
        want = theirs(coordinates(60, 50))
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        got = shown_coordinates(ours(image(60, 50)).plan)
        torch.testing.assert_close(got, want, rtol=0, atol=0)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "options",
    [
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
        {"contrast": (0.5, 0.9)},
        {"brightness": 2, "hue": (-0.1, 0.3)},
        {"brightness": 0, "saturation": (1, 1), "contrast": 0.1},
    ],
    ids=["all", "one", "two", "unchanged"],
)
def test_color_jitter_draws_torchvisions_factors(options):
    ours, theirs = transforms.ColorJitter(**options), v2.ColorJitter(**options)
    names = ["brightness", "contrast", "saturation", "hue"]
    for seed in range(20):
        torch.manual_seed(seed)
        want = theirs.make_params([])
        state = torch.get_rng_state()
        drawn = [(names[i], want[f"{names[i]}_factor"]) for i in want["fn_idx"].tolist()]
        torch.manual_seed(seed)
        steps = ours(image(16, 16)).plan.colors
        assert [(type(step).__name__.lower(), step.factor) for step in steps] == [d for d in drawn if d[1] is not None]
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: transforms.Resize((3, 4, 5)), TypeError, "an int or"),
        (lambda: transforms.Resize(0), ValueError, "at least 1 px"),
        (lambda: transforms.Resize(None), ValueError, "max_size where size is None"),
        (lambda: transforms.Resize(50, max_size=50), ValueError, "above the shorter side's size"),
        (lambda: transforms.Resize((50, 60), max_size=70), ValueError, "goes with the size of the shorter side"),
        (lambda: transforms.CenterCrop("448"), TypeError, "an int or"),
        (lambda: transforms.RandomCrop(8, padding=-1), ValueError, "0 or more, got -1"),
        (lambda: transforms.RandomCrop(8, fill=(1, 2)), ValueError, r"one number or three"),
        (lambda: transforms.RandomResizedCrop(8, scale=(0.5, 0.1)), ValueError, "increasing"),
        (lambda: transforms.RandomResizedCrop(8, ratio=1.0), TypeError, "two floats"),
        (lambda: transforms.RandomShortestSize([]), ValueError, r"one or several numbers of px, 1 or more, got \[\]"),
        (lambda: transforms.RandomShortestSize([8, 0]), ValueError, "1 or more"),
        (lambda: transforms.RandomShortestSize(8, 0), ValueError, "max_size of at least 1 px, got 0"),
        (lambda: transforms.RandomShortestSize("8"), TypeError, "min_size"),
        (lambda: transforms.ScaleJitter((0, 8)), ValueError, "at least 1 px"),
        (lambda: transforms.ScaleJitter((8, 8), (2, 1)), ValueError, "scale_range as two positive, increasing"),
        (lambda: transforms.RandomHorizontalFlip(1.5), ValueError, "probability p of 0 to 1, got 1.5"),
        (lambda: transforms.ColorJitter(brightness=-1), ValueError, "brightness as a number of 0 or more"),
        (lambda: transforms.ColorJitter(hue=0.7), ValueError, "hue as finite, increasing numbers within"),
        (lambda: transforms.ColorJitter(contrast=(1, 2, 3)), TypeError, "contrast as a number or two"),
    ],
)
def test_impossible_options(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_second_resize_names_the_way_out():
    with pytest.raises(ValueError, match="Keep one of Resize and RandomResizedCrop"):
        v2.Compose([transforms.Resize(64), transforms.RandomResizedCrop(32)])(image(100, 100))


def test_sizes_may_be_numpy_integers():
    size = np.int64(48)
    assert transforms.CenterCrop((size, size)).size == (48, 48)
    assert transforms.Resize(size).size == [48]
    assert type(transforms.Resize(size).size[0]) is int
