"""A gate as after training, and what it must compute."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from freqlearn.channels import ChannelSet
from freqlearn.models import FrequencyGate


def _lively_gate(channels: ChannelSet | int = 24, seed: int = 0) -> FrequencyGate:
    """A gate whose switches depend on the image, as after training."""
    torch.manual_seed(seed)
    gate = FrequencyGate(channels)
    nn.init.normal_(gate.logits.weight, std=2.0)
    nn.init.normal_(gate.logits.bias)
    nn.init.normal_(gate.norm.running_mean, std=0.1)
    nn.init.uniform_(gate.norm.running_var, 0.5, 1.5)
    return gate


def _probabilities(gate: FrequencyGate, maps: Tensor) -> Tensor:
    """(N, C) P(on) in evaluation, in float64 from the definition (Xu et al., figure 4)."""
    pooled = maps.double().mean(dim=(2, 3))
    hidden = pooled @ gate.squeeze.weight.double()[:, :, 0, 0].T + gate.squeeze.bias.double()
    norm = gate.norm
    hidden = (hidden - norm.running_mean.double()) / (norm.running_var.double() + norm.eps).sqrt()
    hidden = (hidden * norm.weight.double() + norm.bias.double()).clamp(min=0)
    off = hidden * gate.logits.weight.double()[0::2, 0, 0, 0] + gate.logits.bias.double()[0::2]
    on = hidden * gate.logits.weight.double()[1::2, 0, 0, 0] + gate.logits.bias.double()[1::2]
    return 1 / (1 + (off - on).exp())


@pytest.fixture
def lively_gate() -> Callable[..., FrequencyGate]:
    """Function (channels=24, seed=0) -> a gate whose switches depend on the image."""
    return _lively_gate


@pytest.fixture
def probabilities() -> Callable[[FrequencyGate, Tensor], Tensor]:
    """Function (gate, maps) -> (N, C) P(on), computed independently."""
    return _probabilities
