"""Residual blocks of pairs, with the parameter names of torchvision's."""

from collections.abc import Callable

from torch import Tensor, nn

from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.layers import OctNorm2d, OctReLU, OctSqueezeExcite
from freqlearn.models.octave.pair import Features, add, cut, halve, joined, low_channels


class _ResidualBlock(nn.Module):
    """What the blocks share: how they end."""

    se: nn.Module | None
    relu: nn.Module
    downsample: nn.Module | None

    def _with_shortcut(self, out: Features, x: Features) -> Features:
        """Squeeze and excite the branch, add the shortcut of the block's input, and activate."""
        if self.se is not None:
            out = self.se(out)
        shortcut = x if self.downsample is None else self.downsample(x)
        result: Features = self.relu(add(out, shortcut, inplace=True))
        return result


class OctBasicBlock(_ResidualBlock):
    """ResNet-18's and -34's residual block, two 3x3 convolutions, on pairs.

    Parameters are named and shaped as in torchvision's BasicBlock, whose state dict it loads at any alpha. The stride
    is in the first convolution.

    Args:
        in_channels: Input channels of both branches together.
        out_channels: Output channels of both branches together.
        stride: 1 or 2.
        alpha_in: Fraction of the input channels that is low.
        alpha_out: Fraction of all other channels that is low.
        downsample: Whether the shortcut is a 1x1 convolution; by default where the shape changes.
        norm_layer: Makes a normalisation layer from a number of channels.
        squeeze_channels: Width of a squeeze-and-excitation before the sum; None for none.

    Raises:
        ValueError: If the shortcut has no convolution, and stride or channels change.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        alpha_in: float,
        alpha_out: float,
        downsample: bool | None = None,
        norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d,
        squeeze_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = OctConv2d(
            in_channels, out_channels, 3, stride, 1, bias=False, alpha_in=alpha_in, alpha_out=alpha_out
        )
        self.bn1 = OctNorm2d(norm_layer, out_channels, alpha_out)
        self.conv2 = OctConv2d(out_channels, out_channels, 3, 1, 1, bias=False, alpha_in=alpha_out, alpha_out=alpha_out)
        self.bn2 = OctNorm2d(norm_layer, out_channels, alpha_out)
        self.se = _squeeze_excite(out_channels, squeeze_channels, alpha_out)
        self.relu = OctReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride, alpha_in, alpha_out, downsample, norm_layer)

    def forward(self, x: Features) -> Features:
        """(N, in_channels, h, w) as a pair or Tensor -> (N, out_channels, h/stride, w/stride), likewise."""
        out = self.relu(self.bn1(self.conv1(x)))
        return self._with_shortcut(self.bn2(self.conv2(out)), x)


class OctBottleneck(_ResidualBlock):
    """The residual block of ResNet-50 and deeper, convolutions of 1x1, 3x3 and 1x1, on pairs.

    Parameters are named and shaped as in torchvision's Bottleneck, whose state dict it loads at any alpha. The stride
    is in the 3x3 convolution, as there and in the authors' code (`resnetv1.py`, v1b).

    Args:
        in_channels: Input channels of both branches together.
        width: Channels of the 3x3 convolution.
        out_channels: Output channels of both branches together.
        stride: 1 or 2.
        groups: Groups of the 3x3 convolution, the same number in each of its paths.
        dilation: Distance of the 3x3 kernel's taps in pixels.
        alpha_in: Fraction of the input channels that is low.
        alpha_out: Fraction of all other channels that is low.
        downsample: Whether the shortcut is a 1x1 convolution; by default where the shape changes.
        norm_layer: Makes a normalisation layer from a number of channels.
        squeeze_channels: Width of a squeeze-and-excitation before the sum; None for none.

    Raises:
        ValueError: If the shortcut has no convolution, and stride or channels change.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        alpha_in: float,
        alpha_out: float,
        downsample: bool | None = None,
        norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d,
        squeeze_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = OctConv2d(in_channels, width, 1, bias=False, alpha_in=alpha_in, alpha_out=alpha_out)
        self.bn1 = OctNorm2d(norm_layer, width, alpha_out)
        self.conv2 = OctConv2d(
            width, width, 3, stride, dilation, dilation, groups, bias=False, alpha_in=alpha_out, alpha_out=alpha_out
        )
        self.bn2 = OctNorm2d(norm_layer, width, alpha_out)
        self.conv3 = OctConv2d(width, out_channels, 1, bias=False, alpha_in=alpha_out, alpha_out=alpha_out)
        self.bn3 = OctNorm2d(norm_layer, out_channels, alpha_out)
        self.se = _squeeze_excite(out_channels, squeeze_channels, alpha_out)
        self.relu = OctReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride, alpha_in, alpha_out, downsample, norm_layer)

    def forward(self, x: Features) -> Features:
        """(N, in_channels, h, w) as a pair or Tensor -> (N, out_channels, h/stride, w/stride), likewise."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self._with_shortcut(self.bn3(self.conv3(out)), x)


class OctSplit(nn.Module):
    """A Tensor as a pair: its last channels are the low ones, averaged to half the resolution.

    The shortcut of a first block whose shape does not change, where a plain network adds the input itself. It has no
    parameters, so that the block still has those of the plain one.

    Args:
        channels: Number of channels.
        alpha: Fraction of them that is low; 0 gives the Tensor itself, 1 a Tensor of half the resolution.
    """

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        self.channels = channels
        self.alpha = alpha
        self.low = low_channels(channels, alpha)

    def forward(self, x: Tensor) -> Features:
        """(N, C, h, w) -> (N, C - low, h, w) and (N, low, ceil(h/2), ceil(w/2))."""
        high, low = cut(x, self.channels, self.low, dim=1)
        return joined(high, None if low is None else halve(low))

    def extra_repr(self) -> str:
        """What print(model) shows."""
        return f"{self.channels}, alpha={self.alpha:g}"


def _shortcut(
    in_channels: int,
    out_channels: int,
    stride: int,
    alpha_in: float,
    alpha_out: float,
    downsample: bool | None,
    norm_layer: Callable[..., nn.Module],
) -> nn.Module | None:
    same_shape = stride == 1 and in_channels == out_channels
    if downsample or (downsample is None and not same_shape):
        convolution = OctConv2d(
            in_channels, out_channels, 1, stride, bias=False, alpha_in=alpha_in, alpha_out=alpha_out
        )
        return nn.Sequential(convolution, OctNorm2d(norm_layer, out_channels, alpha_out))
    if not same_shape:
        raise ValueError(
            f"expected a convolution in the shortcut from {in_channels} to {out_channels} channels with stride "
            f"{stride}, got none; leave out downsample=False"
        )
    if low_channels(in_channels, alpha_in) == low_channels(out_channels, alpha_out):
        return None
    if alpha_in != 0:
        raise ValueError(
            f"expected a convolution in the shortcut from alpha {alpha_in:g} to alpha {alpha_out:g}, got none; "
            "only a Tensor can be split without one"
        )
    return OctSplit(out_channels, alpha_out)


def _squeeze_excite(channels: int, squeeze_channels: int | None, alpha: float) -> nn.Module | None:
    return None if squeeze_channels is None else OctSqueezeExcite(channels, squeeze_channels, alpha)
