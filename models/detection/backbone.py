"""A ResNet and its feature pyramid, on frequency channels or on pixels."""

from collections.abc import Callable
from typing import Final, cast

import torchvision
from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import ResNet
from torchvision.ops import FrozenBatchNorm2d

from freqlearn import models

_STAGES: Final = ("layer1", "layer2", "layer3", "layer4")
_PYRAMID_CHANNELS: Final = 256
# From the last to the first, as torchvision counts them; bn1 belongs to conv1.
_LAYERS: Final = (*reversed(_STAGES), "conv1")
_INPUT_LAYER: Final = ("layer1.0.conv1.", "layer1.0.bn1.", "layer1.0.downsample.")


def resnet_fpn(
    name: str, in_channels: int | None, *, trainable_layers: int, norm_layer: Callable[..., nn.Module] | None
) -> BackboneWithFPN:
    """Return a ResNet with a feature pyramid, strides 4 to 64 picture pixels; random weights.

    Args:
        name: "resnet18" and so on.
        in_channels: Number of frequency channels, in maps of 4 picture pixels a cell; None for pixels and torchvision's
            own ResNet.
        trainable_layers: 0..5, how many layers counted from the last are not frozen, as torchvision counts: ``layer4``
            to ``layer1``, then the stem. The input layer of frequency channels, which no RGB weights fit, and its
            normalisation are never frozen; so 4 and 5 are the same for them.
        norm_layer: Of the ResNet; BatchNorm2d by default. With FrozenBatchNorm2d the input layer of frequency channels
            still has BatchNorm2d: it has statistics of its own to learn.

    Raises:
        ValueError: If trainable_layers is not in 0..5.
    """
    if not 0 <= trainable_layers <= len(_LAYERS):
        raise ValueError(f"expected trainable_layers in 0..{len(_LAYERS)}, got {trainable_layers}")
    network: ResNet
    if in_channels is None:
        network = getattr(torchvision.models, name)(norm_layer=norm_layer)
    else:
        network = getattr(models, name)(in_channels=in_channels, norm_layer=norm_layer)
        _thaw_input_norms(network)
    _freeze(network, trainable_layers)
    finest = network.inplanes // 8
    return BackboneWithFPN(
        network,
        return_layers={stage: str(level) for level, stage in enumerate(_STAGES)},
        in_channels_list=[finest * 2**level for level in range(len(_STAGES))],
        out_channels=_PYRAMID_CHANNELS,
    )


def _thaw_input_norms(network: ResNet) -> None:
    for name, module in list(network.named_modules()):
        if isinstance(module, FrozenBatchNorm2d) and f"{name}.".startswith(_INPUT_LAYER):
            parent, _, child = name.rpartition(".")
            channels = len(cast(nn.Parameter, module.weight))
            setattr(network.get_submodule(parent), child, nn.BatchNorm2d(channels, eps=module.eps))


def _freeze(network: ResNet, trainable_layers: int) -> None:
    trained = _LAYERS[:trainable_layers] + (("bn1",) if trainable_layers == len(_LAYERS) else ())
    if not hasattr(network, "conv1"):
        trained += _INPUT_LAYER
    for name, parameter in network.named_parameters():
        if not name.startswith(trained):
            parameter.requires_grad_(False)
