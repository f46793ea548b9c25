"""Octave convolutions for inference: fewer and larger convolutions, and cheap ways between the two resolutions.

What costs time on a CPU beside the multiplications: torch's average pooling of contiguous maps is not vectorised, an
upsampled map is written and read again before it is added, and so is each path's output. Here the paths to one branch
are one convolution of concatenated maps (or products that accumulate), and halving and doubling are products with a
fixed matrix or sums of whole rows of memory. docs/octave.md has the measurements.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.pair import Features, branches, double, halve, joined

# A product with a (2w, w/2) matrix has 2w multiplications a pixel; avg_pool2d costs as much as about 300.
_WIDEST = 128


class PointwiseConv2d(nn.Conv2d):
    """An nn.Conv2d of 1x1 pixel, stride 1 and one group, for inference: a matrix product if maps are channels-last.

    torch's convolution rearranges its weight at every call; a product does not.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, h, w) -> (N, out_channels, h, w), in the input's memory format."""
        if _eager(input) and _channels_last(input):
            return _product([input], self.weight, self.bias)
        return super().forward(input)


class ConvolutionSum(nn.Module):
    """The sum of convolutions of several maps of one size, stride 1.

    Without groups it is one convolution of the concatenated maps, conv(a; A) + conv(b; B) = conv(ab; AB): as many
    multiplications, one call, and no sum that is written and read again.

    Args:
        conv: Whose padding, dilation and groups to take.
        weights: One for each map, (out_channels, C_i / groups, k_h, k_w); copied.
        bias: (out_channels,) or None; copied.
    """

    def __init__(self, conv: OctConv2d, weights: Sequence[Tensor], bias: Tensor | None) -> None:
        super().__init__()
        self.padding = conv.padding
        self.dilation = conv.dilation
        self.groups = conv.groups
        self.depthwise = conv.layout.depthwise
        first, *others = [torch.cat(list(weights), dim=1)] if conv.groups == 1 else weights
        self.weight = _constant(first)
        self.others = nn.ParameterList(_constant(weight) for weight in others)
        self.bias = None if bias is None else _constant(bias)
        self.pointwise = conv.groups == 1 and conv.kernel_size == (1, 1) and conv.padding in ((0, 0), "same", "valid")

    def forward(self, maps: list[Tensor]) -> Tensor:
        """(N, C_i, h, w) each -> (N, out_channels, h, w)."""
        if self.pointwise and _eager(maps[0]) and all(_channels_last(x) for x in maps):
            return _product(maps, self.weight, self.bias)
        if len(maps) == 1:
            return self._convolve(maps[0], self.weight, self.bias)
        if self.groups == 1:
            return self._convolve(torch.cat(maps, dim=1), self.weight, self.bias)
        y = self._convolve(maps[0], self.weight, self.bias)
        for x, weight in zip(maps[1:], self.others, strict=True):
            y += self._convolve(x, weight, None)
        return y

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        groups = x.shape[1] if self.depthwise else self.groups
        return functional.conv2d(x, weight, bias, 1, self.padding, self.dilation, groups)


class FoldedOctConv2d(nn.Module):
    """An `OctConv2d` for inference: the same to rounding, by two or three convolutions instead of four.

    The paths to the low branch are one convolution; at stride 1 the path from low to high is added while it is
    doubled, at stride 2 the paths to the high branch are one convolution too.

    Args:
        conv: The octave convolution, with an alpha above 0; its weights are copied.
    """

    def __init__(self, conv: OctConv2d) -> None:
        super().__init__()
        self.in_channels, self.low_in = conv.in_channels, conv.low_in
        self.halves = conv.stride == (2, 2)
        hh, lh, hl, ll = conv.path_weights()
        bias_high, bias_low = conv.branch_biases()
        self.paths = [path is not None for path in (hh, lh, hl, ll)]

        def convolution_sum(bias: Tensor | None, *weights: Tensor | None) -> ConvolutionSum | None:
            some = [weight for weight in weights if weight is not None]
            return ConvolutionSum(conv, some, bias) if some else None

        self.high = convolution_sum(bias_high, hh, lh if self.halves else None)
        self.up = None if self.halves else convolution_sum(None if self.high else bias_high, lh)
        self.low = convolution_sum(bias_low, hl, ll)

    def forward(self, x: Features) -> Features:
        """As `OctConv2d.forward`."""
        high, low = branches(x, self.in_channels, self.low_in)
        hh, lh, hl, ll = self.paths
        to_high: list[Tensor] = []
        to_low: list[Tensor] = []
        if high is not None:
            high = _halve(high) if self.halves else high
            to_high += [high] if hh else []
            to_low += [_halve(high)] if hl else []
        if low is not None:
            to_high += [low] if lh and self.halves else []
            to_low += [_halve(low) if self.halves else low] if ll else []
        y_high = None if self.high is None else self.high(to_high)
        if self.up is not None and low is not None:
            risen = self.up([low])
            y_high = double(risen) if y_high is None else _add_doubled(y_high, risen)
        return joined(y_high, None if self.low is None else self.low(to_low))


def _constant(x: Tensor) -> nn.Parameter:
    return nn.Parameter(x.detach().clone(), requires_grad=False)


def _eager(x: Tensor) -> bool:
    """Whether these ways pay: computed at once, on a CPU. A compiler fuses pooling, doubling and sums by itself.

    Nor with autocast, which leaves the operations in place alone, so that dtypes would differ.
    """
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not torch.is_autocast_enabled(x.device.type)


def _channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


def _product(maps: list[Tensor], weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve 1x1 pixel: maps (N, C_i, h, w) channels-last, weight (out, sum of C_i, 1, 1)."""
    n, _, h, w = maps[0].shape
    kernel = weight.flatten(1).t()
    first, *others = (kernel,) if len(maps) == 1 else torch.split(kernel, [x.shape[1] for x in maps])
    pixels = _pixels(maps[0])
    y = pixels @ first if bias is None else torch.addmm(bias, pixels, first)
    for x, kernel in zip(maps[1:], others, strict=True):
        y.addmm_(_pixels(x), kernel)
    return y.view(n, h, w, -1).permute(0, 3, 1, 2)


def _pixels(x: Tensor) -> Tensor:
    """(N, C, h, w) channels-last -> (N*h*w, C), the same memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _halve(x: Tensor) -> Tensor:
    """As `halve`; contiguous maps by a product of each two rows, laid end to end, with a fixed matrix."""
    n, c, h, w = x.shape
    if not _eager(x) or not x.is_contiguous() or _channels_last(x) or h % 2 or w % 2 or w > _WIDEST:
        return halve(x)
    return (x.view(-1, 2 * w) @ _averaging(w, x.dtype)).view(n, c, h // 2, w // 2)


def _add_doubled(y: Tensor, x: Tensor) -> Tensor:
    """Return y + double(x), in y's memory if it can be: (N, C, h, w) and (N, C, ceil(h/2), ceil(w/2))."""
    n, c, h, w = y.shape
    if not _eager(y) or h % 2 or w % 2:
        return y + double(x, (h, w))
    if _channels_last(y) and _channels_last(x):
        tall = x.permute(0, 2, 3, 1).view(n, h // 2, 1, w // 2, 1, c)
        y.permute(0, 2, 3, 1).view(n, h // 2, 2, w // 2, 2, c).add_(tall)
        return y
    if y.is_contiguous() and w <= _WIDEST:
        y.view(-1, 2 * w).addmm_(x.reshape(-1, w // 2), _repetition(w, y.dtype))
        return y
    return y.add_(double(x, (h, w)))


@lru_cache(maxsize=64)
def _averaging(width: int, dtype: torch.dtype) -> Tensor:
    """(2w, w/2): two rows of w pixels, end to end, to the averages of 2x2 pixels."""
    with torch.inference_mode(False):
        return _repetition(width, dtype).t().mul(0.25).contiguous()


@lru_cache(maxsize=64)
def _repetition(width: int, dtype: torch.dtype) -> Tensor:
    """(w/2, 2w): a row of w/2 pixels to two rows, end to end, of each pixel twice."""
    with torch.inference_mode(False):
        row = torch.eye(width // 2, dtype=dtype).repeat_interleave(2, dim=1)  # (w/2, w)
        return row.repeat(1, 2)
