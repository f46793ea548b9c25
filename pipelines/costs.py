"""What a network costs: multiply-accumulates of a forward pass."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from freqlearn.pipelines.networks import build_network
from freqlearn.spec import InputSpec


def macs(network: nn.Module, maps: torch.Tensor) -> int:
    """Multiply-accumulates of a forward pass, counted by torch; as well on the meta device.

    One is a multiplication and an addition of a convolution or linear layer, as torch.utils.flop_counter counts them.

    Args:
        network: In evaluation mode, on the maps' device.
        maps: (N, C, h, w) float32.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(maps)
    return int(counter.get_total_flops()) // 2


def macs_per_image(name: str, spec: InputSpec, *, num_classes: int, **arguments: Any) -> int:
    """Multiply-accumulates of one image; computes nothing, so it takes as long for large networks as for small ones.

    Args:
        name: Network, as of `freqlearn.pipelines.networks.build_network`.
        spec: What it is given.
        num_classes: Number of logits.
        **arguments: Further arguments of `build_network`, such as stage2_stride, gate and octave.
    """
    with torch.device("meta"):
        network = build_network(name, spec, num_classes=num_classes, **arguments).eval()
        return macs(network, torch.empty(1, spec.in_channels, spec.map_size, spec.map_size))
