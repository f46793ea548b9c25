"""MobileNetV1 with and without octaves: published costs, where the low branch is, and what must not change."""

import pytest
import torch
from octave_networks import blind, count_like_the_authors, enliven, is_pair_by_name, joined_state, one_colour

from freqlearn.models.octave import OctConv2d, oct_mobilenet_v1
from freqlearn.pipelines.costs import macs


@pytest.mark.parametrize(
    ("width_mult", "parameters", "mmacs"), [(1.0, 4.2, 569), (0.75, 2.6, 325), (0.5, 1.3, 149), (0.25, 0.5, 41)]
)
def test_cost_without_octaves_is_the_papers(width_mult, parameters, mmacs):
    # MobileNets (arXiv 1704.04861), table 6.
    with torch.device("meta"):
        network = oct_mobilenet_v1(width_mult, 0).eval()
        assert macs(network, torch.empty(1, 3, 224, 224)) / 1e6 == pytest.approx(mmacs, abs=0.5)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(parameters, abs=0.05)


@pytest.mark.parametrize(
    ("width_mult", "alpha", "parameters", "mflops"), [(1.0, 0.5, 4.2, 321), (0.75, 0.375, 2.6, 213)]
)
def test_cost_is_the_authors(width_mult, alpha, parameters, mflops):
    with torch.device("meta"):
        network = oct_mobilenet_v1(width_mult, alpha)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(parameters, abs=0.05)
    mmacs, counted = count_like_the_authors(network)
    assert mmacs == pytest.approx(mflops, rel=0.02)
    # Their tool counts the stem's ReLU too, but not those of pairs, which are of another operator.
    assert counted + int(32 * width_mult) * 112 * 112 / 1e6 == pytest.approx(mflops, abs=0.5)


@pytest.mark.parametrize("alpha", [0, 0.125, 0.5, 1])
def test_octaves_add_no_parameters(alpha):
    with torch.device("meta"):
        network = oct_mobilenet_v1(1.0, alpha)
    # Keras lists MobileNet's 4,253,864 with 21,888 that are not trained.
    assert sum(p.numel() for p in network.parameters()) == 4_253_864 - 21_888


def test_last_three_pointwise_convolutions_give_no_low_branch():
    network = oct_mobilenet_v1(0.25, 0.5, num_classes=3).eval()
    pictures = torch.randn(1, 3, 32, 32)
    depthwise = is_pair_by_name(network, pictures, [f"features.{block}.0" for block in range(1, 14)])
    pointwise = is_pair_by_name(network, pictures, [f"features.{block}.1" for block in range(1, 14)])
    assert depthwise == [False] + [True] * 10 + [False] * 2
    assert pointwise == [True] * 10 + [False] * 3


@pytest.mark.parametrize("alpha", [0.3, 0.5, 1])
def test_computes_the_plain_network_on_one_colour(alpha):
    torch.manual_seed(0)
    plain = enliven(oct_mobilenet_v1(0.25, 0, num_classes=5))
    octave = oct_mobilenet_v1(0.25, alpha, num_classes=5).eval()
    state = blind(plain.state_dict())
    plain.load_state_dict(state)
    octave.load_state_dict(state)
    assert joined_state(octave).keys() == state.keys() or alpha == 1
    with torch.no_grad():
        expected = plain(one_colour())
        torch.testing.assert_close(octave(one_colour()), expected, rtol=1e-4, atol=1e-4)
    assert expected.std(dim=0).min() > 0.01  # else it would say nothing


def test_initial_weights_are_torchvisions():
    # He et al.: fan out of a pointwise convolution of 64 channels at width 1, of a 3x3 kernel elsewhere.
    network = oct_mobilenet_v1(1.0, 0.5)
    pointwise = network.features[8][1][0]
    assert isinstance(pointwise, OctConv2d)
    assert pointwise.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert network.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not network.classifier[1].bias.any()


@pytest.mark.parametrize(
    ("width_mult", "alpha", "message"),
    [
        (0.01, 0.5, "expected width_mult of at least 0.03125, got 0.01"),
        (1.0, 1.5, r"expected alpha.* within 0\.\.1, got 1\.5"),
        (0.25, 0.01, "leaves no low channel"),
    ],
)
def test_refuses(width_mult, alpha, message):
    with pytest.raises(ValueError, match=message):
        oct_mobilenet_v1(width_mult, alpha)
