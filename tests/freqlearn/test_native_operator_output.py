"""Where and how the native operator writes: types, layouts, standardisation, tolerance, and what it refuses."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from operator_checks import FLOAT32, dc_alone, make_image, native, reference, unwritten

import freqlearn as fl
from freqlearn import _native, native_operator
from freqlearn.geometry import Box

SETS = _native.instruction_sets()
YCBCR_420 = ((2, 2), (1, 1), (1, 1))
YCBCR_444 = ((1, 1), (1, 1), (1, 1))
CHANNELS = (0, 9, 3, 64, 65, 191, 128, 27)
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def planned(size_px=(60, 90), *, seed: int = 0) -> fl.DCTImage:
    """An image to be shown at 64x88 px, with padding."""
    img = make_image(size_px, YCBCR_420, seed=seed)
    plan = img.plan.crop(top=3, left=9, height=40, width=70).resize(60, 84)
    return img.with_plan(plan.crop(top=-2, left=-3, height=64, width=88, fill=(200, 30, 90)))


def run(img: fl.DCTImage, out: torch.Tensor, instruction_set: str = SETS[-1], *, mean=None, std=None) -> None:
    count = len(CHANNELS)
    target = native_operator.target(CHANNELS, mean or [0.0] * count, std or [1.0] * count)
    native_operator.execute_planes(img, target, out, instruction_set=instruction_set)


@pytest.mark.parametrize("instruction_set", SETS)
def test_standardised(instruction_set):
    img = planned()
    rng = np.random.default_rng(0)
    mean, std = rng.normal(0, 50, len(CHANNELS)), rng.uniform(0.5, 90, len(CHANNELS))
    out = unwritten(img, len(CHANNELS))
    run(img, out, instruction_set, mean=mean.tolist(), std=std.tolist())
    want = (reference(img, CHANNELS) - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(out, want, rtol=1e-6, atol=FLOAT32 / 0.5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (1, 0, 2), (0, 2, 1)], ids=str)
@pytest.mark.parametrize("instruction_set", SETS)
def test_every_type_and_layout_is_the_float32_tensor_rounded(dtype, order, instruction_set):
    img = planned()
    want = unwritten(img, len(CHANNELS))
    run(img, want, instruction_set)
    # Every second element of a larger tensor whose axes lie in another order.
    shape = [2 * want.shape[axis] for axis in order]
    memory = torch.full(shape, 7.0, dtype=dtype)
    out = memory.permute(*np.argsort(order).tolist())[::2, ::2, ::2]
    run(img, out, instruction_set)
    assert torch.equal(out, want.to(dtype))
    # Nothing else was touched.
    out[:] = 7.0
    assert torch.equal(memory, torch.full(shape, 7.0, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("instruction_set", SETS)
def test_rounding_is_torchs_for_numbers_of_every_size(dtype, instruction_set):
    # Aligned, so that each of these float32 numbers is written as it is.
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, (16, 16, 8, 8), dtype=np.uint64).astype(np.uint32)
    edges = np.array(
        [0.0, -0.0, 6e-8, 2.98e-8, 5.9604645e-8, 6.1e-5, 65504.0, 65519.9, 65520.0, 1e38, -3e-40], np.float32
    )
    values = bits.view(np.float32).copy()
    values[~np.isfinite(values)] = 1.0
    # Ties: half the last place of a float16 or bfloat16 on top of one.
    ties = (np.arange(2**12, dtype=np.uint32) << 12 | 0x40000000).view(np.float32)
    values.reshape(-1)[: len(edges)], values.reshape(-1)[100 : 100 + len(ties)] = edges, ties
    img = fl.DCTImage.from_planes([values], size_px=(128, 128))
    out = torch.empty((64, 16, 16), dtype=dtype)
    plain = native_operator.target(range(64), [0.0] * 64, [1.0] * 64)
    native_operator.execute_planes(img, plain, out, instruction_set=instruction_set)
    want = torch.from_numpy(values.transpose(2, 3, 0, 1).reshape(64, 16, 16).copy()).to(dtype)
    assert torch.equal(out, want)


def test_instruction_sets_agree_to_rounding():
    img = planned()
    results = [native(img, range(192), instruction_set=instruction_set) for instruction_set in SETS]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-6, atol=FLOAT32)


@pytest.mark.parametrize("scaled", [(32, 40), (96, 120), (256, 320)], ids=str)
def test_tolerance_bounds_the_error(scaled):
    img = make_image((256, 320), YCBCR_444)
    img = img.with_plan(img.plan.resize(*scaled))
    exact = native(img, range(192))
    left_out = []
    for tolerance in (1e-9, 0.05, 0.5, 5.0):
        difference = np.abs(native(img, range(192), tolerance=tolerance) - exact)
        # Each coefficient that is left out changes a value by less than `tolerance` for a step in every block.
        steps = max(np.abs(plane).max(axis=(0, 1)).sum() for plane in img.planes)
        assert difference.max() <= tolerance * steps + FLOAT32
        left_out.append(difference.max() > FLOAT32)
    assert not left_out[0]
    assert left_out[-1]


def test_tolerance_never_takes_the_mean_of_a_picture_that_is_made_much_smaller():
    img = make_image((1200, 1600), YCBCR_420)
    img = img.with_plan(img.plan.resize(64, 64))
    exact = native(img, [0, 64, 128])
    assert min(img.quant_tables[0][0, 0], img.quant_tables[1][0, 0]) > 1
    close = native(img, [0, 64, 128], tolerance=1.0)
    assert np.abs(close - exact).max() < 0.1 * np.abs(exact).max()


def test_tolerance_of_more_than_everything_leaves_the_dc():
    img = make_image((40, 40), YCBCR_420)
    img = img.with_plan(img.plan.resize(24, 32))
    np.testing.assert_array_equal(native(img, range(192), tolerance=1e9), native(dc_alone(img), range(192)))


def test_no_channels():
    img = make_image((40, 40), YCBCR_420)
    assert native(img, ()).shape == (0, 5, 5)


def test_threads_do_not_disturb_each_other():
    images = [planned((50 + 8 * i, 90), seed=i) for i in range(4)]
    want = [native(img, CHANNELS) for img in images]
    wrong = []

    def work(index: int) -> None:
        wrong.extend(index for _ in range(30) if not np.array_equal(native(images[index], CHANNELS), want[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((7, 8, 11), "8 channels of 8x11"),
        ((8, 8, 12), "got 8 of 8x12"),
        ((8, 11, 8), "got 8 of 11x8"),
        ((8, 88), "got 2 dimensions"),
    ],
    ids=str,
)
def test_memory_of_another_shape_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        run(planned(), torch.empty(shape))


def test_memory_that_overlaps_is_refused():
    with pytest.raises(ValueError, match="got a stride of 0"):
        run(planned(), torch.empty((8, 1, 11)).expand(8, 8, 11))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int16], ids=str)
def test_other_types_are_refused(dtype):
    with pytest.raises(TypeError, match=r"expected a tensor of float32, float16, bfloat16 on the CPU .* got torch\."):
        run(planned(), torch.empty((8, 8, 11), dtype=dtype))


def test_tensors_that_need_gradients_are_refused():
    with pytest.raises(TypeError, match="with requires_grad"):
        run(planned(), torch.empty((8, 8, 11), requires_grad=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([192], [0.0], [1.0]), r"channels 0 to 191 .* got 192"),
        (([-1], [0.0], [1.0]), r"channels 0 to 191 .* got -1"),
        (([0, 1], [0.0], [1.0, 1.0]), "mean and a std for each of 2 channels, got 1 and 2"),
        (([5], [0.0], [0.0]), "positive std for channel 5, got 0 and 0"),
        (([5], [float("nan")], [1.0]), "finite mean"),
    ],
    ids=["too high", "negative", "too few", "no std", "nan"],
)
def test_targets_that_make_no_sense_are_refused(arguments, message):
    img = planned()
    with pytest.raises(ValueError, match=message):
        native_operator.execute_planes(img, native_operator.target(*arguments), unwritten(img, len(arguments[0])))


def test_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance of 0 or more, got -1"):
        native(planned(), CHANNELS, tolerance=-1.0)


def test_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match=r"instruction set.*baseline.*got mmx"):
        run(planned(), torch.empty((8, 8, 11)), "mmx")


def test_a_plan_for_a_picture_of_another_size_is_refused(make_jpeg):
    img = fl.read_dct(make_jpeg(64, 88))
    plan = replace(img.plan, size_px=(64, 80), geometry=img.plan.crop(top=0, left=0, height=64, width=80).geometry)
    target = native_operator.target([0], [0.0], [1.0])
    with pytest.raises(ValueError, match=r"the plan's size, 64x80 px .* got 64x88: make the plan for this picture"):
        native_operator.execute(img.jpeg, plan, target, torch.empty(1, 8, 10), max_pixels=10**6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": Box(-1, 0, 64, 88)}, r"crop box inside the picture's 64 rows, got 64 from -1"),
        ({"box": Box(0, 1, 64, 88)}, r"crop box inside the picture's 88 columns, got 88 from 1"),
        ({"box": Box(0, 0, 0, 88)}, "crop box inside"),
        ({"box": Box(2**62, 2**62, 2**62, 2**62)}, "crop box inside"),
        ({"resized_px": (0, 88)}, "resize to 1 to"),
        ({"resized_px": (2**62, 88)}, "resize to 1 to"),
        ({"window": Box(2**40, 0, 64, 88)}, "expected a window of"),
        ({"window": Box(0, 0, 2**62, 88)}, "expected a window of"),
        ({"visible": Box(0, 0, 65, 88)}, "expected a visible part within the window"),
        ({"visible": Box(-8, 0, 64, 88)}, "expected a visible part within the window"),
        ({"visible": Box(0, 0, -8, 88)}, "expected a visible part within the window"),
        ({"visible": Box(-(2**63), 0, 0, 88)}, "expected a visible part within the window"),
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["plan", "contrast"])
def test_plans_that_no_transform_makes_are_refused(change, message, where):
    img = make_image((64, 88), YCBCR_420)
    broken = replace(replace(img.plan.geometry, resized_px=(64, 88)), **change)
    plan = replace(img.plan, geometry=broken)
    if where == "contrast":
        contrast = img.plan.contrast(0.5)
        plan = replace(contrast, colors=(replace(contrast.colors[0], geometry=broken),))
    with pytest.raises(ValueError, match=message):
        native_operator.execute_planes(
            img.with_plan(plan), native_operator.target([0], [0.0], [1.0]), torch.empty(1, 8, 11)
        )


def test_pictures_that_are_not_whole_blocks_are_refused():
    img = make_image((60, 88), YCBCR_420)
    target = native_operator.target([0], [0.0], [1.0])
    with pytest.raises(ValueError, match=r"whole 8x8 blocks, got 60x88 px .* CenterCrop\(\(64, 88\)\)"):
        native_operator.execute_planes(img, target, torch.empty(1, 7, 11))


def test_a_plan_that_takes_too_much_memory_is_refused():
    img = make_image((8192, 16), YCBCR_444)
    img = img.with_plan(img.plan.resize(8, 2**22))
    with pytest.raises(ValueError, match="numbers between its two passes"):
        native(img, range(64))


@pytest.mark.parametrize(
    ("color_space", "sampling"), [("RGB", YCBCR_420), ("unknown", YCBCR_444)], ids=["unequal RGB", "unknown"]
)
def test_other_colours_are_refused(color_space, sampling):
    img = make_image((16, 16), sampling, color_space=color_space)
    with pytest.raises(ValueError, match=f"expected gray, YCbCr or equally sampled RGB planes, got {color_space}"):
        native(img, range(64))


def test_damaged_files_raise_what_the_decoder_raises(make_jpeg):
    data = make_jpeg(64, 88)
    plan, target = fl.read_dct(data).plan, native_operator.target([0], [0.0], [1.0])
    with pytest.raises(fl.TruncatedJpegError):
        native_operator.execute(data[: len(data) // 2], plan, target, torch.empty(1, 8, 11), max_pixels=10**6)
    with pytest.raises(fl.ImageTooLargeError):
        native_operator.execute(data, plan, target, torch.empty(1, 8, 11), max_pixels=64)
    with pytest.raises(fl.NotJpegError):
        native_operator.execute(b"PNG", plan, target, torch.empty(1, 8, 11), max_pixels=10**6)


def test_a_size_beyond_any_picture_is_refused():
    img = make_image((16, 16), YCBCR_444)
    plan = img.plan.resize(2**24 + 8, 8).contrast(0.5).crop(top=0, left=0, height=8, width=8)
    with pytest.raises(ValueError, match="expected a resize to 1 to 16777216 rows, got 16777224"):
        native(img.with_plan(plan), CHANNELS)
