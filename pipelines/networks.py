"""Networks by name, for frequency channels and for pixels, with or without a gate in front."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torchvision
from torch import nn

from freqlearn import models
from freqlearn.models.octave import octavize, split_by_frequency
from freqlearn.spec import InputSpec

_NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnet101": models.resnet101,
    "resnet152": models.resnet152,
    "mobilenet_v2": models.mobilenet_v2,
    "small": models.small,
}
NETWORK_NAMES: tuple[str, ...] = tuple(_NETWORKS)


def default_size_px(name: str, kind: str) -> int:
    """Picture size that a network is made for: a ResNet then gets 56x56 maps, MobileNetV2 112x112."""
    if kind == "rgb" or name == "small":
        return 224
    return 896 if name == "mobilenet_v2" else 448


def usual_resize_px(size_px: int) -> int:
    """Short side before the centre crop in evaluation, by everybody's ratio: 256 for 224, DCTNet's 512 for 448."""
    return round(size_px * 8 / 7)


def build_network(
    name: str,
    spec: InputSpec,
    *,
    num_classes: int,
    stage2_stride: int = 2,
    gate: bool = False,
    octave: float = 0.0,
    octave_input: bool = False,
    norm: models.NormName = "batch",
) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: One of NETWORK_NAMES.
        spec: What it is given; of kind "rgb" it is torchvision's network of that name.
        num_classes: Number of logits.
        stage2_stride: For ResNets on frequency channels, see freqlearn.models.
        gate: Put a FrequencyGate in front: the result is a Sequential with the children `gate` and `network`.
        octave: Alpha of octave convolution, see `freqlearn.models.octave.octavize`; for ResNets. 0 is without.
        octave_input: Give the network the lowest frequency channels, the share `octave` of them, at half resolution.
        norm: How it normalises its maps, see `freqlearn.models.norm_layer`; a gate keeps its BatchNorm.

    Raises:
        ValueError: If there is no such network, or the options do not fit the spec.
    """
    if name not in _NETWORKS:
        raise ValueError(f"unknown network {name!r}; known are {', '.join(NETWORK_NAMES)}")
    if stage2_stride != 2 and (spec.kind == "rgb" or not name.startswith("resnet")):
        raise ValueError(f"stage2_stride is for ResNets on frequency channels, not for {name} on {spec}")
    if octave and not name.startswith("resnet"):
        raise ValueError(f"octave is for ResNets, not for {name}")
    if octave_input and (spec.kind == "rgb" or not octave):
        raise ValueError("octave_input is for frequency channels and a network with octave above 0")
    norm_layer = models.norm_layer(norm)
    if spec.channels is None:
        if gate:
            raise ValueError("a gate is for frequency channels; the spec is of kind rgb")
        network = _rgb_network(name, num_classes, norm_layer)
        return _octavized(network, octave, ()) if octave else network
    options: dict[str, Any] = {"stage2_stride": stage2_stride} if name.startswith("resnet") else {}
    if norm != "batch":
        options["norm_layer"] = norm_layer
    network = _NETWORKS[name](spec=spec, num_classes=num_classes, **options)
    if octave:
        low = split_by_frequency(spec.channels, octave)[1] if octave_input else ()
        _octavized(network, octave, low)
    if not gate:
        return network
    return nn.Sequential(OrderedDict(gate=models.FrequencyGate(spec.channels), network=network))


def gate_of(model: nn.Module) -> models.FrequencyGate | None:
    """The gate that `build_network` has put in front of a network; None if it has not."""
    gate = getattr(model, "gate", None)
    return gate if isinstance(gate, models.FrequencyGate) else None


def check_instance_norm(model: nn.Module, spec: InputSpec) -> None:
    """Refuse a network with InstanceNorm that makes maps of one place: they have no variance, and nothing is learned.

    Args:
        model: What `build_network` made, on the meta device.
        spec: What it is given.

    Raises:
        ValueError: If it does.
    """
    network = model if gate_of(model) is None else model.get_submodule("network")
    if not any(isinstance(part, nn.InstanceNorm2d) for part in network.modules()):
        return
    try:
        network.train()(torch.empty(2, spec.in_channels, spec.map_size, spec.map_size, device="meta"))
    except ValueError as error:
        if "spatial element" not in str(error):
            raise
        raise ValueError(
            f"norm instance cannot train on maps of 1x1, which the network makes of {spec}; use a larger size_px, or "
            "another norm"
        ) from error


def _octavized(network: nn.Module, octave: float, low: Iterable[int]) -> nn.Module:
    try:
        return octavize(network, octave, low_input=low)
    except ValueError as error:  # it speaks of alphas, which nobody gave
        raise ValueError(f"octave {octave:g}: {error}") from error


def _rgb_network(name: str, num_classes: int, norm_layer: Callable[..., nn.Module]) -> nn.Module:
    if name == "small":
        raise ValueError("the small network is for frequency channels; for rgb take a ResNet or mobilenet_v2")
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=num_classes, norm_layer=norm_layer
    )
    return network
