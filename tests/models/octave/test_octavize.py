"""octavize: what a ResNet computes with octave convolutions, and what it keeps."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from octave_networks import blind, enliven, is_pair_by_name, one_colour
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

import freqlearn as fl
from freqlearn import models
from freqlearn.models import FrequencyResNet
from freqlearn.models.octave import FrequencySplit, OctBasicBlock, OctBottleneck, OctConv2d, SEBottleneck, octavize

SPEC = fl.InputSpec.unstandardised(fl.ChannelSet.square(24), 64)

# One block a stage: the least that has a first octave convolution, a last one and strides.
NETWORKS = {
    "resnet": partial(ResNet, BasicBlock, [1, 1, 1, 1], num_classes=7),
    "bottleneck": partial(ResNet, Bottleneck, [2, 1, 1, 1], num_classes=7),
    "resnext": partial(ResNet, Bottleneck, [1, 1, 1, 1], num_classes=7, groups=8, width_per_group=8),
    "se": partial(ResNet, SEBottleneck, [1, 1, 1, 1], num_classes=7),
    "dilated": partial(
        ResNet, Bottleneck, [1, 1, 1, 2], num_classes=7, replace_stride_with_dilation=[False, False, True]
    ),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> ResNet:
    torch.manual_seed(0)
    return NETWORKS[request.param]()


def test_alpha_0_computes_the_same_bit_for_bit(network: ResNet) -> None:
    octave = octavize(copy.deepcopy(network), 0)
    assert isinstance(octave.layer1[0].conv1, OctConv2d)
    pictures = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(octave(pictures), network(pictures), rtol=0, atol=0)  # in training
    torch.testing.assert_close(octave.eval()(pictures), network.eval()(pictures), rtol=0, atol=0)


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_pictures_without_detail_see_the_plain_network(network: ResNet, alpha: float) -> None:
    enliven(network).double()
    network.load_state_dict(blind(network.state_dict()))
    octave = octavize(copy.deepcopy(network), alpha)
    with torch.no_grad():
        expected, got = network(one_colour().double()), octave(one_colour().double())
    assert expected.std() > 1e-3
    # The same sums of a few thousand terms in another order.
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


# octavize sorts a ResNeXt's channels: each group has high and low ones.
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "resnext"], indirect=True)
def test_the_plain_state_loads(network: ResNet) -> None:
    carried_over = octavize(copy.deepcopy(network), 0.5)
    loaded = octavize(copy.deepcopy(network), 0.5)
    for parameter in loaded.parameters():
        nn.init.zeros_(parameter)
    loaded.load_state_dict(network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), carried_over.parameters(), strict=True))
    assert sum(p.numel() for p in loaded.parameters()) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("alpha", "pairs"), [(0.25, [True] * 3), (1, [False] * 3)], ids=["pairs", "everything at half resolution"]
)
def test_where_pairs_flow(alpha: float, pairs: list[bool]) -> None:
    octave = octavize(NETWORKS["bottleneck"](), alpha).eval()
    stages = ["layer1", "layer2", "layer3"]
    assert is_pair_by_name(octave, torch.randn(1, 3, 64, 64), [*stages, "layer4"]) == [*pairs, False]
    first, last = octave.layer1[0], octave.layer4[0]
    assert (first.conv1.alpha_in, first.downsample[0].alpha_in, octave.layer1[1].conv1.alpha_in) == (0, 0, alpha)
    assert (last.conv1.alpha_in, last.conv1.alpha_out, last.conv2.alpha_in, last.conv3.alpha_in) == (alpha, 0, 0, 0)
    assert (last.downsample[0].alpha_in, last.downsample[0].alpha_out) == (alpha, 0)
    assert octave.layer2[0].conv2.stride == octave.layer2[0].downsample[0].stride == (2, 2)
    assert type(octave.conv1) is nn.Conv2d


@pytest.mark.parametrize("size", [200, 97], ids=["7x7 maps", "odd everywhere"])
def test_odd_maps(size: int) -> None:
    octave = octavize(NETWORKS["resnet"](), 0.5).eval()
    assert octave(torch.randn(1, 3, size, size)).isfinite().all()


def test_what_is_carried_over() -> None:
    network = NETWORKS["bottleneck"](norm_layer=partial(nn.BatchNorm2d, eps=1e-3, momentum=0.2)).double().eval()
    before = torch.get_rng_state()
    octave = octavize(network, 0.5)
    assert torch.equal(torch.get_rng_state(), before)
    assert octave is network
    norm = octave.get_submodule("layer2.0.bn1.low")
    assert isinstance(norm, nn.BatchNorm2d)
    assert (norm.eps, norm.momentum, norm.training, norm.weight.dtype) == (1e-3, 0.2, False, torch.float64)


def test_group_normalisation() -> None:
    octave = octavize(NETWORKS["resnet"](norm_layer=lambda channels: nn.GroupNorm(8, channels)), 0.5)
    assert isinstance(octave.get_submodule("layer1.0.bn1.high"), nn.GroupNorm)
    assert octave(torch.randn(2, 3, 32, 32)).shape == (2, 7)


def test_64_channels_without_a_convolution_in_the_shortcut() -> None:
    torch.manual_seed(0)
    network: Any = NETWORKS["resnet"]()
    assert network.layer1[0].downsample is None
    octave = octavize(copy.deepcopy(network), 0.25)
    maps = torch.randn(2, 64, 6, 6)
    high, low = octave.layer1[0].downsample(maps)
    assert torch.equal(high, maps[:, :48])
    torch.testing.assert_close(low, maps[:, 48:].unflatten(2, (3, 2)).unflatten(4, (3, 2)).mean(dim=(3, 5)))


def frequency_resnet(block: Any = BasicBlock, **options: Any) -> FrequencyResNet:
    torch.manual_seed(0)
    return FrequencyResNet(block, [1, 1, 1, 1], spec=SPEC, num_classes=7, **options)


@pytest.mark.parametrize("low", [(), (0, 8, 64, 25), tuple(SPEC.channels or ())], ids=["none", "some", "all"])
@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_both_at_once_on_constant_maps(block: Any, low: tuple[int, ...]) -> None:
    network = enliven(frequency_resnet(block, stage2_stride=1)).double()
    network.load_state_dict(blind(network.state_dict()))
    octave = octavize(copy.deepcopy(network), 0.5, low_input=low)
    maps = torch.randn(2, 24, 1, 1, dtype=torch.float64).expand(-1, -1, 8, 8)
    with torch.no_grad():
        expected, got = network(maps), octave(maps)
    assert expected.std() > 1e-3
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
    assert octave.layer1[0].conv1.low_in == len(low)


def test_low_channels_are_seen_at_half_resolution() -> None:
    octave = octavize(frequency_resnet(), 0.5, low_input=(8, 64)).eval()
    maps = torch.randn(1, 24, 8, 8)
    shuffled = maps.clone()
    place = SPEC.channels.positions((8,))[0] if SPEC.channels else 0
    shuffled[:, place, 0:2, 0:2] = maps[:, place, 0:2, 0:2].flip(2)  # within one pixel of the low map
    torch.testing.assert_close(octave(shuffled), octave(maps))
    shuffled[:, place] = maps[:, place].roll(1, dims=2)
    assert (octave(shuffled) - octave(maps)).abs().max() > 1e-4


def test_a_split_is_part_of_the_state() -> None:
    network = frequency_resnet()
    plain = network.state_dict()
    octave = octavize(copy.deepcopy(network), 0.5, low_input=(8, 64))
    assert isinstance(octave.split, FrequencySplit)
    with pytest.raises(RuntimeError, match=r'(?s)Missing key.*"split\.high", "split\.low"'):
        octave.load_state_dict(plain)


def test_a_feature_extractor_traces_it() -> None:
    from torchvision.models.feature_extraction import create_feature_extractor

    octave = octavize(frequency_resnet(), 0.25, low_input=(8, 64)).eval()
    maps = torch.randn(1, 24, 8, 8)
    # What flows between them is a pair or a Tensor, which torch.fx cannot tell apart.
    leaves = {"leaf_modules": [FrequencySplit, OctBasicBlock]}
    extractor = create_feature_extractor(octave, ["layer3", "layer4"], tracer_kwargs=leaves)
    (high, low), features = extractor(maps).values()
    assert (high.shape, low.shape) == ((1, 192, 2, 2), (1, 64, 1, 1))
    torch.testing.assert_close(octave.fc(features.mean(dim=(2, 3))), octave(maps))


@pytest.mark.parametrize(
    ("make", "alpha", "low", "error", "message"),
    [
        (lambda: models.small(in_channels=3), 0.5, (), TypeError, "expected a ResNet of torchvision .* FrequencySmall"),
        (NETWORKS["resnet"], 1.5, (), ValueError, r"within 0\.\.1, got 1\.5"),
        (NETWORKS["resnet"], 0.001, (), ValueError, "of 64 channels leaves no low channel"),
        (NETWORKS["resnet"], 0.5, (1,), ValueError, "low_input is for a network .* made from a spec"),
        (lambda: models.resnet18(in_channels=24), 0.5, (1,), ValueError, "low_input is for a network"),
        (frequency_resnet, 0.5, (63,), ValueError, r"channels of DCT-24 .* lacks 63 = Y\(7,7\)"),
        (lambda: octavize(NETWORKS["resnet"](), 0.5), 0.5, (), TypeError, "has octave convolutions already"),
    ],
)
def test_what_is_refused(make: Any, alpha: float, low: tuple[int, ...], error: Any, message: str) -> None:
    network = make()
    before = str(network)
    with pytest.raises(error, match=message):
        octavize(network, alpha, low_input=low)
    assert str(network) == before


def test_a_shortcut_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="shortcut from 64 to 128 channels with stride 1, got none"):
        OctBottleneck(64, 32, 128, alpha_in=0.5, alpha_out=0.5, downsample=False)
    with pytest.raises(ValueError, match=r"from alpha 0\.5 to alpha 0, got none"):
        OctBottleneck(64, 32, 64, alpha_in=0.5, alpha_out=0)


def test_frozen_parameters_stay_frozen() -> None:
    network = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=5)
    network.layer1.requires_grad_(False)
    network.layer2[0].bn1.bias.requires_grad_(False)
    octavize(network, 0.5)
    assert not any(parameter.requires_grad for parameter in network.layer1.parameters())
    frozen = {name for name, parameter in network.layer2.named_parameters() if not parameter.requires_grad}
    assert frozen == {"0.bn1.high.bias", "0.bn1.low.bias"}
