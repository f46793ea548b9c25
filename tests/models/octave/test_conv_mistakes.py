"""The mistakes of a widely read walk-through of the paper, each of which OctConv2d has not.

Where a mistake gives other numbers rather than an error, the test also shows that its input tells the two apart.
"""

import octave_reference as reference
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from freqlearn.models.octave import OctConv2d, halve

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def assert_right_not(fault, conv, size=(8, 8)):
    """The convolution gives the equations' numbers, and ``fault`` would not have."""
    torch.manual_seed(0)
    x = reference.pair(conv, *size)
    actual = [y.double() for y in conv(x)]
    torch.testing.assert_close(actual, list(reference.octave(conv, x)), **CLOSE)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(actual, list(reference.octave(conv, x, fault)), **CLOSE)


def test_no_bias_is_no_error():
    conv = OctConv2d(4, 8, 3, padding=1, bias=False, alpha_in=0.5, alpha_out=0.5)
    assert [name for name, _ in conv.named_parameters()] == ["weight"]
    assert not any(y.any() for y in conv((torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2))))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_bias_is_added_once(stride):
    assert_right_not("bias twice", OctConv2d(4, 8, 3, stride, 1, alpha_in=0.5, alpha_out=0.5))


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("alpha_out", [0, 0.25, 1])
@pytest.mark.parametrize("alpha_in", [0, 0.25, 1])
def test_zeros_give_the_bias(alpha_in, alpha_out, stride, groups):
    conv = OctConv2d(16, 16, 3, stride, 1, groups=groups, alpha_in=alpha_in, alpha_out=alpha_out)
    x = reference.pair(conv, 6, 6)
    y = conv(torch.zeros_like(x) if isinstance(x, Tensor) else tuple(torch.zeros_like(branch) for branch in x))
    means = torch.cat([branch.mean(dim=(0, 2, 3)) for branch in ((y,) if isinstance(y, Tensor) else y)])
    torch.testing.assert_close(means, conv.bias.detach())


def test_doubling_comes_after_the_convolution():
    assert_right_not("up before the convolution", OctConv2d(4, 8, 3, padding=1, alpha_in=0.5, alpha_out=0.5))


def test_doubling_comes_after_the_convolution_by_hand():
    """A 3x3 kernel of ones over a low map of ones reaches 4, 6 and 9 pixels; doubled first it would also see 6."""
    conv = OctConv2d(2, 2, 3, padding=1, bias=False, alpha_in=0.5, alpha_out=0.5)
    torch.nn.init.ones_(conv.weight)
    high, _ = conv((torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 2, 2)))
    assert torch.equal(high, torch.full((1, 1, 4, 4), 4.0))


def test_the_low_paths_cost_a_quarter():
    """Paths from and to low are computed on the low grid: the saving of the paper's table 1, 43.75 % at 0.5."""
    shares = []
    for alpha in (0, 0.5):
        conv = OctConv2d(8, 8, 3, padding=1, bias=False, alpha_in=alpha, alpha_out=alpha, device="meta")
        x = torch.empty(1, 8 - conv.low_in, 8, 8, device="meta")
        with FlopCounterMode(display=False) as counter:
            conv(x if alpha == 0 else (x, torch.empty(1, conv.low_in, 4, 4, device="meta")))
        shares.append(counter.get_total_flops())
    assert shares[1] / shares[0] == 0.4375


def test_stride_2_pools_instead_of_skipping():
    assert_right_not("strided", OctConv2d(4, 8, 3, 2, 1, alpha_in=0.5, alpha_out=0.5))


@pytest.mark.parametrize("size", [(8, 8), (7, 6)], ids=str)
def test_stride_2_keeps_the_two_grids_aligned(size):
    """A picture and its own half give the same through both branches; by strides they would lie half a pixel apart."""
    conv = OctConv2d(2, 2, 1, 2, bias=False, alpha_in=0.5, alpha_out=0.5)
    torch.nn.init.ones_(conv.weight)
    picture = torch.rand(1, 1, *size)
    zeros = torch.zeros_like(picture)
    from_high = conv((picture, halve(zeros)))
    from_low = conv((zeros, halve(picture)))
    torch.testing.assert_close(from_high, from_low)
    assert not torch.equal(from_high[0], picture[..., ::2, ::2])


def test_groups():
    conv = OctConv2d(16, 32, 3, padding=1, groups=4, alpha_in=0.25, alpha_out=0.5)
    assert conv.weight.shape == (32, 4, 3, 3)
    torch.manual_seed(0)
    x = reference.pair(conv, 6, 6)
    torch.testing.assert_close([y.double() for y in conv(x)], list(reference.octave(conv, x)), **CLOSE)
    # The first group's channels of either branch change the first group's outputs of both branches, and no others.
    changed = tuple(branch.clone() for branch in x)
    changed[0][:, :3] += 1
    changed[1][:, :1] += 1
    moved = [(a != b).any(dim=3).any(dim=2).any(dim=0) for a, b in zip(conv(x), conv(changed), strict=True)]
    assert [branch.nonzero().flatten().tolist() for branch in moved] == [[0, 1, 2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("alpha_in", [0, 0.5, 1])
def test_the_last_gives_a_tensor(alpha_in, stride):
    conv = OctConv2d(4, 8, 3, stride, 1, alpha_in=alpha_in, alpha_out=0)
    assert isinstance(conv(reference.pair(conv, 8, 8)), Tensor)


@pytest.mark.parametrize("stride", [1, 2])
def test_maps_of_7x7(stride):
    conv = OctConv2d(4, 8, 3, stride, 1, alpha_in=0.5, alpha_out=0.5)
    torch.manual_seed(0)
    x = reference.pair(conv, 7, 7)
    high, low = conv(x)
    assert (high.shape[2:], low.shape[2:]) == (((7, 7), (4, 4)) if stride == 1 else ((4, 4), (2, 2)))
    torch.testing.assert_close([high.double(), low.double()], list(reference.octave(conv, x)), **CLOSE)
