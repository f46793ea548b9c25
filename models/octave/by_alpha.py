"""Convolution, normalisation and activation that are plain layers wherever nothing is low."""

from collections.abc import Callable
from typing import Literal

from torch import nn

from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.layers import Branchwise, OctNorm2d


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    alpha_in: float,
    alpha_out: float,
) -> nn.Module:
    """Return an OctConv2d without a bias; nn.Conv2d if both alphas are 0."""
    if alpha_in == alpha_out == 0:
        return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    return OctConv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        groups=groups,
        bias=False,
        alpha_in=alpha_in,
        alpha_out=alpha_out,
    )


def normalisation(norm_layer: Callable[..., nn.Module], channels: int, alpha: float) -> nn.Module:
    """Return an OctNorm2d; what ``norm_layer`` makes if alpha is 0."""
    return norm_layer(channels) if alpha == 0 else OctNorm2d(norm_layer, channels, alpha)


def convolution_norm_activation(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    alpha_in: float,
    alpha_out: float,
    norm_layer: Callable[..., nn.Module],
    activation_layer: Callable[..., nn.Module],
) -> nn.Sequential:
    """Return the three in sequence, padded to keep the size: torchvision's Conv2dNormActivation for pairs.

    Args:
        in_channels: Input channels of both branches together.
        out_channels: Output channels of both branches together.
        kernel_size: Side of the kernel in pixels, odd.
        stride: 1 or 2.
        groups: Groups of the convolution.
        alpha_in: Fraction of the input channels that is low.
        alpha_out: Fraction of the output channels that is low.
        norm_layer: Makes a normalisation layer from a number of channels.
        activation_layer: Makes an activation; takes ``inplace``.
    """
    activation = activation_layer(inplace=True)
    return nn.Sequential(
        convolution(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            alpha_in=alpha_in,
            alpha_out=alpha_out,
        ),
        normalisation(norm_layer, out_channels, alpha_out),
        activation if alpha_out == 0 else Branchwise(activation),
    )


def initialise(network: nn.Module, mode: Literal["fan_in", "fan_out"], *, linear_std: float | None = None) -> None:
    """Draw a network's convolutions as torchvision does: normal, after He et al. (arXiv 1502.01852); biases are 0.

    An octave convolution has the plain one's fans, for each output sees all input channels.

    Args:
        network: Whose nn.Conv2d, OctConv2d and nn.Linear to draw.
        mode: Which fan sets the standard deviation.
        linear_std: Standard deviation of linear layers' weights; None leaves them as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | OctConv2d):
            nn.init.kaiming_normal_(module.weight, mode=mode)
        elif isinstance(module, nn.Linear):
            if linear_std is not None:
                nn.init.normal_(module.weight, std=linear_std)
            nn.init.zeros_(module.bias)
