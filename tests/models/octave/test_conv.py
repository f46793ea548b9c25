"""OctConv2d against the equations written out, and against nn.Conv2d where it must equal it."""

import octave_reference as reference
import pytest
import torch
from torch import Tensor, nn

from freqlearn.models.octave import OctConv2d, double, halve

# Sums of up to a few hundred products of order 1 in float32.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}

SHAPES = {
    "3x3": {"kernel_size": 3, "padding": 1},
    "1x1": {"kernel_size": 1},
    "no bias": {"kernel_size": 3, "padding": 1, "bias": False},
    "dilated": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "1x3": {"kernel_size": (1, 3), "padding": (0, 1)},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 4},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 16, "alpha_out": 0.25},
    "depthwise, without bias": {"kernel_size": 3, "padding": 1, "groups": 16, "bias": False, "alpha_out": 0.25},
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (1, 1), (5, 6), (9, 3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_is_the_equations(options, stride, size):
    conv = OctConv2d(16, 32, stride=stride, **{"alpha_in": 0.25, "alpha_out": 0.75, **options})
    x = reference.pair(conv, *size)
    for actual, expected in zip(conv(x), reference.octave(conv, x), strict=True):
        torch.testing.assert_close(actual.double(), expected, **CLOSE)


@pytest.mark.parametrize("size", [(8, 8), (7, 5)], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("alpha_out", [0, 0.25, 0.5, 1])
@pytest.mark.parametrize("alpha_in", [0, 0.25, 0.5, 1])
def test_every_pair_of_alphas(alpha_in, alpha_out, stride, size):
    conv = OctConv2d(8, 16, 3, stride, 1, alpha_in=alpha_in, alpha_out=alpha_out)
    high_in, high_out = 8 - conv.low_in, 16 - conv.low_out
    assert (conv.low_in, conv.low_out) == (8 * alpha_in, 16 * alpha_out)
    x = reference.pair(conv, *size)
    y = conv(x)
    # Without a high branch the high grid is twice the low one.
    full = size if high_in else tuple(2 * ((side + 1) // 2) for side in size)
    height, width = full if stride == 1 else ((full[0] + 1) // 2, (full[1] + 1) // 2)
    shapes = [
        (2, channels, *grid)
        for channels, grid in ((high_out, (height, width)), (conv.low_out, ((height + 1) // 2, (width + 1) // 2)))
        if channels
    ]
    assert isinstance(y, Tensor) is (alpha_out in (0, 1))
    assert [tuple(branch.shape) for branch in ((y,) if isinstance(y, Tensor) else y)] == shapes
    # The branches that are missing are those of a pair whose channels are none.
    high, low = (x, None) if alpha_in == 0 else (None, x) if alpha_in == 1 else x
    low = high.new_zeros(2, 0, *halve(high).shape[2:]) if low is None else low
    high = low.new_zeros(2, 0, *double(low).shape[2:]) if high is None else high
    if alpha_in == alpha_out == 0:
        return
    expected = [branch for branch in reference.octave(conv, (high, low)) if branch.shape[1]]
    for actual, branch in zip((y,) if isinstance(y, Tensor) else y, expected, strict=True):
        torch.testing.assert_close(actual.double(), branch, **CLOSE)


@pytest.mark.parametrize("separate", [False, True], ids=["one weight", "four weights"])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
        {"kernel_size": 7, "stride": (3, 2), "groups": 2},
        {"kernel_size": 2, "padding": "same", "dilation": 2},
        {"kernel_size": 3, "padding": "valid", "groups": 4},
    ],
    ids=lambda options: f"k={options['kernel_size']}",
)
def test_alphas_of_0_are_conv2d_bit_for_bit(options, separate):
    torch.manual_seed(1)
    plain = nn.Conv2d(4, 8, **options)
    torch.manual_seed(1)
    octave = OctConv2d(4, 8, **options, alpha_in=0, alpha_out=0, separate=separate)
    x = torch.randn(2, 4, 15, 13)
    x_plain, x_octave = x.clone().requires_grad_(), x.clone().requires_grad_()
    y_plain, y_octave = plain(x_plain), octave(x_octave)
    assert torch.equal(y_plain, y_octave)
    y_plain.square().sum().backward()
    y_octave.square().sum().backward()
    assert torch.equal(x_plain.grad, x_octave.grad)
    for p, q in zip(sorted(plain.named_parameters()), sorted(octave.named_parameters()), strict=True):
        assert torch.equal(p[1].grad, q[1].grad)


def test_alphas_of_1_are_conv2d_on_the_low_grid():
    octave = OctConv2d(4, 8, 3, padding=1, alpha_in=1, alpha_out=1)
    plain = nn.Conv2d(4, 8, 3, padding=1)
    plain.load_state_dict(octave.state_dict())
    x = torch.randn(2, 4, 5, 6)
    assert torch.equal(octave(x), plain(x))


def test_a_constant_picture_is_convolved_as_by_conv2d():
    """Pooling and doubling keep constants, so that 1x1 kernels give what the plain convolution gives."""
    octave = OctConv2d(6, 9, 1, alpha_in=1 / 3, alpha_out=1 / 3)
    plain = nn.Conv2d(6, 9, 1)
    plain.load_state_dict(octave.state_dict())
    x = torch.randn(6).view(1, 6, 1, 1).expand(1, 6, 7, 7)
    high, low = octave((x[:, :4], halve(x[:, 4:])))
    y = plain(x)
    torch.testing.assert_close(high, y[:, :6], **CLOSE)
    torch.testing.assert_close(low, y[:, 6:, :4, :4], **CLOSE)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 4, 16])
def test_gradients_reach_every_parameter(stride, groups):
    conv = OctConv2d(16, 16, 3, stride, 1, groups=groups, alpha_in=0.5, alpha_out=0.5).double()
    high, low = reference.pair(conv, 9, 8, n=1)

    def outputs(high, low, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, ((high, low),))

    inputs = [t.detach().double().requires_grad_() for t in (high, low, conv.weight, conv.bias)]
    assert torch.autograd.gradcheck(outputs, inputs, fast_mode=True)
    sum(y.square().sum() for y in conv((high.double(), low.double()))).backward()
    assert conv.weight.grad.all()
    assert conv.bias.grad.all()


def test_channels_are_rounded_down_but_for_float_error():
    conv = OctConv2d(30, 100, 1, alpha_in=0.1, alpha_out=0.29)
    assert (conv.low_in, conv.low_out) == (3, 29)
    assert OctConv2d(10, 10, 1, alpha_in=0.39, alpha_out=0.31).low_in == 3


def test_initial_values_are_those_of_conv2d():
    torch.manual_seed(3)
    plain = nn.Conv2d(8, 16, 3, groups=2)
    torch.manual_seed(3)
    octave = OctConv2d(8, 16, 3, padding=1, groups=2, alpha_in=0.5, alpha_out=0.25)
    assert torch.equal(octave.weight, plain.weight)
    assert torch.equal(octave.bias, plain.bias)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha_in": -0.1}, r"expected alpha_in within 0\.\.1, got -0\.1"),
        ({"alpha_out": 1.5}, r"expected alpha_out within 0\.\.1, got 1\.5"),
        ({"alpha_in": float("nan")}, r"within 0\.\.1, got nan"),
        (
            {"alpha_in": 0.01},
            r"alpha_in=0\.01 of 16 channels leaves no low channel; take alpha_in=0 or at least 0\.0625",
        ),
        ({"alpha_out": 0.99999999}, r"leaves no high channel; take alpha_out=1"),
        ({"stride": 3}, r"expected stride 1 or 2 in both directions.*got \(3, 3\)"),
        ({"stride": (1, 2)}, r"expected stride 1 or 2 in both directions.*got \(1, 2\)"),
        ({"padding": 0}, r"expected padding that keeps the size.*got \(0, 0\).*take \(1, 1\)"),
        ({"padding": "valid"}, r"expected padding that keeps the size.*got valid.*take \(1, 1\)"),
        ({"dilation": 2}, r"expected padding that keeps the size.*take \(2, 2\)"),
        ({"kernel_size": 2}, r"expected padding that keeps the size.*take padding='same'"),
        (
            {"groups": 8, "alpha_in": 0.25},
            r"groups=8 for 12 high and 4 low channels \(alpha_in=0\.25 of 16\); take a multiple of 0\.5 as alpha_in",
        ),
        ({"groups": 8, "alpha_out": 0.25}, r"\(alpha_out=0\.25 of 16\); take a multiple of 0\.5 as alpha_out"),
        ({"groups": 16, "alpha_out": 0.25}, r"alpha_in and alpha_out to be equal in a depthwise.*got 0\.5 and 0\.25"),
        ({"groups": 16, "alpha_in": 0, "alpha_out": 1}, r"to be equal in a depthwise convolution"),
        ({"groups": 3}, "divisible by groups"),
    ],
    ids=str,
)
def test_refuses_options(options, message):
    defaults = {"kernel_size": 3, "padding": 1, "alpha_in": 0.5, "alpha_out": 0.5}
    with pytest.raises(ValueError, match=message):
        OctConv2d(16, 16, **{**defaults, **options})


def test_takes_a_padding_that_a_single_branch_can_have():
    assert OctConv2d(4, 4, 3, alpha_in=0, alpha_out=1)(torch.zeros(1, 4, 12, 12)).shape == (1, 4, 4, 4)
    high, low = OctConv2d(4, 4, 2, padding="same", alpha_in=0.5, alpha_out=0.5)(
        (torch.zeros(1, 2, 6, 6), torch.zeros(1, 2, 3, 3))
    )
    assert (high.shape, low.shape) == ((1, 2, 6, 6), (1, 2, 3, 3))


HIGH, LOW = torch.zeros(1, 12, 7, 8), torch.zeros(1, 4, 4, 4)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (HIGH, TypeError, r"expected a pair \(high, low\) of 12 and 4 channels, got a Tensor of shape \(1, 12, 7, 8\)"),
        ((HIGH,), TypeError, r"expected a pair.*got 1 of shapes \(1, 12, 7, 8\)"),
        ((HIGH, LOW, LOW), TypeError, "got 3 of shapes"),
        ((HIGH, None), TypeError, r"expected a pair.*got \(Tensor, NoneType\)"),
        (None, TypeError, "expected a pair.*got a NoneType"),
        ((LOW, HIGH), ValueError, r"expected high maps \(N, 12, h, w\), got shape \(1, 4, 4, 4\)"),
        ((HIGH, HIGH), ValueError, r"expected low maps \(N, 4, h, w\), got shape \(1, 12, 7, 8\)"),
        ((HIGH, LOW[:, :, :3]), ValueError, "low maps of half the size, 4x4 for high maps of 7x8, got 3x4"),
        ((HIGH, LOW[..., :3]), ValueError, "4x4 for high maps of 7x8, got 4x3"),
        ((HIGH[0], LOW[0]), ValueError, r"expected high maps \(N, 12, h, w\), got shape \(12, 7, 8\)"),
    ],
    ids=["Tensor", "one", "three", "None within", "None", "swapped", "high twice", "height", "width", "no batch"],
)
def test_refuses_inputs(x, error, message):
    with pytest.raises(error, match=message) as raised:
        OctConv2d(16, 8, 3, padding=1, alpha_in=0.25, alpha_out=0.5)(x)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("alpha", "tensor"), [(0, torch.zeros(1, 16, 7, 8)), (1, torch.zeros(1, 16, 4, 4))])
def test_refuses_a_pair_for_a_tensor(alpha, tensor):
    conv = OctConv2d(16, 8, 3, padding=1, alpha_in=alpha, alpha_out=0.5)
    assert len(conv(tensor)) == 2
    with pytest.raises(
        TypeError, match=rf"expected a Tensor of 16 channels, for alpha is {alpha} here, got 2 of shapes"
    ):
        conv((HIGH, LOW))
    with pytest.raises(ValueError, match=r"expected maps \(N, 16, h, w\), got shape \(1, 12, 7, 8\)"):
        conv(HIGH)
