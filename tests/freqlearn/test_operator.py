"""The operator against pixels: SciPy's IDCT, torch's or Pillow's resize, NumPy's slicing, SciPy's DCT, in float64."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import freqlearn as fl
from freqlearn.geometry import Box
from freqlearn.operator import Plane, compute
from freqlearn.plan import Plan
from freqlearn.transforms import ToFrequencyTensor

ALL = tuple(range(192))
# float32: eight decimal digits of values up to some 1000 dequantised units, a few dozen terms a coefficient.
FLOAT32 = 1e-3
# Pillow's fractional boxes are float32.
PILLOW_BOX = 2e-2
SAMPLING_DENSITIES = {
    "4:4:4": (Fraction(1), Fraction(1)),
    "4:2:2": (Fraction(1), Fraction(1, 2)),
    "4:2:0": (Fraction(1, 2), Fraction(1, 2)),
    "4:4:0": (Fraction(1, 2), Fraction(1)),
    "4:1:1": (Fraction(1), Fraction(1, 4)),
    "3x1": (Fraction(1), Fraction(1, 3)),
    "3:2": (Fraction(2, 3), Fraction(2, 3)),
    "2x2,1x2": (Fraction(1), Fraction(1, 2)),
}


def make_plane(height: int, width: int, *, density=(Fraction(1), Fraction(1)), seed: int = 0) -> Plane:
    """A component of a height x width px picture: half smooth, half noise; its padding samples are garbage."""
    rows, cols = -(-height * density[0] // 1), -(-width * density[1] // 1)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : -(-rows // 8) * 8, 0 : -(-cols // 8) * 8]
    samples = 60 * np.sin(0.3 * y + 0.2 * x + seed) + rng.uniform(-64, 64, y.shape)
    blocks = samples.reshape(y.shape[0] // 8, 8, -1, 8).swapaxes(1, 2)
    blocks = scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho").astype(np.float32)
    return Plane(blocks=blocks, size_px=(int(rows), int(cols)), density=density)


def pixels_of(plane: Plane) -> np.ndarray:
    """(height, width) float64, the component's true picture."""
    blocks = scipy.fft.idctn(plane.blocks.astype(np.float64), axes=(2, 3), norm="ortho")
    rows, cols = blocks.shape[:2]
    return blocks.swapaxes(1, 2).reshape(8 * rows, 8 * cols)[: plane.size_px[0], : plane.size_px[1]]


def channels_of(pixels: np.ndarray) -> np.ndarray:
    """(64, h/8, w/8) float64, natural order."""
    height, width = pixels.shape
    blocks = pixels.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    blocks = scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho")
    return blocks.transpose(2, 3, 0, 1).reshape(64, height // 8, width // 8)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    if width == 1:
        # torch 2.15 resizes a picture of one column wrongly along it (0, 6 -> 0, 0, 0), and one of one row rightly.
        return interpolated(interpolated(pixels, pixels.shape[0], 1).T, 1, height).T
    return interpolated(pixels, height, width)


def interpolated(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    tensor = torch.from_numpy(pixels.copy())[None, None]
    result = torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", antialias=True, align_corners=False
    )
    return result[0, 0].numpy()


def windowed(pixels: np.ndarray, box: Box, fill: float) -> np.ndarray:
    out = np.full(box.size_px, float(fill))
    inside = Box(0, 0, *pixels.shape).intersection(box)
    if inside.height and inside.width:
        part = pixels[inside.top : inside.bottom, inside.left : inside.right]
        out[inside.top - box.top : inside.bottom - box.top, inside.left - box.left : inside.right - box.left] = part
    return out


@st.composite
def boxes(draw, height: int, width: int):
    h, w = draw(st.integers(1, height)), draw(st.integers(1, width))
    return Box(draw(st.integers(0, height - h)), draw(st.integers(0, width - w)), h, w)


@st.composite
def windows(draw, height: int, width: int, *, padded: bool):
    """Multiples of 8 in size; inside height x width if there is room, else (or if `padded`) reaching beyond."""
    reach = 12 if padded else 0
    h, w = draw(st.integers(1, 4)) * 8, draw(st.integers(1, 4)) * 8
    top = draw(st.integers(min(0, height - h) - reach, max(0, height - h) + reach))
    left = draw(st.integers(min(0, width - w) - reach, max(0, width - w) + reach))
    return Box(top, left, h, w)


def apply_to_plan(plan: Plan, box: Box, **kwargs) -> Plan:
    return plan.crop(top=box.top, left=box.left, height=box.height, width=box.width, **kwargs)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_order_of_operations_equals_the_pixels(data):
    # Every operation is applied to the plan and, at once, to the pixels that a viewer would see at that point.
    height, width = data.draw(st.integers(1, 45), "height"), data.draw(st.integers(1, 45), "width")
    planes = [make_plane(height, width, seed=seed) for seed in range(3)]
    pixels = [pixels_of(plane) for plane in planes]
    plan = Plan.identity((height, width))
    can_resize = True

    def logical(function):
        return [function(p) for p in pixels]

    for _ in range(data.draw(st.integers(0, 5), "steps")):
        step = data.draw(st.sampled_from(["crop", "resize", "hflip", "vflip", "transpose"]), "step")
        if step == "crop":
            box = data.draw(boxes(*plan.output_size), "box")
            plan, pixels = apply_to_plan(plan, box), logical(lambda p, box=box: windowed(p, box, np.nan))
        elif step == "resize" and can_resize:
            h, w = data.draw(st.integers(1, 60), "h"), data.draw(st.integers(1, 60), "w")
            plan, pixels, can_resize = plan.resize(h, w), logical(lambda p, h=h, w=w: resized(p, h, w)), False
        elif step == "hflip":
            plan, pixels = plan.hflip(), logical(lambda p: p[:, ::-1])
        elif step == "vflip":
            plan, pixels = plan.vflip(), logical(lambda p: p[::-1])
        elif step == "transpose":
            plan, pixels = plan.transpose(), logical(lambda p: p.T)
        assert plan.output_size == pixels[0].shape
    box = data.draw(windows(*plan.output_size, padded=data.draw(st.booleans(), "padded")), "window")
    plan = apply_to_plan(plan, box)
    # Black is Y - 128 = -128, Cb = Cr = 0.
    want = np.concatenate([channels_of(windowed(p, box, fill)) for p, fill in zip(pixels, (-128, 0, 0), strict=True)])

    np.testing.assert_allclose(compute(planes, plan, ALL, dtype="float64"), want, rtol=0, atol=1e-9)
    np.testing.assert_allclose(compute(planes, plan, ALL), want, rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("sampling", SAMPLING_DENSITIES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_subsampled_components_equal_pillows_fractional_boxes(sampling, data):
    height, width = data.draw(st.integers(1, 60), "height"), data.draw(st.integers(1, 60), "width")
    density = SAMPLING_DENSITIES[sampling]
    chroma = make_plane(height, width, density=density)
    box = data.draw(boxes(height, width), "box")
    h, w = data.draw(st.integers(1, 70), "h"), data.draw(st.integers(1, 70), "w")
    window = data.draw(windows(h, w, padded=False), "window")
    plan = apply_to_plan(apply_to_plan(Plan.identity((height, width)), box).resize(h, w), window)

    down, across = density
    top, bottom, left, right = box.top * down, box.bottom * down, box.left * across, box.right * across
    y0, x0 = top // 1, left // 1
    crop = pixels_of(chroma)[y0 : -(-bottom // 1), x0 : -(-right // 1)]
    relative = tuple(float(edge) for edge in (left - x0, top - y0, right - x0, bottom - y0))
    image = Image.fromarray(crop.astype(np.float32)).resize((w, h), Image.Resampling.BILINEAR, box=relative)
    want = channels_of(windowed(np.asarray(image, np.float64), window, 0.0))

    empty = Plane(blocks=None, size_px=(height, width))
    got = compute([empty, chroma, empty], plan, range(64, 128))
    np.testing.assert_allclose(got, want, rtol=0, atol=PILLOW_BOX)


# (vertical, horizontal) reduction of Cb and Cr.
REDUCTIONS = {
    "4:4:4": (1, 1),
    "4:2:0": (2, 2),
    "4:2:2": (1, 2),
    "4:4:0": (2, 1),
    "4:1:1": (1, 4),
    "4:1:0": (2, 4),
    "3x1": (1, 3),
    "2x2,1x2": (1, 2),
    "gray": (1, 1),
}


@pytest.mark.parametrize("sampling", REDUCTIONS)
def test_files_equal_an_independent_readers_pixels(sampling, make_jpeg, read_planes):
    # Coefficients by libjpeg (jpeglib), tables by Pillow; odd size, so padding samples are in the file.
    height, width = 61, 83
    jpeg = make_jpeg(height, width, sampling=sampling, quality=80)
    box, size = Box(8, 12, 48, 60), (56, 72)  # whole chroma samples at every sampling: torch can be the oracle
    img = fl.read_dct(jpeg)
    got = ToFrequencyTensor(fl.ChannelSet.all())(img.with_plan(apply_to_plan(img.plan, box).resize(*size))).numpy()

    want = np.zeros_like(got)
    for component, (plane, table) in enumerate(zip(*read_planes(jpeg), strict=True)):
        down, across = REDUCTIONS[sampling] if component else (1, 1)
        plane = Plane(plane * table.astype(np.float64), size_px=(-(-height // down), -(-width // across)))
        rows = slice(box.top // down, box.bottom // down)
        cols = slice(box.left // across, box.right // across)
        want[64 * component : 64 * component + 64] = channels_of(resized(pixels_of(plane)[rows, cols], *size))
    np.testing.assert_allclose(got, want, rtol=0, atol=FLOAT32)


def test_aligned_crop_without_resize_is_the_files_coefficients():
    plane = make_plane(45, 61)
    plan = Plan.identity((45, 61)).crop(top=8, left=16, height=32, width=40)
    got = compute([plane] * 3, plan, ALL)
    want = plane.blocks[1:5, 2:7].transpose(2, 3, 0, 1).reshape(64, 4, 5)
    np.testing.assert_array_equal(got, np.concatenate([want] * 3))


@pytest.mark.parametrize("resize", [False, True], ids=["aligned", "resized"])
@pytest.mark.parametrize(("flip", "axis", "shift"), [("hflip", 2, 0), ("vflip", 1, 3)], ids=["horizontal", "vertical"])
def test_flip_reverses_blocks_and_negates_odd_frequencies(resize, flip, axis, shift):
    plane = make_plane(40, 56)
    plan = Plan.identity((40, 56)).resize(48, 32) if resize else Plan.identity((40, 56))
    straight = compute([plane] * 3, plan, ALL)
    flipped = compute([plane] * 3, getattr(plan, flip)(), ALL)
    odd = (np.arange(192) >> shift) & 1 == 1
    want = np.flip(straight, axis) * np.where(odd, -1, 1)[:, None, None]
    np.testing.assert_array_equal(flipped, want.astype(np.float32))


def test_only_the_wanted_channels_in_their_order():
    planes = [make_plane(50, 40, seed=seed) for seed in range(3)]
    plan = Plan.identity((50, 40)).resize(32, 40).hflip().transpose()
    everything = compute(planes, plan, ALL)
    chosen = (130, 5, 64, 63, 0, 127, 12)
    np.testing.assert_allclose(compute(planes, plan, chosen), everything[list(chosen)], rtol=0, atol=1e-4)


def test_padding_samples_of_the_last_blocks_do_not_count():
    plane = make_plane(13, 19)
    other = plane.blocks.copy()
    samples = scipy.fft.idctn(other.astype(np.float64), axes=(2, 3), norm="ortho")
    samples[-1, :, 5:, :] = 127.0
    samples[:, -1, :, 3:] = -127.0
    other = scipy.fft.dctn(samples, axes=(2, 3), norm="ortho").astype(np.float32)
    assert np.abs(other - plane.blocks).max() > 100
    plan = Plan.identity((13, 19)).resize(24, 24)
    got = [compute([Plane(b, (13, 19))] * 3, plan, ALL) for b in (plane.blocks, other)]
    np.testing.assert_allclose(*got, rtol=0, atol=FLOAT32)


def test_window_wholly_in_the_padding_is_the_fill():
    plane = make_plane(16, 16)
    plan = Plan.identity((16, 16)).crop(top=40, left=0, height=8, width=8, fill=(255, 255, 255))
    got = compute([plane] * 3, plan, ALL).ravel()
    # Flat white: Y's DC is 8 * (255 - 128), nothing else.
    np.testing.assert_allclose(got, [1016.0] + [0.0] * 191, atol=1e-4)


def test_cropped_pixels_do_not_come_back_by_padding():
    plane = make_plane(32, 32)
    plan = Plan.identity((32, 32)).resize(40, 40).crop(top=8, left=8, height=16, width=16)
    plan = plan.crop(top=-8, left=-8, height=32, width=32)
    want = np.full((32, 32), -128.0)
    want[8:24, 8:24] = resized(pixels_of(plane), 40, 40)[8:24, 8:24]
    np.testing.assert_allclose(compute([plane] * 3, plan, range(64)), channels_of(want), rtol=0, atol=FLOAT32)


def test_size_that_is_not_whole_blocks_is_an_error():
    with pytest.raises(ValueError, match=r"got 20x16 px.*CenterCrop\(\(24, 16\)\)"):
        compute([make_plane(20, 16)] * 3, Plan.identity((20, 16)), (0,))
