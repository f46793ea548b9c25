"""Halving and doubling grids, counting low channels, adding and joining pairs."""

import numpy as np
import pytest
import torch

from freqlearn.models.octave import add, concatenate, double, halve, low_channels, merge


@pytest.mark.parametrize("size", [(4, 4), (7, 7), (1, 1), (1, 6), (5, 2)], ids=str)
def test_halve_averages_the_pixels_that_there_are(size):
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    h, w = size
    expected = np.array(
        [[x[..., i : i + 2, j : j + 2].mean(dim=(2, 3)).numpy() for j in range(0, w, 2)] for i in range(0, h, 2)]
    ).transpose(2, 3, 0, 1)
    torch.testing.assert_close(halve(x), torch.from_numpy(expected))


def test_halve_and_double_by_hand():
    x = torch.tensor([[[[1.0, 3, 5], [5, 7, 9], [2, 4, 8]]]])
    low = halve(x)
    assert low.tolist() == [[[[4, 7], [3, 8]]]]
    assert double(low, (3, 3)).tolist() == [[[[4, 4, 7], [4, 4, 7], [3, 3, 8]]]]
    assert double(low).tolist() == [[[[4, 4, 7, 7], [4, 4, 7, 7], [3, 3, 8, 8], [3, 3, 8, 8]]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_double_repeats_pixels_at_every_size(dtype):
    """Nearest of an odd size is computed in float: it must hit the right pixel at each place."""
    for n in [*range(1, 300), 1000, 1999]:
        x = torch.randperm(n).to(dtype).view(1, 1, 1, n)
        for width in (2 * n - 1, 2 * n):
            assert torch.equal(double(x, (1, width)), x.repeat_interleave(2, dim=3)[..., :width]), n


@pytest.mark.parametrize(
    ("channels", "alpha", "low"),
    [
        (64, 0, 0),
        (64, 1, 64),
        (64, 0.25, 16),
        (30, 0.1, 3),
        (100, 0.29, 29),
        (10, 0.39, 3),
        (3, 0.5, 1),
        (64, 0.999, 63),
    ],
)
def test_low_channels(channels, alpha, low):
    assert low_channels(channels, alpha) == low


def test_every_number_of_low_channels_can_be_named_by_its_fraction():
    assert all(low_channels(n, k / n) == k for n in range(1, 200) for k in range(n + 1))


def test_add():
    a, b = torch.rand(1, 2, 4, 4), torch.rand(1, 1, 2, 2)
    assert torch.equal(add(a, a), 2 * a)
    high, low = add((a, b), (a, b))
    assert torch.equal(high, 2 * a)
    assert torch.equal(low, 2 * b)
    with pytest.raises(
        TypeError, match=r"two pairs or two Tensors to add, got 2 of shapes .* a Tensor of shape \(1, 2"
    ):
        add((a, b), a)


def test_concatenate():
    a, b = torch.rand(1, 2, 4, 4), torch.rand(1, 1, 2, 2)
    assert torch.equal(concatenate([a, 2 * a]), torch.cat((a, 2 * a), dim=1))
    high, low = concatenate([(a, b), (2 * a, 2 * b)])
    assert torch.equal(high, torch.cat((a, 2 * a), dim=1))
    assert torch.equal(low, torch.cat((b, 2 * b), dim=1))
    with pytest.raises(TypeError, match="expected pairs or Tensors to concatenate, got 1 and 1 of them"):
        concatenate([(a, b), a])
    with pytest.raises(ValueError, match="at least one"):
        concatenate([])


def test_merge():
    high, low = torch.rand(1, 2, 5, 4), torch.rand(1, 1, 3, 2)
    merged = merge((high, low))
    assert torch.equal(merged[:, :2], high)
    assert torch.equal(merged[:, 2:], low.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :5])
    assert merge(high) is high
