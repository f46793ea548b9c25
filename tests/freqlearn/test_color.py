"""Colour on coefficients against torchvision's functions on the pixels."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from freqlearn.color import RGB_TO_YCBCR
from freqlearn.dct import forward
from freqlearn.operator import Plane, compute
from freqlearn.plan import Plan
from freqlearn.reconstruction import reconstruct, to_ycbcr

ALL = tuple(range(192))
# torchvision's gray picture weighs red with 0.2989, JPEG's with 0.299: 1e-4 of at most 255, for each step that uses it.
GRAY_WEIGHT = 0.03
FLOAT32 = 2e-3


def rgb_picture(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """(3, height, width) float64 in 80..175: no step of the tests leaves 0..255, so that torchvision clamps nothing."""
    return np.random.default_rng(seed).uniform(80, 175, (3, height, width))


def planes_of(rgb: np.ndarray) -> list[Plane]:
    ycbcr = np.einsum("ij,jhw->ihw", RGB_TO_YCBCR, rgb) - np.array([128, 0, 0])[:, None, None]
    return [Plane(blocks=forward(component), size_px=component.shape) for component in ycbcr]


def as_rgb(maps: torch.Tensor) -> np.ndarray:
    """(3, H, W) float, not rounded, not clamped."""
    ycbcr = to_ycbcr(maps, ALL).astype(np.float64) + np.array([128, 0, 0])
    return np.einsum("ij,hwj->ihw", np.linalg.inv(RGB_TO_YCBCR), ycbcr)


def tv_float(function, rgb: np.ndarray, *args) -> np.ndarray:
    return function(torch.from_numpy(rgb / 255), *args).numpy() * 255


STEPS = {
    "brightness": (Plan.brightness, tv.adjust_brightness, 0.8),
    "contrast": (Plan.contrast, tv.adjust_contrast, 1.3),
    "saturation": (Plan.saturation, tv.adjust_saturation, 0.6),
}


@pytest.mark.parametrize(
    "names",
    [
        ["brightness"],
        ["contrast"],
        ["saturation"],
        ["brightness", "contrast", "saturation"],
        ["saturation", "contrast", "brightness"],
        ["contrast", "saturation", "contrast", "brightness"],
    ],
    ids="-".join,
)
def test_steps_equal_torchvisions(names):
    rgb = rgb_picture()
    plan, want = Plan.identity(rgb.shape[1:]), rgb
    for name in names:
        ours, theirs, factor = STEPS[name]
        plan, want = ours(plan, factor), tv_float(theirs, want, factor)
    got = as_rgb(compute(planes_of(rgb), plan, ALL))
    np.testing.assert_allclose(got, want, rtol=0, atol=FLOAT32 + GRAY_WEIGHT * (len(names) - names.count("brightness")))


def test_grayscale_keeps_luma_and_drops_colour():
    planes = planes_of(rgb_picture())
    plan = Plan.identity((24, 32))
    got, straight = compute(planes, plan.saturation(0.0), ALL), compute(planes, plan, ALL)
    torch.testing.assert_close(got[:64], straight[:64], rtol=0, atol=0)
    assert not got[64:].any()


def test_contrast_is_about_the_picture_at_its_step():
    # The mean is that of the whole picture, although only a corner is left in the end; and that of the crop if later.
    rgb = rgb_picture()
    rgb[:, :8, :8] -= 60
    identity = Plan.identity((24, 32))
    box = {"top": 0, "left": 0, "height": 8, "width": 8}
    before = compute(planes_of(rgb), identity.contrast(0.5).crop(**box), ALL)
    after = compute(planes_of(rgb), identity.crop(**box).contrast(0.5), ALL)
    want_before = tv_float(tv.adjust_contrast, rgb, 0.5)[:, :8, :8]
    want_after = tv_float(tv.adjust_contrast, rgb[:, :8, :8], 0.5)
    np.testing.assert_allclose(as_rgb(before), want_before, rtol=0, atol=FLOAT32 + GRAY_WEIGHT)
    np.testing.assert_allclose(as_rgb(after), want_after, rtol=0, atol=FLOAT32 + GRAY_WEIGHT)
    assert np.abs(want_before - want_after).max() > 10


def test_contrast_of_a_stage_that_is_not_whole_blocks():
    rgb = rgb_picture(21, 30)
    picture = [
        Plane(blocks=forward(np.pad(c, ((0, 3), (0, 2)), mode="edge")), size_px=(21, 30))
        for c in np.einsum("ij,jhw->ihw", RGB_TO_YCBCR, rgb) - np.array([128, 0, 0])[:, None, None]
    ]
    box = {"top": 2, "left": 3, "height": 16, "width": 24}
    plan = Plan.identity((21, 30)).hflip().resize(19, 27).contrast(1.2).crop(**box)
    small = torch.nn.functional.interpolate(
        torch.from_numpy(rgb[:, :, ::-1].copy())[None], size=(19, 27), mode="bilinear", antialias=True
    )[0].numpy()
    want = tv_float(tv.adjust_contrast, small, 1.2)[:, 2:18, 3:27]
    np.testing.assert_allclose(as_rgb(compute(picture, plan, ALL)), want, rtol=0, atol=FLOAT32 + GRAY_WEIGHT)


def test_colour_and_padding_apply_in_the_order_of_the_calls():
    rgb = rgb_picture(16, 16)
    identity = Plan.identity((16, 16))
    pad = {"top": -8, "left": 0, "height": 24, "width": 24, "fill": (120.0, 100.0, 90.0)}

    def padded(pixels):
        out = np.empty((3, 24, 24))
        out[:] = np.array(pad["fill"])[:, None, None]
        out[:, 8:, :16] = pixels
        return out

    first = compute(planes_of(rgb), identity.contrast(0.7).crop(**pad), ALL)
    want = padded(tv_float(tv.adjust_contrast, rgb, 0.7))
    np.testing.assert_allclose(as_rgb(first), want, rtol=0, atol=FLOAT32 + GRAY_WEIGHT)
    last = compute(planes_of(rgb), identity.crop(**pad).saturation(0.5).contrast(0.7), ALL)
    want = tv_float(tv.adjust_contrast, tv_float(tv.adjust_saturation, padded(rgb), 0.5), 0.7)
    np.testing.assert_allclose(as_rgb(last), want, rtol=0, atol=FLOAT32 + 2 * GRAY_WEIGHT)


@pytest.mark.parametrize("factor", [0.04, -0.04, 0.5])
@pytest.mark.parametrize("rgb", [(170, 90, 90), (90, 170, 90), (90, 90, 170), (160, 150, 80)], ids=str)
def test_hue_turns_colours_the_same_way_as_torchvision(rgb, factor):
    # Not equal: HSV's H is not an angle in (Cb, Cr). The chroma must move in the same direction.
    pixels = np.broadcast_to(np.array(rgb, float)[:, None, None], (3, 8, 8)).copy()
    got = as_rgb(compute(planes_of(pixels), Plan.identity((8, 8)).hue(factor), ALL))[:, 0, 0]
    want = tv_float(tv.adjust_hue, pixels, factor)[:, 0, 0]
    ours, theirs = (RGB_TO_YCBCR @ (after - np.array(rgb)) for after in (got, want))
    assert abs(ours[0]) < FLOAT32
    assert ours[1:] @ theirs[1:] > 0.8 * np.linalg.norm(ours[1:]) * np.linalg.norm(theirs[1:])


def test_hue_of_one_channel_reads_the_other_component_too():
    planes = planes_of(rgb_picture())
    plan = Plan.identity((24, 32)).hue(0.25)  # a quarter turn: Cb' = -Cr, Cr' = Cb
    straight = compute(planes, Plan.identity((24, 32)), (128 + 9, 64 + 9))
    turned = compute(planes, plan, (64 + 9, 128 + 9))
    np.testing.assert_allclose(turned, straight * np.array([-1, 1])[:, None, None], rtol=0, atol=1e-4)


def test_reconstruct_gives_the_picture_back():
    rgb = np.rint(rgb_picture())
    maps = compute(planes_of(rgb), Plan.identity((24, 32)), ALL)
    np.testing.assert_array_equal(reconstruct(maps, ALL), rgb.transpose(1, 2, 0).astype(np.uint8))


def test_reconstruct_counts_missing_channels_as_zero():
    maps = torch.tensor([[[8.0 * (200 - 128)]]])
    np.testing.assert_array_equal(reconstruct(maps, (0,)), np.full((8, 8, 3), 200, np.uint8))


def test_reconstruct_wants_a_map_for_each_channel():
    with pytest.raises(ValueError, match=r"maps of shape \(2, h, w\).*got shape \(3, 4, 4\)"):
        reconstruct(torch.zeros(3, 4, 4), (0, 1))
