"""The small network."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec

DCT_24 = InputSpec.unstandardised(ChannelSet.square(24), size_px=112)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (14, 14), (7, 30)], ids=str)
def test_takes_other_sizes(size):
    network = models.small(spec=DCT_24, num_classes=5)
    assert network.spec is DCT_24
    assert network(torch.randn(2, 24, *size)).shape == (2, 5)


def test_every_parameter_learns():
    network = models.small(in_channels=24, num_classes=5)
    network(torch.randn(4, 24, 14, 14)).logsumexp(1).sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize(("size", "mmacs"), [(14, 5.4), (56, 82)])
def test_costs_what_its_docstring_says(size, mmacs):
    network = models.small(in_channels=192, num_classes=9).to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.empty(1, 192, size, size, device="meta"))
    assert float(f"{counter.get_total_flops() / 2e6:.2g}") == mmacs
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(0.12e6, abs=0.005e6)
    assert all(number in models.FrequencySmall.__doc__ for number in (f"{mmacs}", "0.12 million"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "got neither"), ({"in_channels": 32, "spec": DCT_24}, r"in_channels=32 and spec\.in_channels=24 disagree")],
    ids=["neither", "disagree"],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        models.small(**options)


def test_refuses_other_channels():
    with pytest.raises(ValueError, match=r"expected 24 frequency channels.*got 32"):
        models.small(spec=DCT_24)(torch.zeros(1, 32, 8, 8))
