"""Folded networks against themselves unfolded: the same to rounding, in both memory formats, with fewer calls."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from octave_networks import enliven
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.models import octave
from freqlearn.models.octave import FoldedOctConv2d, OctConv2d, fold
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 64)
FORMATS = [
    pytest.param(torch.contiguous_format, id="contiguous"),
    pytest.param(torch.channels_last, id="channels-last"),
]
# float64, up to some 50 layers.
ROUNDING = 1e-10


def dct_resnet() -> nn.Module:
    """Both at once: low DCT channels come in the low branch."""
    network = models.resnet18(spec=SPEC, num_classes=5)
    return octave.octavize(network, 0.5, low_input=octave.split_by_frequency(SPEC.channels, 0.5)[1])


def resnet(block: type[Bottleneck] = Bottleneck, **options: Any) -> ResNet:
    """Blocks with and without a convolution in the shortcut, with strides and without."""
    return ResNet(block, [2, 1, 1, 1], num_classes=5, **options)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "oct-resnet": (lambda: octave.octavize(resnet(), 0.25), (2, 3, 64, 64)),
    "odd": (lambda: octave.octavize(resnet(), 0.5), (1, 3, 90, 75)),
    "oct-se-resnet": (lambda: octave.octavize(resnet(octave.SEBottleneck), 0.5), (1, 3, 64, 64)),
    "oct-resnext": (lambda: octave.octavize(resnet(groups=32, width_per_group=4), 0.5), (1, 3, 64, 64)),
    "dct-resnet-18": (dct_resnet, (2, 24, 16, 16)),
    "oct-mobilenet-v1": (lambda: octave.oct_mobilenet_v1(0.5, 0.5, num_classes=5), (1, 3, 64, 64)),
    "oct-mobilenet-v2": (lambda: octave.oct_mobilenet_v2(0.5, 0.5, num_classes=5), (1, 3, 64, 64)),
    "oct-densenet": (lambda: octave.OctDenseNet(0.5, block_config=(2, 2, 2, 2), num_classes=5), (1, 3, 64, 64)),
    "resnet": (resnet, (1, 3, 64, 64)),
    "mobilenet-v2": (lambda: torchvision.models.mobilenet_v2(num_classes=5), (1, 3, 64, 64)),
}


@torch.no_grad()
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("name", NETWORKS)
def test_folded_network_computes_the_same(name: str, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    network = enliven(make()).double().eval()
    maps = torch.randn(shape, dtype=torch.float64)
    expected = network(maps)
    actual = fold(network).to(memory_format=memory_format)(maps.contiguous(memory_format=memory_format))
    torch.testing.assert_close(actual, expected, rtol=ROUNDING, atol=ROUNDING * expected.abs().max().item())


@pytest.mark.parametrize("name", [name for name in NETWORKS if "densenet" not in name])
def test_no_batch_normalisation_is_left(name: str) -> None:
    with torch.device("meta"):
        folded = fold(NETWORKS[name][0]())
    kinds = {type(module) for module in folded.modules()}
    assert not kinds & {nn.BatchNorm2d, OctConv2d, octave.OctNorm2d, octave.OctBatchNorm2d}


def test_densenet_keeps_the_normalisation_before_a_convolution() -> None:
    with torch.device("meta"):
        network = NETWORKS["oct-densenet"][0]()
    layer = fold(network).features.denseblock1.denselayer1
    assert isinstance(layer.norm1, octave.OctNorm2d)
    assert isinstance(layer.norm2, nn.Identity)


def test_the_network_itself_stays_as_it_is() -> None:
    network = NETWORKS["oct-resnet"][0]()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    fold(network)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)


def test_other_normalisation_stays() -> None:
    network = octave.octavize(resnet(norm_layer=lambda channels: nn.GroupNorm(4, channels)), 0.5).eval()
    maps = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(fold(network)(maps), network(maps), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("size", [(8, 12), (7, 7), (8, 5), (2, 300), (1, 1)], ids=str)
@pytest.mark.parametrize(
    ("alphas", "options"),
    [
        ((0.5, 0.5), {}),
        ((0.25, 0.5), {"kernel_size": 3, "padding": 1}),
        ((0.5, 0.5), {"kernel_size": 3, "padding": "same", "dilation": 2}),
        ((0.5, 0.25), {"stride": 2}),
        ((0.5, 0.5), {"kernel_size": 3, "padding": 1, "stride": 2, "separate": True}),
        ((0.5, 0.5), {"kernel_size": 3, "padding": 1, "groups": 4}),
        ((0.5, 0.5), {"kernel_size": 3, "padding": 1, "groups": 16, "stride": 2}),
        ((0, 0.5), {}),
        ((0, 0), {"stride": 2, "bias": False}),
        ((0.5, 0), {"bias": False}),
        ((0, 1), {}),
        ((1, 0), {}),
        ((1, 0.5), {"kernel_size": 3, "padding": 1}),
        ((1, 1), {"stride": 2}),
    ],
    ids=str,
)
def test_each_convolution(
    alphas: tuple[float, float], options: dict[str, object], size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    options = {"kernel_size": 1, **options}
    conv = OctConv2d(16, 16, alpha_in=alphas[0], alpha_out=alphas[1], dtype=torch.float64, **options)
    maps = torch.randn(2, 16, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    low = conv.low_in
    small = torch.randn(2, low, -(-size[0] // 2), -(-size[1] // 2), dtype=torch.float64)
    small = small.contiguous(memory_format=memory_format)
    x: Tensor | tuple[Tensor, Tensor] = maps
    if low:
        x = small if low == 16 else (maps[:, : 16 - low].contiguous(memory_format=memory_format), small)
    before = [part.clone() for part in (x if isinstance(x, tuple) else (x,))]
    expected, actual = conv(x), fold(conv)(x)
    assert isinstance(actual, tuple) == isinstance(expected, tuple)
    torch.testing.assert_close(actual, expected, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(tuple(before), x if isinstance(x, tuple) else (x,), rtol=0, atol=0)


def test_low_branch_is_one_convolution() -> None:
    conv = OctConv2d(16, 16, 3, padding=1, alpha_in=0.5, alpha_out=0.5)
    folded = fold(conv)
    assert isinstance(folded, FoldedOctConv2d)
    assert [tuple(parameter.shape[:2]) for parameter in folded.parameters() if parameter.dim() == 4] == [
        (8, 8),  # high to high
        (8, 8),  # low to high
        (8, 16),  # both to low
    ]


def test_product_matrices_survive_inference_mode() -> None:
    network = fold(OctConv2d(4, 4, 1, alpha_in=0.5, alpha_out=0.5))
    pair = torch.randn(1, 2, 22, 22), torch.randn(1, 2, 11, 11)
    with torch.inference_mode():
        network(pair)
    pair[0].requires_grad_()
    network(pair)[1].sum().backward()
    assert pair[0].grad is not None


class _Halving(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) / 2


class _PreActivation(BasicBlock):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv2(self.relu(self.bn2(self.conv1(self.relu(self.bn1(x))))))
        return y


class _Backwards(nn.Sequential):
    def forward(self, input: Tensor) -> Tensor:
        for module in reversed(list(self.children())):
            input = module(input)
        return input


def _shared(second: nn.Module) -> nn.Module:
    convolution = nn.Conv2d(4, 4, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(4), convolution, second)


@torch.no_grad()
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: _shared(nn.BatchNorm2d(4)), id="one convolution before two normalisations"),
        pytest.param(lambda: _shared(nn.ReLU()), id="one convolution, once without"),
        pytest.param(lambda: nn.Sequential(_Halving(4, 4, 1), nn.BatchNorm2d(4)), id="subclass"),
        pytest.param(lambda: _PreActivation(4, 4), id="block of another order"),
        pytest.param(lambda: _Backwards(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), id="sequence of another order"),
        pytest.param(lambda: nn.Sequential(weight_norm(nn.Conv2d(4, 4, 1)), nn.BatchNorm2d(4)), id="parametrized"),
    ],
)
def test_what_cannot_be_folded_is_left_alone(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    network = enliven(make()).double().eval()
    maps = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(fold(network)(maps), network(maps), rtol=ROUNDING, atol=ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("memory_format", FORMATS)
def test_autocast(memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    network = OctConv2d(16, 16, 1, alpha_in=0.5, alpha_out=0.5)
    pair = tuple(torch.randn(1, 8, size, size).contiguous(memory_format=memory_format) for size in (8, 4))
    with torch.autocast("cpu", torch.bfloat16):
        actual = fold(network)(pair)
    assert [branch.dtype for branch in actual] == [torch.bfloat16, torch.bfloat16]
    torch.testing.assert_close(
        tuple(branch.float() for branch in actual), network(pair), rtol=2**-6, atol=2**-6
    )  # bfloat16 has 8 bits
