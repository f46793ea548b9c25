"""A narrowed network computes what the whole one does with zeros in place of the channels that it lost."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import freqlearn as fl
from freqlearn import models
from freqlearn.models.octave import octavize

SIZE_PX = 32


def octave(make: Any, alpha: float, low_input: tuple[int, ...] = ()) -> Any:
    def made(**options: Any) -> nn.Module:
        return octavize(make(**options), alpha, low_input=low_input)

    return made


def network_with_statistics(make: Any, channels: int, **options: Any) -> nn.Module:
    """In float64 and evaluation mode, with BatchNorm layers as training leaves them: no two channels alike."""
    torch.manual_seed(0)
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.of(range(channels)), SIZE_PX)
    network: nn.Module = make(spec=spec, num_classes=5, **options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.momentum = 1.0  # the statistics of the one batch below
    with torch.no_grad():
        network.train()(torch.randn(8, channels, SIZE_PX // 8, SIZE_PX // 8) + 0.3)
    return network.double().eval()


@pytest.mark.parametrize(
    ("make", "channels", "options"),
    [
        pytest.param(models.small, 24, {}, id="small"),
        pytest.param(models.resnet18, 24, {}, id="resnet18"),
        pytest.param(models.resnet18, 24, {"stage2_stride": 1}, id="resnet18 stride 1"),
        pytest.param(models.resnet18, 64, {}, id="resnet18 adds its input"),
        pytest.param(models.resnet50, 24, {}, id="resnet50"),
        pytest.param(octave(models.resnet18, 0.25), 24, {}, id="octave"),
        pytest.param(octave(models.resnet50, 0.5, (8, 3, 11, 0, 20)), 24, {}, id="octave input"),
        pytest.param(octave(models.resnet18, 0.25), 64, {}, id="octave adds its input"),
        pytest.param(octave(models.resnet18, 0.25, tuple(range(3, 19))), 64, {}, id="octave input is added"),
        pytest.param(models.mobilenet_v2, 24, {}, id="mobilenet_v2"),
        pytest.param(models.mobilenet_v2, 16, {}, id="mobilenet_v2 adds its input"),
    ],
)
@pytest.mark.parametrize("kept", [(11,), (3, 0, 15, 7, 8, 1)], ids=["one", "six out of order"])
def test_narrowed_network_computes_the_same(make: Any, channels: int, options: Any, kept: tuple[int, ...]) -> None:
    whole = network_with_statistics(make, channels, **options)
    narrow: Any = copy.deepcopy(whole)
    models.narrow(narrow, fl.ChannelSet.of(kept))
    maps = torch.randn(2, channels, SIZE_PX // 8, SIZE_PX // 8, dtype=torch.float64)
    zeroed = torch.zeros_like(maps)
    zeroed[:, list(kept)] = maps[:, list(kept)]
    with torch.no_grad():
        expected, got = whole(zeroed), narrow(maps[:, list(kept)])
        assert not torch.allclose(whole(maps), expected, atol=1e-3), (
            "the other channels must matter for this to be a test"
        )
    # Sums over other numbers of terms: a few units of float64's rounding.
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert tuple(narrow.spec.channels) == kept
    assert narrow.in_channels == len(kept)


def test_all_channels_may_be_kept_in_another_order() -> None:
    whole = network_with_statistics(models.small, 5)
    narrow: Any = copy.deepcopy(whole)
    models.narrow(narrow, fl.ChannelSet.of((4, 3, 2, 1, 0)))
    maps = torch.randn(1, 5, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(narrow(maps.flip(1)), whole(maps), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("network", "channels", "message"),
    [
        pytest.param(models.small(in_channels=3).eval(), (0,), "made from a spec", id="no spec"),
        pytest.param(network_with_statistics(models.small, 3).train(), (0,), "evaluation mode", id="training"),
        pytest.param(network_with_statistics(models.small, 3), (0, 3), r"lacks 3", id="unknown channel"),
    ],
)
def test_what_cannot_be_narrowed(network: nn.Module, channels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.narrow(network, fl.ChannelSet.of(channels))


def test_other_networks_are_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a network of freqlearn\.models, got Linear"):
        models.narrow(nn.Linear(1, 1), fl.ChannelSet.of((0,)))
    other: Any = models.mobilenet_v2(
        spec=fl.InputSpec.unstandardised(fl.ChannelSet.of(range(3)), SIZE_PX), norm_layer=lambda n: nn.GroupNorm(1, n)
    )
    with pytest.raises(TypeError, match="expected BatchNorm2d in the first block, got GroupNorm"):
        models.narrow(other.eval(), fl.ChannelSet.of((0,)))


def test_low_channels_alone_of_odd_maps_are_refused() -> None:
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.of(range(6)), 40)
    network = octavize(models.resnet18(spec=spec), 0.5, low_input=(0, 1, 2)).eval()
    with pytest.raises(ValueError, match=r"one channel of the high branch .* 5x5; got Y\(0,2\), Y\(0,0\)"):
        models.narrow(network, fl.ChannelSet.of((2, 0)))
    models.narrow(network, fl.ChannelSet.of((2, 5)))
    assert network(torch.zeros(1, 2, 5, 5)).shape == (1, 1000)
