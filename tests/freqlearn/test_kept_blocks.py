"""The native copy of a plane with some of its coefficients, against NumPy; and how far two planes are apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freqlearn import _native


@pytest.mark.parametrize(
    ("shape", "dtype", "named", "error", "match"),
    [
        (
            (2, 3, 8, 8),
            np.int16,
            (0, 3, 0, 3, 1),
            ValueError,
            "within the plane's 2x3, got rows 0 to 3, columns 0 to 3",
        ),
        ((2, 3, 8, 8), np.int16, (0, 2, 2, 1, 1), ValueError, "columns 2 to 1"),
        ((2, 3, 8, 8), np.int16, (0, 2, 0, -1, 1), TypeError, "incompatible"),
        ((2, 3, 8, 8), np.float32, (0, 2, 0, 3, 1), TypeError, "incompatible"),
        ((2, 3, 8, 7), np.int16, (0, 2, 0, 3, 1), TypeError, "incompatible"),
        ((6, 8, 8), np.int16, (0, 2, 0, 3, 1), TypeError, "incompatible"),
    ],
    ids=["rows", "columns", "negative", "float32", "8x7", "three axes"],
)
def test_what_is_refused(shape, dtype, named, error, match):
    with pytest.raises(error, match=match):
        _native.kept_blocks(np.zeros(shape, dtype), named)


@given(shape=st.tuples(st.integers(0, 3), st.integers(0, 3)), places=st.integers(0, 2**64 - 1), data=st.data())
@settings(max_examples=50, deadline=None)
def test_what_a_range_names_stays(shape, places, data):
    plane = np.random.default_rng(0).integers(-32768, 32768, (*shape, 8, 8)).astype(np.int16)
    (top, bottom), (left, right) = (sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2))) for side in shape)
    want = np.zeros_like(plane)
    for place in range(64):
        if places >> place & 1:
            v, u = divmod(place, 8)
            want[top:bottom, left:right, v, u] = plane[top:bottom, left:right, v, u]
    np.testing.assert_array_equal(_native.kept_blocks(plane, (top, bottom, left, right, places)), want)


def test_what_is_too_small_goes():
    rng = np.random.default_rng(1)
    plane = rng.integers(-4, 5, (4, 5, 8, 8)).astype(np.int16)
    plane[0] = rng.integers(-32768, 32768, (5, 8, 8))
    plane[1, 1] = -32768
    for smallest in (
        rng.integers(0, 6, (8, 8)),
        rng.integers(0, 40000, (8, 8)),
        rng.choice([0, 1, 32767, 32768, 32769, 65535], (8, 8)),
    ):
        got = _native.kept_blocks(plane, (0, 4, 0, 5, 2**64 - 1), smallest.astype(np.uint16))
        np.testing.assert_array_equal(got, np.where(np.abs(plane.astype(np.int32)) >= smallest, plane, 0))


@pytest.mark.parametrize("only_left", [False, True])
def test_squared_differences_are_exact(only_left):
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(-32768, 32768, (2, 5, 7, 8, 8)).astype(np.int16)
    ours[1:3, 2] = 0
    theirs[4] = ours[4]
    counted = ours.any(axis=(2, 3)) if only_left else np.ones((5, 7), bool)
    want = ((ours.astype(np.int64) - theirs) ** 2)[counted].sum(axis=0).ravel()
    assert _native.squared_difference(ours, theirs, only_left=only_left) == (want.tolist(), counted.sum())


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "match"),
    [
        ((2, 4, 8, 8), np.int16, ValueError, "the same size, got 2x3 and 2x4 blocks"),
        ((2, 3, 8, 8), np.float32, TypeError, "incompatible"),
    ],
    ids=["size", "float32"],
)
def test_planes_that_cannot_be_compared(shape, dtype, error, match):
    with pytest.raises(error, match=match):
        _native.squared_difference(np.zeros((2, 3, 8, 8), np.int16), np.zeros(shape, dtype), only_left=False)
