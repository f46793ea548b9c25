"""The native encoder against the NumPy one, to the last bit, and what its binding refuses."""

import numpy as np
import pixel_encoding
import pytest
from jpeg_builder import NAMED_SAMPLINGS

import freqlearn as fl
from freqlearn import _native
from freqlearn.quality import quality_tables

SETS = _native.instruction_sets()
ALL = 2**64 - 1
COLOR_SAMPLINGS = {name: tuple(factors) for name, factors in NAMED_SAMPLINGS.items() if name != "gray"}
# Cb finer than the others, in one direction each.
COLOR_SAMPLINGS["mixed"] = ((1, 2), (2, 1), (2, 2))


def tables(quality):
    luminance, chrominance = quality_tables(quality)
    return [luminance, chrominance, chrominance]


def random_pixels(rng, *shape):
    """Half noise, half the loudest colours."""
    pixels = rng.integers(0, 256, shape, np.uint8)
    loud = rng.choice(np.array([0, 255], np.uint8), shape)
    return np.where(rng.random(shape[:2] + (1,) * (len(shape) - 2)) < 0.5, pixels, loud)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("sampling", COLOR_SAMPLINGS)
def test_equal_to_numpy_s(sampling, instruction_set):
    rng = np.random.default_rng(8)
    # Widths around whole groups of blocks, and of the pixels that are taken together.
    for size in [(1, 1), (8, 64), (17, 65), (33, 129), (9, 255), (50, 273), (3, 520)]:
        pixels, factors = random_pixels(rng, *size, 3), COLOR_SAMPLINGS[sampling]
        for quality in (30, 100):
            ours = _native.encode_pixels(pixels, tables(quality), factors, [ALL] * 3, instruction_set=instruction_set)
            for a, b in zip(ours, pixel_encoding.encode(pixels, tables(quality), factors), strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{size}, quality {quality}")


@pytest.mark.parametrize("instruction_set", SETS)
def test_gray_is_equal_to_numpy_s(instruction_set):
    rng = np.random.default_rng(9)
    for size in [(1, 1), (8, 63), (41, 130)]:
        pixels = random_pixels(rng, *size)
        ours = _native.encode_pixels(pixels, tables(95)[:1], [(1, 1)], [ALL], instruction_set=instruction_set)
        np.testing.assert_array_equal(ours[0], pixel_encoding.encode(pixels, tables(95)[:1], ((1, 1),))[0])


@pytest.mark.parametrize("instruction_set", SETS)
def test_every_choice_of_places_is_a_part_of_the_whole(instruction_set):
    rng = np.random.default_rng(10)
    pixels = random_pixels(rng, 33, 145, 3)
    whole = pixel_encoding.encode(pixels, tables(100), COLOR_SAMPLINGS["4:2:0"])
    squares = [np.outer(np.arange(8) <= v, np.arange(8) <= u) for v in range(8) for u in range(8)]
    scattered = [rng.random((8, 8)) < share for share in (0.02, 0.1, 0.5, 0.9)]
    for mask in [*squares, *scattered, np.zeros((8, 8), bool)]:
        bits = sum(1 << int(place) for place in np.flatnonzero(mask))
        ours = _native.encode_pixels(
            pixels, tables(100), COLOR_SAMPLINGS["4:2:0"], [bits, ALL, bits], instruction_set=instruction_set
        )
        for plane, wanted, expected in zip(ours, (mask, True, mask), whole, strict=True):
            np.testing.assert_array_equal(plane, np.where(wanted, expected, 0))


@pytest.mark.parametrize(
    "view", [np.s_[::-1], np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[2:, 1::3], np.s_[::2, ::-2]], ids=str
)
def test_any_layout_in_memory(view, photo_like):
    rgb = photo_like(70, 90)
    for pixels in (rgb[view], np.asfortranarray(rgb)[view], rgb.transpose(1, 0, 2)[view]):
        pixels.flags.writeable = False
        expected = fl.DCTImage.from_rgb(pixels.copy(order="C")).planes
        for a, b in zip(fl.DCTImage.from_rgb(pixels).planes, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    gray = rgb[..., 1]
    expected = fl.DCTImage.from_rgb(gray.copy()).planes[0]
    np.testing.assert_array_equal(fl.DCTImage.from_rgb(gray).planes[0], expected)


def test_pixels_that_are_all_one():
    one = np.full((1, 1, 3), 77, np.uint8)
    everywhere = np.broadcast_to(one, (40, 50, 3))
    for a, b in zip(
        fl.DCTImage.from_rgb(everywhere).planes, fl.DCTImage.from_rgb(everywhere.copy()).planes, strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_tables_of_any_layout(photo_like):
    rgb = photo_like(20, 20)
    given = [np.arange(1, 65).reshape(8, 8)] * 3
    expected = fl.DCTImage.from_rgb(rgb, quant_tables=given).planes
    turned = [np.asfortranarray(table) for table in given]
    for a, b in zip(fl.DCTImage.from_rgb(rgb, quant_tables=turned).planes, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_planes_stay_when_the_image_is_gone(photo_like):
    rgb = photo_like(30, 40)
    planes = fl.DCTImage.from_rgb(rgb).planes
    before = [plane.copy() for plane in planes]
    for _ in range(5):
        fl.DCTImage.from_rgb(255 - rgb)
    for a, b in zip(planes, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(65536, 1), (1, 65536), (2**30, 2**30)], ids=str)
def test_a_picture_that_no_jpeg_can_be_is_refused_before_memory_is_taken(size):
    pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (*size, 3))
    with pytest.raises(ValueError, match=f"1 to 65535 px a side, as JPEG can say, got {size[1]} x {size[0]}"):
        fl.DCTImage.from_rgb(pixels)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pixels": np.zeros((8, 8, 2), np.uint8)}, "1 or 3 channels, got 2"),
        ({"pixels": np.zeros(8, np.uint8)}, r"pixels \(height, width\)"),
        ({"pixels": np.zeros((8, 0, 3), np.uint8)}, "got 0 x 8"),
        ({"quant_tables": tables(50)[:2]}, "of each component"),
        ({"quant_tables": [*tables(50)[:2], np.zeros((8, 8), np.uint16)]}, "got a zero"),
        ({"sampling": [(5, 1), (1, 1), (1, 1)]}, "1 to 4, got 5x1"),
        ({"sampling": [(3, 1), (2, 1), (1, 1)]}, "divide the largest, 3x1, got 2x1"),
        ({"pixels": np.zeros((8, 8), np.uint8)}, "expected 1 components, got 3"),
        ({"instruction_set": "mmx"}, "one of the instruction sets"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_binding_refuses(changes, match):
    arguments = {
        "pixels": np.zeros((8, 8, 3), np.uint8),
        "quant_tables": tables(50),
        "sampling": [(1, 1)] * 3,
        "wanted": [ALL] * 3,
    }
    with pytest.raises(ValueError, match=match):
        _native.encode_pixels(**(arguments | changes))
