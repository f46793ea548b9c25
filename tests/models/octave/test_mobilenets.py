"""What both Oct-MobileNets have to do alike."""

import pytest
import torch
from torch import nn

from freqlearn.models.octave import oct_mobilenet_v1, oct_mobilenet_v2


@pytest.mark.parametrize("build", [oct_mobilenet_v1, oct_mobilenet_v2])
def test_options_reach_every_layer_and_all_parameters_learn(build):
    network = build(0.25, 0.5, num_classes=3, norm_layer=lambda channels: nn.GroupNorm(1, channels), dropout=0.4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert network.classifier[0].p == 0.4
    logits = network(torch.randn(2, 3, 37, 70))
    assert logits.shape == (2, 3)
    logits.square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
