"""DenseNet-121 with and without octaves: torchvision's outputs and cost, where the low branch is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from octave_networks import blind, enliven, is_pair_by_name, one_colour
from torch import Tensor, nn

from freqlearn.models.octave import OctDenseNet, oct_densenet121
from freqlearn.pipelines.costs import macs

SMALL = {"growth_rate": 8, "block_config": (2, 3, 2, 2), "num_init_features": 16, "num_classes": 5}


def _small(alpha: float, **options: Any) -> OctDenseNet:
    return OctDenseNet(alpha, **{**SMALL, **options})


def _their_small() -> nn.Module:
    torch.manual_seed(0)
    return enliven(torchvision.models.DenseNet(**SMALL))


@pytest.fixture(scope="module")
def their_macs() -> dict[str, int]:
    """Multiply-accumulates of each of torchvision's layers, for a picture of 224 px."""
    with torch.device("meta"):
        network = torchvision.models.densenet121().eval()
    counts = {}

    def count(name: str) -> Callable[..., None]:
        def hook(module: nn.Conv2d | nn.Linear, _: Any, output: Tensor) -> None:
            counts[name] = module.weight.numel() * output[0, 0].numel()

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count(name))
    with torch.no_grad():
        network(torch.empty(1, 3, 224, 224, device="meta"))
    return counts


def _share(name: str, alpha: float) -> float:
    """What is left of a layer's cost: low paths are computed for a quarter of the pixels (section 3.2 of the paper)."""
    high_in = 1.0 if name in ("features.conv0", "classifier") or "denseblock4" in name else 1 - alpha
    high_out = 1.0 if name == "classifier" or "transition3" in name or "denseblock4" in name else 1 - alpha
    return high_in * high_out + (1 - high_in * high_out) / 4


@pytest.mark.parametrize("alpha", [0, 0.375])
def test_cost(alpha, their_macs):
    with torch.device("meta"):
        network = oct_densenet121(alpha).eval()
        ours = macs(network, torch.empty(1, 3, 224, 224))
    meta = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1.meta
    assert sum(p.numel() for p in network.parameters()) == meta["num_params"]
    assert ours == round(sum(count * _share(name, alpha) for name, count in their_macs.items()))
    if alpha == 0:
        assert ours == pytest.approx(meta["_ops"] * 1e9, abs=0.5e6)  # published with four digits


def test_without_octaves_it_is_torchvisions():
    torch.manual_seed(0)
    theirs = enliven(torchvision.models.densenet121(num_classes=4))
    ours = oct_densenet121(0, num_classes=4).eval()
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.randn(1, 3, 50, 64)
    with torch.no_grad():
        assert torch.equal(ours(pictures), theirs(pictures))


@pytest.mark.parametrize("alpha", [0.125, 0.3, 0.5, 1])
def test_computes_torchvisions_network_on_one_colour(alpha):
    theirs = _their_small()
    state = blind(theirs.state_dict())
    theirs.load_state_dict(state)
    ours = _small(alpha).eval()
    ours.load_state_dict(state)
    with torch.no_grad():
        expected = theirs(one_colour())
        torch.testing.assert_close(ours(one_colour()), expected, rtol=1e-4, atol=1e-4)
    assert expected.std(dim=0).min() > 0.01  # else it would say nothing


@pytest.mark.parametrize("norm_layer", [None, nn.InstanceNorm2d], ids=["BatchNorm2d", "without state"])
def test_own_state_is_loaded_as_it_is(norm_layer):
    torch.manual_seed(0)
    a, b = (_small(0.5, norm_layer=norm_layer) for _ in range(2))
    enliven(a)
    b.eval().load_state_dict(a.state_dict())
    pictures = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(a(pictures), b(pictures))


def test_loading_leaves_the_state_as_it_is():
    state = _their_small().state_dict()
    copy = {key: value.clone() for key, value in state.items()}
    _small(0.5).load_state_dict(state)
    assert state.keys() == copy.keys()
    assert all(torch.equal(state[key], copy[key]) for key in copy)


def test_stem_is_octave_and_the_last_dense_block_is_not():
    names = ["conv0", "pool0", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3"]
    last = ["transition3", "denseblock4", "norm5"]
    given = is_pair_by_name(
        _small(0.5).eval(), torch.randn(1, 3, 64, 64), [f"features.{name}" for name in names + last]
    )
    assert given == [True] * len(names) + [False] * len(last)


@pytest.mark.parametrize("size", [(64, 64), (71, 45), (99, 35)], ids=str)
def test_takes_sizes_and_all_parameters_learn(size):
    network = _small(0.5)
    logits = network(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_initial_weights_are_torchvisions():
    network = oct_densenet121(0.5)
    layer = network.get_submodule("features.denseblock3.denselayer9.conv1")
    assert layer.weight.std().item() == pytest.approx((2 / layer.weight.shape[1]) ** 0.5, rel=0.03)
    assert not network.classifier.bias.any()


def test_options_reach_every_layer():
    network = oct_densenet121(0.25, num_classes=7, norm_layer=lambda channels: nn.GroupNorm(1, channels))
    assert network.classifier.out_features == 7
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(("alpha", "message"), [(2, r"within 0\.\.1, got 2"), (0.01, "leaves no low channel")])
def test_refuses(alpha, message):
    with pytest.raises(ValueError, match=message):
        oct_densenet121(alpha)
