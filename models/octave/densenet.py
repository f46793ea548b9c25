"""DenseNet with octave convolutions, for pictures.

"Densely Connected Convolutional Networks" (Huang et al., arXiv 1608.06993) as the authors of octave convolution built
it (github.com/facebookresearch/OctConv, `densenet.py`).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqlearn.models.octave.by_alpha import convolution, initialise, normalisation
from freqlearn.models.octave.layers import OctAvgPool2d, OctMaxPool2d, OctReLU
from freqlearn.models.octave.pair import Features, concatenate, low_channels


class Concatenated:
    """Channels that are several features side by side: how many are low, and where a plain network has them.

    A plain network concatenates whole features; with pairs all high branches come first, then all low ones.

    Args:
        sizes: Channels of each feature.
        alpha: Fraction of each that is low, each rounded down.
    """

    def __init__(self, sizes: Sequence[int], alpha: float) -> None:
        self.channels = sum(sizes)
        high: list[int] = []
        low: list[int] = []
        start = 0
        for size in sizes:
            end = start + size
            boundary = end - low_channels(size, alpha)
            high += range(start, boundary)
            low += range(boundary, end)
            start = end
        self.order = high + low
        """Index in the plain network of each channel, high ones first."""
        self.alpha = len(low) / self.channels
        """Fraction of all channels that is low, exact."""

    def reorder(self, state_dict: dict[str, Any], prefix: str, norm: str, conv: str) -> None:
        """Put a plain network's normalisation and the convolution after it into this order.

        The state of pairs is in order already; it is told apart by its normalisation, a part for each branch.

        Args:
            state_dict: Whose entries to replace.
            prefix: Of the module that both layers are in.
            norm: Name of the normalisation layer.
            conv: Name of the convolution.
        """
        norm, weight = f"{prefix}{norm}.", f"{prefix}{conv}.weight"
        branches = (f"{norm}high.", f"{norm}low.")
        plain = [key for key in state_dict if key.startswith(norm) and not key.startswith(branches)]
        if not plain or not 0 < self.alpha < 1:
            return
        for key in plain:
            if state_dict[key].shape == (self.channels,):
                state_dict[key] = state_dict[key][self.order]
        if weight in state_dict and state_dict[weight].shape[1] == self.channels:
            state_dict[weight] = state_dict[weight][:, self.order]


class OctDenseLayer(nn.Module):
    """What a dense block repeats: a 1x1 and a 3x3 convolution, each after normalisation and ReLU, on pairs.

    Parameters are named as in torchvision's; its state dict loads at any alpha.

    Args:
        inputs: The concatenated features that it takes.
        growth_rate: Channels that it gives.
        bn_size: Channels between the convolutions, as a multiple of ``growth_rate``.
        alpha: Fraction of the channels that is low.
        norm_layer: Makes a normalisation layer from a number of channels.
    """

    def __init__(
        self, inputs: Concatenated, growth_rate: int, bn_size: int, alpha: float, norm_layer: Callable[..., nn.Module]
    ) -> None:
        super().__init__()
        self.inputs = inputs
        between = bn_size * growth_rate
        self.norm1 = normalisation(norm_layer, inputs.channels, inputs.alpha)
        self.relu1 = OctReLU(inplace=True)
        self.conv1 = convolution(inputs.channels, between, 1, alpha_in=inputs.alpha, alpha_out=alpha)
        self.norm2 = normalisation(norm_layer, between, alpha)
        self.relu2 = OctReLU(inplace=True)
        self.conv2 = convolution(between, growth_rate, 3, padding=1, alpha_in=alpha, alpha_out=alpha)

    def forward(self, features: list[Features]) -> Features:
        """Features of ``inputs.channels`` together, (N, C_i, h, w) -> (N, growth_rate, h, w)."""
        between = self.conv1(self.relu1(self.norm1(concatenate(features))))
        new: Features = self.conv2(self.relu2(self.norm2(between)))
        return new

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        self.inputs.reorder(state_dict, prefix, "norm1", "conv1")
        super()._load_from_state_dict(state_dict, prefix, *args)


class OctDenseBlock(nn.Module):
    """Dense layers, each of which takes the block's input and all its predecessors' outputs.

    Args:
        layers: Number of layers, named ``denselayer1`` and so on.
        in_channels: Channels of the input.
        growth_rate: Channels that each layer adds.
        bn_size: As of `OctDenseLayer`.
        alpha: Fraction of the channels that is low.
        norm_layer: Makes a normalisation layer from a number of channels.
    """

    def __init__(
        self,
        layers: int,
        in_channels: int,
        growth_rate: int,
        bn_size: int,
        alpha: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        sizes = [in_channels]
        for index in range(layers):
            layer = OctDenseLayer(Concatenated(sizes, alpha), growth_rate, bn_size, alpha, norm_layer)
            self.add_module(f"denselayer{index + 1}", layer)
            sizes.append(growth_rate)
        self.outputs = Concatenated(sizes, alpha)

    def forward(self, x: Features) -> Features:
        """(N, in_channels, h, w) -> (N, in_channels + layers * growth_rate, h, w)."""
        features = [x]
        for layer in self.children():
            features.append(layer(features))
        return concatenate(features)


class OctTransition(nn.Sequential):
    """Between dense blocks: half the channels by a 1x1 convolution, half the resolution by averaging.

    Maps of odd size are rounded up in a pair, as everywhere in pairs, and down without one, as in torchvision.

    Args:
        inputs: The concatenated features that it takes.
        alpha_out: Fraction of the output channels that is low.
        norm_layer: Makes a normalisation layer from a number of channels.
    """

    def __init__(self, inputs: Concatenated, alpha_out: float, norm_layer: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.inputs = inputs
        self.norm = normalisation(norm_layer, inputs.channels, inputs.alpha)
        self.relu = OctReLU(inplace=True)
        self.conv = convolution(inputs.channels, inputs.channels // 2, 1, alpha_in=inputs.alpha, alpha_out=alpha_out)
        self.pool = nn.AvgPool2d(2, 2) if alpha_out == 0 else OctAvgPool2d()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        self.inputs.reorder(state_dict, prefix, "norm", "conv")
        super()._load_from_state_dict(state_dict, prefix, *args)


class OctDenseNet(nn.Module):
    """DenseNet-BC with an octave stem and three octave dense blocks; the last dense block has no low branch.

    Parameters are named as in torchvision's DenseNet, whose state dict loads at any alpha (each channel keeps its
    neighbours, though the order within a concatenation is another); with alpha 0 it computes the same.

    Args:
        alpha: Fraction of the channels that is low, 0..1.
        growth_rate: Channels that each dense layer adds.
        block_config: Number of layers of each dense block.
        num_init_features: Channels of the stem.
        bn_size: Channels within a dense layer, as a multiple of ``growth_rate``.
        num_classes: Number of classes.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.

    Raises:
        ValueError: If alpha leaves a branch without channels.
    """

    def __init__(
        self,
        alpha: float,
        *,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm_layer = nn.BatchNorm2d if norm_layer is None else norm_layer
        modules: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=convolution(3, num_init_features, 7, stride=2, padding=3, alpha_in=0, alpha_out=alpha),
            norm0=normalisation(norm_layer, num_init_features, alpha),
            relu0=OctReLU(inplace=True),
            pool0=OctMaxPool2d(),
        )
        channels = num_init_features
        last = len(block_config)
        for number, layers in enumerate(block_config, start=1):
            block = OctDenseBlock(layers, channels, growth_rate, bn_size, 0 if number == last else alpha, norm_layer)
            modules[f"denseblock{number}"] = block
            channels = block.outputs.channels
            if number < last:
                alpha_out = 0 if number == last - 1 else alpha
                modules[f"transition{number}"] = OctTransition(block.outputs, alpha_out, norm_layer)
                channels //= 2
        modules["norm5"] = norm_layer(channels)
        self.features = nn.Sequential(modules)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self, "fan_in")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) pictures -> (N, num_classes) logits."""
        features = functional.relu(self.features(x), inplace=True)
        logits: Tensor = self.classifier(torch.flatten(functional.adaptive_avg_pool2d(features, 1), 1))
        return logits


def oct_densenet121(
    alpha: float, *, num_classes: int = 1000, norm_layer: Callable[..., nn.Module] | None = None
) -> OctDenseNet:
    """Return an Oct-DenseNet-121; arguments as of `OctDenseNet`."""
    return OctDenseNet(alpha, num_classes=num_classes, norm_layer=norm_layer)
