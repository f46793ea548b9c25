"""The native operator against the readable one in float64, whose own oracles are in test_operator.py."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jpeg_builder import BASELINE, NAMED_SAMPLINGS, PROGRESSIVE, Scan, build
from operator_checks import FLOAT32, make_image, native, reference, unwritten, with_steps

import freqlearn as fl
from freqlearn import _native, native_operator

ALL = tuple(range(192))
SETS = _native.instruction_sets()
SAMPLINGS = NAMED_SAMPLINGS | {
    "3:2": ((3, 3), (2, 2), (1, 2)),
    "chroma finer": ((1, 1), (2, 2), (2, 1)),
    "gray 2x2": ((2, 2),),
}
GEOMETRY = [
    ("crop", "resize"),
    ("crop", "resize", "hflip"),
    ("resize", "crop", "vflip"),
    ("transpose", "crop", "resize", "hflip"),
    ("crop", "vflip", "resize", "transpose", "crop"),
    ("crop", "resize", "crop", "pad"),
    ("pad", "transpose", "vflip"),
    ("crop",),
    (),
]
COLOR = [
    ("brightness", "contrast", "saturation"),
    ("contrast", "crop", "resize"),
    ("resize", "contrast", "crop", "contrast", "brightness"),
    ("hue", "contrast", "crop", "hue"),
    ("crop", "resize", "saturation", "hflip", "hue", "transpose"),
    ("contrast", "crop", "resize", "contrast", "pad", "contrast", "saturation"),
    ("pad", "brightness", "hue"),
]


def check(img: fl.DCTImage, channels=ALL) -> None:
    want = reference(img, channels)
    for instruction_set in SETS:
        got = native(img, channels, instruction_set=instruction_set)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=FLOAT32, err_msg=f"{instruction_set}, {img}")


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("steps", GEOMETRY + COLOR, ids="-".join)
def test_every_sampling_and_kind_of_plan(sampling, steps):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        size_px = (int(rng.integers(1, 100)), int(rng.integers(1, 100)))
        check(with_steps(make_image(size_px, SAMPLINGS[sampling], seed=seed), steps, rng))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size_px=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    sampling=st.sampled_from(sorted(SAMPLINGS)),
    before=st.lists(
        st.sampled_from(["crop", "hflip", "vflip", "transpose", "contrast", "hue", "saturation"]), max_size=4
    ),
    resize=st.booleans(),
    after=st.lists(st.sampled_from(["crop", "hflip", "vflip", "transpose", "contrast", "brightness"]), max_size=4),
    pad=st.booleans(),
    channels=st.lists(st.integers(0, 191), min_size=1, max_size=30, unique=True),
    quantised=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_plan(size_px, sampling, before, resize, after, pad, channels, quantised, seed):
    steps = [*before, *(["resize"] if resize else []), *after, *(["pad"] if pad else [])]
    img = make_image(size_px, SAMPLINGS[sampling], seed=seed, quantised=quantised)
    check(with_steps(img, steps, np.random.default_rng(seed)), channels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations(orientation):
    img = make_image((43, 61), SAMPLINGS["4:2:0"], seed=orientation)
    check(img.with_plan(img.plan.orient(orientation).resize(48, 32)))
    check(img.with_plan(img.plan.crop(top=5, left=3, height=30, width=40).resize(24, 56).orient(orientation)))


@pytest.mark.parametrize("steps", [("resize",), ("resize", "contrast", "hue"), ("pad", "saturation")], ids="-".join)
def test_rgb_files(steps):
    img = make_image((37, 50), SAMPLINGS["4:4:4"], color_space="RGB")
    check(with_steps(img, steps, np.random.default_rng(1)))


@pytest.mark.parametrize("size_px", [(1, 1), (1, 40), (40, 1), (8, 8), (9, 17)], ids=str)
@pytest.mark.parametrize("scaled", [(8, 8), (72, 40), (8, 200)], ids=str)
def test_tiny_pictures(size_px, scaled):
    img = make_image(size_px, SAMPLINGS["4:2:0"])
    check(img.with_plan(img.plan.resize(*scaled)))


def test_strong_shrinking_and_enlarging():
    img = make_image((900, 1200), SAMPLINGS["4:2:0"])
    check(img.with_plan(img.plan.resize(8, 1200)), range(0, 192, 7))
    check(img.with_plan(img.plan.resize(64, 16).hflip()), range(0, 192, 7))
    check(img.with_plan(img.plan.crop(top=7, left=9, height=3, width=5).resize(640, 480)), range(0, 192, 7))


@pytest.mark.parametrize("quantised", [True, False], ids=["quantised", "dequantised"])
@pytest.mark.parametrize("turn", ["straight", "hflip", "vflip", "transpose"])
def test_aligned_crops_are_the_files_coefficients_to_the_last_bit(turn, quantised):
    img = make_image((61, 77), SAMPLINGS["4:4:4"], quantised=quantised)
    plan = img.plan.crop(top=8, left=16, height=40, width=56)
    plan = plan if turn == "straight" else getattr(plan, turn)()
    blocks = np.stack([np.float32(p) * np.float32(q) for p, q in zip(img.planes, img.quant_tables, strict=True)])
    want = blocks[:, 1:6, 2:9].transpose(0, 3, 4, 1, 2)  # (3, v, u, rows, cols)
    odd = np.where(np.arange(8) % 2 == 1, -1, 1).astype(np.float32)[:, None, None]
    match turn:
        case "hflip":
            want = want[..., ::-1] * odd
        case "vflip":
            want = want[..., ::-1, :] * odd[:, None]
        case "transpose":
            want = want.transpose(0, 2, 1, 4, 3)
    for instruction_set in SETS:
        got = native(img.with_plan(plan), ALL, instruction_set=instruction_set)
        np.testing.assert_array_equal(got, want.reshape(192, *got.shape[1:]))


@pytest.mark.parametrize("sampling", [*SAMPLINGS, "RGB"])
@pytest.mark.parametrize("process", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
def test_files_give_what_their_planes_give(sampling, process):
    rgb = sampling == "RGB"
    planes = make_image((50, 67), SAMPLINGS["4:4:4" if rgb else sampling])
    # One component a scan: some of these samplings have more blocks than an interleaved scan may have.
    each = [(c,) for c in range(len(planes.planes))]
    bands = [(0, 0), (1, 63)] if process == PROGRESSIVE else [(0, 63)]
    data = build(
        planes.planes,
        planes.quant_tables[:2],
        size_px=planes.size_px,
        sampling=planes.sampling,
        scans=[Scan(one, *band) for band in bands for one in each],
        process=process,
        ids=list(b"RGB") if rgb else None,
    )
    img = fl.read_dct(data, decoder="native")
    assert img.color_space == ("RGB" if rgb else "gray" if len(each) == 1 else "YCbCr")
    target = native_operator.target(ALL, [0.0] * 192, [1.0] * 192)
    for seed, steps in enumerate([("crop", "resize", "hflip"), ("contrast", "crop", "resize"), ("vflip", "pad"), ()]):
        planned = with_steps(img, steps, np.random.default_rng(seed))
        check(planned)
        for instruction_set in SETS:
            got = unwritten(planned, 192)
            native_operator.execute(data, planned.plan, target, got, max_pixels=10**6, instruction_set=instruction_set)
            np.testing.assert_array_equal(got, native(planned, ALL, instruction_set=instruction_set))
