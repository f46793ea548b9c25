"""Normalisation, activation, pooling and squeeze-excitation of pairs; each takes a Tensor where alpha is 0 or 1."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from freqlearn.models.octave.pair import Features, branches, cut, joined, low_channels

torch.fx.wrap("branches")


class OctNorm2d(nn.Module):
    """A normalisation layer for each branch, ``high`` and ``low``.

    The state of one plain layer for all channels loads too: entries of ``channels`` values are cut, others (a count of
    batches) go to both branches.

    Args:
        norm_layer: Function of a number of channels that makes a layer, such as nn.BatchNorm2d.
        channels: Channels of both branches together.
        alpha: Fraction of them that is low.
    """

    high: nn.Module | None
    low: nn.Module | None

    def __init__(self, norm_layer: Callable[[int], nn.Module], channels: int, alpha: float) -> None:
        super().__init__()
        self.channels = channels
        self.alpha = alpha
        self.low_channels = low_channels(channels, alpha)
        high_channels = channels - self.low_channels
        self.high = norm_layer(high_channels) if high_channels else None
        self.low = norm_layer(self.low_channels) if self.low_channels else None

    def forward(self, x: Features) -> Features:
        """Normalise each branch."""
        high, low = branches(x, self.channels, self.low_channels)
        return joined(
            None if self.high is None else self.high(high),
            None if self.low is None else self.low(low),
        )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Cut the state of a plain layer into the branches', then load as any module."""
        kept = {f"{prefix}high": self.high, f"{prefix}low": self.low}
        branch_keys = tuple(f"{branch}." for branch in kept)
        for key in [key for key in state_dict if key.startswith(prefix) and not key.startswith(branch_keys)]:
            value, name = state_dict.pop(key), key.removeprefix(prefix)
            parts = (value, value)
            if isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.channels:
                parts = cut(value, self.channels, self.low_channels, dim=0)
            for (branch, layer), part in zip(kept.items(), parts, strict=True):
                if layer is not None and part is not None:
                    state_dict[f"{branch}.{name}"] = part.clone()
        super()._load_from_state_dict(state_dict, prefix, *args)


class OctBatchNorm2d(OctNorm2d):
    """nn.BatchNorm2d for each branch.

    Args:
        channels: Channels of both branches together.
        alpha: Fraction of them that is low.
        eps: As of nn.BatchNorm2d.
        momentum: As of nn.BatchNorm2d.
    """

    def __init__(self, channels: int, alpha: float, *, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(lambda branch: nn.BatchNorm2d(branch, eps=eps, momentum=momentum), channels, alpha)


class Branchwise(nn.Module):
    """Apply one layer without parameters to each branch: an activation, a pool, dropout.

    Args:
        layer: The layer; a pool must leave the low branch ceil(h/2) x ceil(w/2).
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Features) -> Features:
        """Apply the layer to a Tensor, or to both branches of a pair."""
        if isinstance(x, tuple):
            high, low = x
            return self.layer(high), self.layer(low)
        return cast(Tensor, self.layer(x))


class OctReLU(Branchwise):
    """nn.ReLU of each branch."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(nn.ReLU(inplace))


class OctReLU6(Branchwise):
    """nn.ReLU6 of each branch."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(nn.ReLU6(inplace))


class OctMaxPool2d(Branchwise):
    """nn.MaxPool2d of each branch, with stride 2: 3x3 and padding 1 by default, as ResNet's.

    Args:
        kernel_size: 2 or 3 pixels; 2 rounds odd sizes up.
    """

    def __init__(self, kernel_size: int = 3) -> None:
        if kernel_size not in (2, 3):
            raise ValueError(f"expected a kernel of 2 or 3 pixels, got {kernel_size}")
        super().__init__(nn.MaxPool2d(kernel_size, 2, padding=kernel_size // 3, ceil_mode=kernel_size == 2))


class OctAvgPool2d(Branchwise):
    """Average of 2x2 pixels of each branch; odd sizes round up, and only real pixels count."""

    def __init__(self) -> None:
        super().__init__(nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False))


class OctSqueezeExcite(nn.Module):
    """Squeeze-and-excitation over both branches: one vector of means, one factor for each channel.

    Parameters are those of torchvision's SqueezeExcitation for all channels, high ones first; "Squeeze-and-Excitation
    Networks" (Hu et al., CVPR 2018, arXiv 1709.01507) and the authors' code of octave convolution.

    Args:
        channels: Channels of both branches together.
        squeeze_channels: Channels of the hidden layer.
        alpha: Fraction of the channels that is low.
        activation: Makes the hidden layer's activation.
        scale_activation: Makes the factors' activation.
    """

    def __init__(
        self,
        channels: int,
        squeeze_channels: int,
        alpha: float,
        *,
        activation: Callable[..., nn.Module] = nn.ReLU,
        scale_activation: Callable[..., nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()
        self.channels = channels
        self.alpha = alpha
        self.low_channels = low_channels(channels, alpha)

    def forward(self, x: Features) -> Features:
        """Scale each channel."""
        high, low = branches(x, self.channels, self.low_channels)
        means = [self.avgpool(branch) for branch in (high, low) if branch is not None]
        scale = self.scale_activation(self.fc2(self.activation(self.fc1(torch.cat(means, dim=1)))))
        high_scale, low_scale = cut(scale, self.channels, self.low_channels, dim=1)
        return joined(
            None if high is None or high_scale is None else high * high_scale,
            None if low is None or low_scale is None else low * low_scale,
        )
