import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

SIZES = [(7, 5), (1, 1), (56, 56), (3, 40), (1, 9), (16, 16), (2, 2), (31, 1)]


def images(seed=0, offset=0.0, scale=1.0, channels=4):
    rng = np.random.default_rng(seed)
    per_channel = scale * 10.0 ** np.arange(channels)[:, None, None]
    return [
        offset + per_channel * (rng.standard_normal((channels, h, w)) + rng.standard_normal((channels, 1, 1)))
        for h, w in SIZES
    ]


def measured(maps):
    statistics = ChannelStatistics(len(maps[0]))
    for one in maps:
        statistics.update(one)
    return statistics


def concatenated(maps):
    return np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1)


def test_agrees_with_numpy_on_all_coefficients_at_once():
    maps = images()
    statistics, together = measured(maps), concatenated(maps)
    means = np.stack([one.mean(axis=(1, 2)) for one in maps], axis=1)
    # float64 sums of 4000 numbers, in another order: a few times 1e-14 relative to the spread.
    np.testing.assert_allclose(statistics.mean, together.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, together.std(axis=1), rtol=1e-12)
    np.testing.assert_allclose(statistics.variance, together.var(axis=1), rtol=1e-12)
    np.testing.assert_allclose(statistics.std_of_image_means, means.std(axis=1), rtol=1e-12)
    assert statistics.images == len(SIZES)
    assert statistics.coefficients == sum(h * w for h, w in SIZES)


def test_large_means_do_not_cancel():
    # Deviations of 1e-4 around 1e8: the sum of squares minus the square of the sum has no correct digit in float64.
    maps = images(offset=1e8, scale=1e-4, channels=3)
    together = concatenated(maps)
    naive = (together**2).mean(axis=1) - together.mean(axis=1) ** 2
    exact = [_exact_std(row) for row in together]
    assert (np.abs(np.sqrt(np.maximum(naive, 0)) - exact) > 0.1 * np.array(exact)).all()
    # A mean of 1e8 is stored to 1.5e-8, which is 1.5e-4 of the smallest deviation.
    np.testing.assert_allclose(measured(maps).std, exact, rtol=1.5e-4)


def _exact_std(numbers):
    values = [Fraction(float(x)) for x in numbers]
    mean = sum(values) / len(values)
    return float(sum((x - mean) ** 2 for x in values) / len(values)) ** 0.5


def test_float32_and_float16_coefficients_are_summed_in_float64():
    # 1000 images of 0.1f: float32 sums would be off by 1e-3 relative.
    one = torch.full((2, 8, 8), 0.1, dtype=torch.float32)
    one[1] = torch.arange(64.0).reshape(8, 8)
    statistics = measured([one] * 1000)
    np.testing.assert_allclose(statistics.mean, [np.float64(np.float32(0.1)), 31.5], rtol=1e-13)
    np.testing.assert_allclose(statistics.std, [0.0, np.arange(64).std()], rtol=1e-12, atol=1e-15)
    halves = ChannelStatistics.of_image(torch.full((1, 300, 300), 1.0, dtype=torch.float16))
    assert halves.mean == [1.0]  # a float16 sum overflows at 65504


def test_integers_and_gradients_are_fine():
    quantised = np.arange(-32, 32, dtype=np.int16).reshape(1, 8, 8)
    assert ChannelStatistics.of_image(quantised).mean == [-0.5]
    assert ChannelStatistics.of_image(torch.ones(1, 2, 2, requires_grad=True)).mean == [1.0]


@settings(max_examples=50, deadline=None)
@given(split=st.lists(st.integers(0, 3), min_size=len(SIZES), max_size=len(SIZES)), seed=st.integers(0, 5))
def test_merged_parts_are_the_whole(split, seed):
    maps = images(seed, offset=1e4)
    parts = [ChannelStatistics(4) for _ in range(4)]
    for part, one in zip(split, maps, strict=True):
        parts[part].update(one)
    total = ChannelStatistics(4)
    for part in parts:  # empty ones too
        total.merge(part)
    whole = measured(maps)
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(total.std, whole.std, rtol=1e-10)
    np.testing.assert_allclose(total.std_of_image_means, whole.std_of_image_means, rtol=1e-10)
    assert (total.images, total.coefficients) == (whole.images, whole.coefficients)


def test_merging_without_change_gives_the_same_bits():
    a, b = measured(images(1)), measured(images(2))
    before = a.to_dict()
    both = a.merged(b)
    assert a.to_dict() == before
    a.merge(b)
    assert both.to_dict() == a.to_dict()


def test_state_round_trip_is_exact():
    statistics = measured(images(3))
    copy = ChannelStatistics.from_dict(json.loads(json.dumps(statistics.to_dict())))
    statistics.update(np.ones((4, 2, 2)))
    copy.update(np.ones((4, 2, 2)))
    assert copy.to_dict() == statistics.to_dict()
    with pytest.raises(ValueError, match="expected channel statistics"):
        ChannelStatistics.from_dict({})


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.ones((4, 4)), r"as \(C, h, w\), got shape \(4, 4\)"),
        (np.ones((2, 4, 4, 4)), r"got shape \(2, 4, 4, 4\)"),
        (np.ones((4, 0, 3)), r"got shape \(4, 0, 3\)"),
        (np.ones((5, 2, 2)), "statistics of 4 channels, got 5"),
        (np.array([1, 1, np.nan, 1]).reshape(4, 1, 1), "finite .*position 2"),
        (np.array([[1, 2], [np.inf, 0], [0, 0], [0, 0]]).reshape(4, 2, 1), "finite .*position 1"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_wrong_images_are_refused_and_change_nothing(image, message):
    statistics = measured(images())
    before = statistics.to_dict()
    with pytest.raises(ValueError, match=message):
        statistics.update(image)
    assert statistics.to_dict() == before


def test_nothing_measured_is_an_error():
    with pytest.raises(ValueError, match="at least one image, got none"):
        _ = ChannelStatistics(3).std
    with pytest.raises(ValueError, match="at least one channel, got 0"):
        ChannelStatistics(0)


def test_to_spec_carries_the_right_std():
    maps = images()
    statistics, channels = measured(maps), ChannelSet.of([9, 0, 64, 130])
    spec = statistics.to_spec(channels, 448, 512, source="here")
    assert spec == InputSpec("dct", channels, tuple(statistics.mean), tuple(statistics.std), 448, 512)
    assert spec.source == "here"
    theirs = statistics.to_spec(channels, 448, 512, std="image-means")
    assert theirs.std == tuple(statistics.std_of_image_means)
    with pytest.raises(ValueError, match="4 channels, got DCT-24"):
        statistics.to_spec(ChannelSet.square(24), 448)


def test_channels_that_never_vary_are_named():
    gray = np.zeros((3, 5, 5))
    gray[0] = np.random.default_rng(0).standard_normal((5, 5))
    gray[2] += 1e-6 * gray[0]  # the rounding of float32 geometry, not signal
    with pytest.raises(ValueError, match=r"2 of 3 do not over 1 images \(Cb\(0,0\), Cr\(0,0\)\).*gray"):
        measured([gray]).to_spec(ChannelSet.of([0, 64, 128]), 40)
    kept = measured([gray]).to_spec(ChannelSet.of([0, 64, 128]), 40, constant="keep")
    assert kept.std == (pytest.approx(gray[0].std()), 1.0, 1.0)
