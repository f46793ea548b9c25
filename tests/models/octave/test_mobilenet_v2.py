"""MobileNetV2 with and without octaves: published costs, torchvision's outputs, where the low branch is."""

import pytest
import torch
import torchvision
from octave_networks import blind, count_like_the_authors, enliven, is_pair_by_name, joined_state, one_colour
from torchvision.models.mobilenetv2 import MobileNetV2

from freqlearn.models.octave import OctConv2d, oct_mobilenet_v2
from freqlearn.pipelines.costs import macs


def test_cost_without_octaves_is_the_papers():
    with torch.device("meta"):
        network = oct_mobilenet_v2(1.0, 0).eval()
        # MobileNetV2 (arXiv 1801.04381), table 4.
        assert macs(network, torch.empty(1, 3, 224, 224)) / 1e6 == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    ("width_mult", "alpha", "parameters", "mflops"), [(1.0, 0.375, 3.5, 256), (1.125, 0.5, 4.2, 295)]
)
def test_cost_is_the_authors(width_mult, alpha, parameters, mflops):
    with torch.device("meta"):
        network = oct_mobilenet_v2(width_mult, alpha)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(parameters, abs=0.05)
    mmacs, counted = count_like_the_authors(network)
    assert mmacs == pytest.approx(mflops, rel=0.02)
    assert counted == pytest.approx(mflops, abs=0.5)


def test_without_octaves_it_is_torchvisions():
    torch.manual_seed(0)
    theirs = enliven(torchvision.models.mobilenet_v2(num_classes=4))
    ours = oct_mobilenet_v2(1.0, 0, num_classes=4).eval()
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.randn(2, 3, 50, 64)
    with torch.no_grad():
        assert torch.equal(ours(pictures), theirs(pictures))


def test_rounds_widths_as_torchvision_if_asked():
    with torch.device("meta"):
        theirs = MobileNetV2(width_mult=0.75)
        ours = oct_mobilenet_v2(0.75, 0, round_nearest=8)
        exact = oct_mobilenet_v2(1.125, 0)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    assert exact.features[2].out_channels == 27


def test_only_expanded_channels_of_the_first_13_blocks_are_octave():
    network = oct_mobilenet_v2(0.25, 0.5, num_classes=3).eval()
    pictures = torch.randn(1, 3, 32, 32)
    blocks = range(1, 18)
    for layer in (0, 1):
        expanded = is_pair_by_name(network, pictures, [f"features.{block}.conv.{layer}" for block in blocks])
        assert expanded == [True] * 13 + [False] * 4
    assert not any(is_pair_by_name(network, pictures, [f"features.{block}" for block in blocks]))
    residual = [block for block in blocks if network.features[block].use_res_connect]
    assert residual == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_octaves_do_not_matter_on_one_colour():
    # Torchvision's network has no expansion in the first block, so networks of two alphas are compared.
    torch.manual_seed(0)
    a = enliven(oct_mobilenet_v2(0.25, 0.25, num_classes=5))
    state = blind(joined_state(a))
    results = []
    for alpha in (0.25, 0.6, 1):
        network = oct_mobilenet_v2(0.25, alpha, num_classes=5).eval()
        network.load_state_dict(state)
        with torch.no_grad():
            results.append(network(one_colour()))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(results[2], results[0], rtol=1e-4, atol=1e-4)
    assert results[0].std(dim=0).min() > 0.01  # else it would say nothing


def test_loads_torchvisions_blocks_but_the_first():
    theirs = torchvision.models.mobilenet_v2(num_classes=4)
    ours = oct_mobilenet_v2(1.0, 0.5, num_classes=4)
    for number in range(2, 18):
        ours.features[number].load_state_dict(theirs.features[number].state_dict())
    torch.testing.assert_close(ours.features[5].conv[1][0].weight, theirs.features[5].conv[1][0].weight)
    with pytest.raises(RuntimeError, match=r"features\.1\.conv"):
        ours.load_state_dict(theirs.state_dict())


def test_initial_weights_are_torchvisions():
    network = oct_mobilenet_v2(1.0, 0.5)
    expansion = network.features[11].conv[0][0]
    assert isinstance(expansion, OctConv2d)
    assert expansion.weight.std().item() == pytest.approx((2 / 384) ** 0.5, rel=0.03)


@pytest.mark.parametrize(("alpha", "message"), [(-0.5, r"within 0\.\.1, got -0\.5"), (0.01, "leaves no low channel")])
def test_refuses(alpha, message):
    with pytest.raises(ValueError, match=message):
        oct_mobilenet_v2(1.0, alpha)
