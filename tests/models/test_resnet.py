"""Stem-less ResNets against torchvision's own, whose stem stands in for the frequency maps."""

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.feature_extraction import create_feature_extractor

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec

DCT_24 = InputSpec.unstandardised(ChannelSet.square(24), size_px=64)


def stem_output(rgb: torchvision.models.ResNet, pictures: Tensor) -> Tensor:
    return rgb.maxpool(rgb.relu(rgb.bn1(rgb.conv1(pictures))))


def with_lively_statistics(network: nn.Module) -> nn.Module:
    """Give every BatchNorm statistics and weights of its own, so that no mistake hides behind 0 and 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.1)
    return network.eval()


def macs(network: nn.Module, *shape: int) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta").eval()(torch.empty(shape, device="meta"))
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition each


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_logits_are_torchvisions(name):
    torch.manual_seed(0)
    rgb = with_lively_statistics(getattr(torchvision.models, name)(num_classes=10))
    network = getattr(models, name)(in_channels=64, num_classes=10).eval()
    not_loaded = models.load_rgb_weights(network, rgb.state_dict())
    assert not_loaded.missing_keys == []
    assert not_loaded.mismatched_keys == []
    pictures = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(network(stem_output(rgb, pictures)), rgb(pictures))


@pytest.mark.parametrize(("name", "new"), [("resnet18", True), ("resnet50", False)])
def test_names_are_torchvisions_without_the_stem(name, new):
    theirs = set(getattr(torchvision.models, name)().state_dict())
    ours = set(getattr(models, name)(in_channels=24).state_dict())
    assert {key for key in theirs - ours if not key.startswith(("conv1.", "bn1."))} == set()
    # 24 maps cannot be added to 64 features: BasicBlock, which has no downsample path in layer1, needs one.
    assert {key.rsplit(".", 2)[0] for key in ours - theirs} == ({"layer1.0.downsample"} if new else set())


@pytest.mark.parametrize("channels", [3, 24, 64, 192, 256])
def test_first_block_takes_the_channels(channels):
    network = models.resnet50(in_channels=channels, num_classes=7)
    assert network.layer1[0].conv1.weight.shape == (64, channels, 1, 1)
    assert network(torch.randn(2, channels, 8, 8)).shape == (2, 7)


@pytest.mark.parametrize("size", [(2, 2), (14, 14), (28, 56), (50, 34)], ids=str)
def test_takes_other_sizes(size):
    assert models.resnet18(in_channels=24, num_classes=5)(torch.randn(2, 24, *size)).shape == (2, 5)


def test_macs_are_those_of_rgb_less_the_stem():
    published = torchvision.models.ResNet50_Weights.IMAGENET1K_V2.meta["_ops"] * 1e9
    stem = 112 * 112 * 64 * 7 * 7 * 3
    # Published with four digits.
    assert macs(models.resnet50(in_channels=64), 1, 64, 56, 56) == pytest.approx(published - stem, abs=0.001e9)


@pytest.mark.parametrize(("stride", "stated"), [(2, 3.93e9), (1, 13.5e9)], ids=["ResNet's stride", "DCTNet's"])
def test_macs_of_dct_24_are_those_of_the_docstring(stride, stated):
    network = models.resnet50(in_channels=24, stage2_stride=stride)
    assert macs(network, 1, 24, 56, 56) == pytest.approx(stated, rel=0.005)
    assert f"{stated / 1e9:.3g}" in models.FrequencyResNet.__doc__


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize(("stride", "size"), [(1, 16), (2, 8)])
def test_stage2_stride_sets_the_size_of_layer2(name, stride, size):
    network = getattr(models, name)(in_channels=24, stage2_stride=stride)
    maps = IntermediateLayerGetter(network, {"layer1": "1", "layer2": "2", "layer3": "3"})(torch.randn(2, 24, 16, 16))
    assert [maps[stage].shape[-1] for stage in "123"] == [16, size, size // 2]


def test_stage2_stride_changes_no_parameter():
    one, two = (models.resnet50(in_channels=24, stage2_stride=stride).state_dict() for stride in (1, 2))
    assert {key: value.shape for key, value in one.items()} == {key: value.shape for key, value in two.items()}


def test_norm_layer():
    network = models.resnet18(in_channels=24, norm_layer=lambda width: nn.GroupNorm(8, width))
    kinds = {type(module) for module in network.modules() if "Norm" in type(module).__name__}
    assert kinds == {nn.GroupNorm}


def test_zero_init_residual():
    network = models.resnet50(in_channels=24, zero_init_residual=True)
    assert not any(block.bn3.weight.any() for stage in (network.layer1, network.layer4) for block in stage)
    assert models.resnet50(in_channels=24).layer1[0].bn3.weight.all()


def test_spec_gives_the_channels_and_is_kept():
    network = models.resnet18(spec=DCT_24)
    assert network.in_channels == 24
    assert network.spec is DCT_24
    assert models.resnet18(spec=DCT_24, in_channels=24).spec is DCT_24


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "in_channels= .* or spec= .* got neither"),
        ({"in_channels": 64, "spec": DCT_24}, ValueError, r"in_channels=64 and spec\.in_channels=24 disagree"),
        ({"in_channels": 0}, ValueError, "at least 1, got 0"),
        ({"in_channels": 24.0}, TypeError, r"an integer, got 24\.0"),
        ({"in_channels": True}, TypeError, "an integer, got True"),
        ({"spec": InputSpec.preset("imagenet-rgb")}, ValueError, "'rgb'.*torchvision.models"),
        ({"in_channels": 24, "stage2_stride": 3}, ValueError, "stage2_stride 1 or 2, got 3"),
    ],
    ids=["neither", "disagree", "none", "float", "bool", "rgb", "stride"],
)
def test_refuses_options(options, error, message):
    with pytest.raises(error, match=message):
        models.resnet18(**options)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (torch.zeros(2, 64, 8, 8), r"expected 24 frequency channels.*got 64 in shape \(2, 64, 8, 8\)"),
        (torch.zeros(24, 8, 8), r"got shape \(24, 8, 8\); add the batch axis"),
        (torch.zeros(2, 24, 8, 8, dtype=torch.int16), "floating-point maps, got torch.int16"),
    ],
    ids=["channels", "no batch", "integers"],
)
def test_refuses_input(maps, message):
    with pytest.raises(ValueError, match=message):
        models.resnet18(spec=DCT_24)(maps)


def test_feature_extractor_for_detection():
    network = models.resnet50(spec=DCT_24).eval()
    maps = torch.randn(1, 24, 16, 16)
    features = create_feature_extractor(network, {"layer1": "0", "layer4": "3"})(maps)
    with torch.no_grad():
        first = network.layer1(maps)
        last = network.layer4(network.layer3(network.layer2(first)))
    assert torch.equal(features["0"], first)
    assert torch.equal(features["3"], last)


def test_state_dict_round_trip(tmp_path):
    torch.manual_seed(0)
    one, other = (models.resnet18(in_channels=24, num_classes=4).eval() for _ in range(2))
    maps = torch.randn(2, 24, 8, 8)
    assert not torch.equal(one(maps), other(maps))
    torch.save(one.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(one(maps), other(maps))


def test_trains_compiled_and_in_bfloat16():
    torch.manual_seed(0)
    network = models.resnet18(in_channels=24, num_classes=4)
    maps = torch.randn(4, 24, 8, 8).contiguous(memory_format=torch.channels_last)
    expected = network.eval()(maps)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    # One float32 rounding order against another, through 18 layers.
    torch.testing.assert_close(compiled(maps), expected, rtol=1e-3, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.train()(maps).float().logsumexp(1).sum()
    loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
