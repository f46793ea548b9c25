"""Octave convolution written out in float64 from the paper's equations, and the mistakes that it invites."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from freqlearn.models.octave import Features, OctConv2d

Fault = Literal["bias twice", "up before the convolution", "strided"]


def pool(x: Tensor) -> Tensor:
    """Means of 2x2 pixels, of those that there are."""
    n, c, h, w = x.shape
    even = functional.pad(x, (0, w % 2, 0, h % 2), value=float("nan"))
    return even.reshape(n, c, even.shape[2] // 2, 2, even.shape[3] // 2, 2).nanmean(dim=(3, 5))


def up(x: Tensor, like: Tensor | None = None) -> Tensor:
    """Every pixel 2x2, cut to the size of ``like``."""
    x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return x if like is None else x[:, :, : like.shape[2], : like.shape[3]]


def dense_kernel(conv: OctConv2d, weight: Tensor) -> Tensor:
    """(out, in, k, k) over all channels, high first, with zeros where groups or depthwise leave no connection.

    Args:
        conv: Says how many channels are low, and how many groups there are.
        weight: (out, in / groups, k, k).
    """
    high_in, high_out = conv.in_channels - conv.low_in, conv.out_channels - conv.low_out
    dense = weight.new_zeros(conv.out_channels, conv.in_channels, *conv.kernel_size)
    if conv.groups == conv.in_channels > 1:
        for row in range(conv.out_channels):
            dense[row, row * conv.in_channels // conv.out_channels] = weight[row, 0]
        return dense
    groups = conv.groups
    for outputs, first_row in ((high_out, 0), (conv.low_out, high_out)):
        for i in range(outputs):
            group = i * groups // outputs
            for inputs, first_input, first_column in ((high_in, 0, 0), (conv.low_in, high_in, high_in // groups)):
                for j in range(inputs // groups):
                    place = first_input + group * (inputs // groups) + j
                    dense[first_row + i, place] = weight[first_row + i, first_column + j]
    return dense


def octave(conv: OctConv2d, x: Features, fault: Fault | None = None) -> tuple[Tensor, Tensor]:
    """What ``conv``, with one weight and padding that keeps the size, gives for a pair: (Y_H, Y_L), in float64.

    A branch may have no channels.

    Args:
        conv: The convolution.
        x: The pair.
        fault: A mistake to make.
    """
    high, low = (branch.double() for branch in x)
    kernel = dense_kernel(conv, conv.weight.detach().double())
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    bias = bias.double()[:, None, None]
    high_in, high_out = conv.in_channels - conv.low_in, conv.out_channels - conv.low_out
    stride = conv.stride[0] if fault == "strided" else 1

    def convolve(x: Tensor, kernel: Tensor) -> Tensor:
        # One channel of zeros more on both sides: torch refuses a branch without channels.
        kernel = functional.pad(kernel, (0, 0, 0, 0, 0, 1, 0, 1))
        x = functional.pad(x, (0, 0, 0, 0, 0, 1))
        return functional.conv2d(x, kernel, None, stride, conv.padding, conv.dilation)[:, :-1]

    w_hh, w_lh = kernel[:high_out, :high_in], kernel[:high_out, high_in:]
    w_hl, w_ll = kernel[high_out:, :high_in], kernel[high_out:, high_in:]
    if conv.stride == (1, 1) or fault == "strided":
        hh = convolve(high, w_hh)
        lh = convolve(up(low, high), w_lh) if fault == "up before the convolution" else up(convolve(low, w_lh), hh)
        ll, hl = convolve(low, w_ll), convolve(pool(high), w_hl)
    else:
        hh, lh = convolve(pool(high), w_hh), convolve(low, w_lh)
        ll, hl = convolve(pool(low), w_ll), convolve(pool(pool(high)), w_hl)
    times = 2 if fault == "bias twice" else 1
    return hh + lh + times * bias[:high_out], ll + hl + times * bias[high_out:]


def pair(conv: OctConv2d, h: int, w: int, n: int = 2) -> Features:
    """Random input of h x w: a pair, or the one branch that there is."""
    high = torch.randn(n, conv.in_channels - conv.low_in, h, w)
    low = torch.randn(n, conv.low_in, (h + 1) // 2, (w + 1) // 2)
    if conv.low_in == 0:
        return high
    return low if conv.low_in == conv.in_channels else (high, low)
