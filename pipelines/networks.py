"""Networks by name, for frequency channels and for pixels, with or without a gate in front."""

from collections import OrderedDict
from typing import get_args

import torchvision
from torch import nn

from freqlearn import models
from freqlearn.pipelines.options import NetworkName
from freqlearn.spec import InputSpec

NETWORK_NAMES: tuple[str, ...] = get_args(NetworkName)


def default_size_px(name: str, kind: str) -> int:
    """Picture size that a network is made for: its first stage then sees 56x56 maps (MobileNetV2: 112x112)."""
    if kind == "rgb":
        return 224
    return 896 if name == "mobilenet_v2" else 448


def build_network(
    name: str, spec: InputSpec, *, num_classes: int, stage2_stride: int = 2, gate: bool = False
) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: One of NETWORK_NAMES.
        spec: What it is given; of kind "rgb" it is torchvision's network of that name.
        num_classes: Number of logits.
        stage2_stride: For ResNets on frequency channels, see freqlearn.models.
        gate: Put a FrequencyGate in front: the result is a Sequential with the children `gate` and `network`.

    Raises:
        ValueError: If there is no such network, or the options do not fit the spec.
    """
    if name not in NETWORK_NAMES:
        raise ValueError(f"unknown network {name!r}; known are {', '.join(NETWORK_NAMES)}")
    if spec.kind == "rgb":
        if gate or stage2_stride != 2:
            raise ValueError("a gate and stage2_stride are for frequency channels; the spec is of kind rgb")
        if name == "small":
            raise ValueError("the network `small` is for frequency channels; for pixels choose resnet18 or larger")
        rgb: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=num_classes)
        return rgb
    options = {"stage2_stride": stage2_stride} if name.startswith("resnet") else {}
    if not options and stage2_stride != 2:
        raise ValueError(f"stage2_stride is for ResNets; {name} has none")
    network: nn.Module = getattr(models, name)(spec=spec, num_classes=num_classes, **options)
    if not gate:
        return network
    channels = spec.channels if spec.channels is not None else spec.in_channels
    return nn.Sequential(OrderedDict(gate=models.FrequencyGate(channels), network=network))
