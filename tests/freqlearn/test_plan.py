import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from freqlearn.geometry import Box
from freqlearn.plan import Plan


def test_crop_before_the_resize_moves_the_box_and_after_it_the_window():
    plan = Plan.identity((100, 200)).crop(top=10, left=20, height=80, width=160)
    assert plan.box == Box(10, 20, 80, 160)
    plan = plan.resize(50, 100).crop(top=5, left=6, height=32, width=40)
    assert plan.box == Box(10, 20, 80, 160)
    assert plan.resized_px == (50, 100)
    assert plan.window == Box(5, 6, 32, 40)
    assert plan.output_size == (32, 40)


def test_boxes_are_those_of_the_picture_that_a_viewer_sees():
    flipped = Plan.identity((100, 200)).hflip().crop(top=10, left=20, height=30, width=40)
    assert flipped.box == Box(10, 140, 30, 40)
    turned = Plan.identity((100, 200)).transpose().crop(top=20, left=10, height=40, width=30)
    assert turned.box == Box(10, 20, 30, 40)
    assert turned.output_size == (40, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_pixels_as_pillow_does(orientation):
    pixels = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    want = np.asarray(ImageOps.exif_transpose(image))

    plan = Plan.identity((5, 7)).orient(orientation)
    got = pixels.T if plan.transposed else pixels
    got = got[:, ::-1] if plan.flip_horizontal else got
    got = got[::-1] if plan.flip_vertical else got
    np.testing.assert_array_equal(got, want)
    assert plan.output_size == want.shape


def test_exif_orientation_applies_once():
    plan = Plan.identity((5, 7)).orient(6)
    assert plan.orient(6) == plan


@pytest.mark.parametrize("flip", ["hflip", "vflip", "transpose"])
def test_twice_is_nothing(flip):
    plan = Plan.identity((5, 7)).crop(top=1, left=2, height=3, width=4).vflip().transpose()
    assert getattr(getattr(plan, flip)(), flip)() == plan


def test_identity():
    plan = Plan.identity((5, 7))
    assert plan.is_identity
    assert plan.output_size == (5, 7)
    assert plan.contrast(1.0).hue(0.0).brightness(1.0).saturation(1.0).is_identity
    assert plan.resize(5, 7).hflip().hflip().is_identity
    assert not plan.hflip().is_identity
    assert not plan.resize(5, 8).is_identity
    assert not plan.crop(top=0, left=0, height=5, width=6).is_identity
    assert not plan.resize(10, 14).crop(top=0, left=0, height=5, width=7).is_identity


def test_second_resize_is_an_error_that_says_why():
    plan = Plan.identity((100, 200)).resize(50, 60)
    with pytest.raises(ValueError, match=r"already resized from \(100, 200\) to \(50, 60\).*one resize"):
        plan.resize(40, 40)


def test_resize_to_the_present_size_is_no_resize():
    plan = Plan.identity((100, 200)).resize(50, 60)
    assert plan.resize(50, 60) == plan
    # One that changes nothing does not use up the one resize.
    same = Plan.identity((100, 200)).resize(100, 200).crop(top=4, left=8, height=50, width=60).resize(32, 32)
    assert same.box == Box(4, 8, 50, 60)
    assert same.resized_px == (32, 32)


def test_resize_of_a_padded_picture_is_an_error():
    padded = Plan.identity((10, 10)).crop(top=-3, left=0, height=16, width=10)
    with pytest.raises(ValueError, match="already padded"):
        padded.resize(32, 32)
    # Not any more once the padding is cut off.
    assert padded.crop(top=3, left=0, height=10, width=10).resize(32, 32).box == Box(0, 0, 10, 10)


def test_padding_twice_needs_one_colour():
    padded = Plan.identity((10, 10)).crop(top=-3, left=0, height=16, width=10, fill=(9, 9, 9))
    assert padded.crop(top=-1, left=0, height=24, width=10, fill=(9, 9, 9)).output_size == (24, 10)
    with pytest.raises(ValueError, match="already padded"):
        padded.crop(top=-1, left=0, height=24, width=10)
    with pytest.raises(ValueError, match="before a colour change"):
        padded.brightness(0.5).crop(top=-1, left=0, height=24, width=10, fill=(9, 9, 9))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.crop(top=0, left=0, height=0, width=4), "at least 1x1 px, got height 0"),
        (lambda p: p.resize(4, 0), "at least 1x1 px, got height 4, width 0"),
        (lambda p: p.orient(9), "orientation of 1 to 8, got 9"),
        (lambda p: p.brightness(-0.1), "brightness factor of 0 or more, got -0.1"),
        (lambda p: p.contrast(float("nan")), "contrast factor of 0 or more, got nan"),
        (lambda p: p.hue(0.6), "-0.5 to 0.5 turns, got 0.6"),
        (lambda p: Plan.identity((0, 4)), r"at least 1x1 px, got \(height, width\) = \(0, 4\)"),
    ],
    ids=["empty crop", "empty size", "orientation", "negative factor", "nan", "hue", "empty picture"],
)
def test_impossible_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(Plan.identity((10, 10)))


def test_plans_pickle_and_compare():
    plan = Plan.identity((40, 30)).crop(top=1, left=2, height=20, width=20).hflip().contrast(0.5)
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert hash(pickle.loads(pickle.dumps(plan))) == hash(plan)


def test_a_plan_reads_as_its_steps():
    plan = Plan.identity((40, 60))
    assert str(plan) == "nothing"
    assert str(plan.resize(40, 60)) == "nothing"
    plan = plan.crop(top=4, left=2, height=30, width=50).resize(64, 96).crop(top=0, left=8, height=64, width=64).hflip()
    plan = plan.brightness(1.25).crop(top=-8, left=0, height=80, width=64, fill=(255, 0, 0))
    want = "crop 50x30+2+4, resize to 96x64 px, show 64x80+8-8, flip left-right, brightness 1.25, fill (255, 0, 0)"
    assert str(plan) == want
