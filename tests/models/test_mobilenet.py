"""MobileNetV2 without its first convolution against torchvision's own."""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.feature_extraction import create_feature_extractor

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec

DCT_24 = InputSpec.unstandardised(ChannelSet.square(24), size_px=256)


def test_logits_are_torchvisions():
    torch.manual_seed(0)
    rgb = torchvision.models.mobilenet_v2(num_classes=10)
    for module in rgb.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    rgb.eval()
    network = models.mobilenet_v2(in_channels=32, num_classes=10).eval()
    not_loaded = models.load_rgb_weights(network, rgb.state_dict())
    assert not_loaded.missing_keys == []
    assert not_loaded.mismatched_keys == []
    pictures = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        assert torch.equal(network(rgb.features[0](pictures)), rgb(pictures))


def test_names_are_torchvisions_without_the_first_convolution():
    theirs = torchvision.models.mobilenet_v2().state_dict()
    ours = models.mobilenet_v2(in_channels=24).state_dict()
    assert list(ours) == [key for key in theirs if not key.startswith("features.0.")]


@pytest.mark.parametrize(("channels", "published"), [(24, 3_503_728), (32, 3_503_944)])
def test_parameters_of_dctnets_networks(channels, published):
    # Counted from the released networks by others (a survey of frequency-domain models); RGB has 3,504,872.
    network = models.mobilenet_v2(in_channels=channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


def test_macs_are_those_of_rgb_less_the_first_convolution():
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        models.mobilenet_v2(in_channels=32).to("meta").eval()(torch.empty(1, 32, 112, 112, device="meta"))
    published = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2.meta["_ops"] * 1e9
    first_convolution = 112 * 112 * 32 * 3 * 3 * 3
    # Published with three digits.
    assert counter.get_total_flops() // 2 == pytest.approx(published - first_convolution, abs=0.001e9)


@pytest.mark.parametrize("channels", [3, 16, 24, 192])
@pytest.mark.parametrize("size", [(32, 32), (14, 50)], ids=str)
def test_takes_other_channels_and_sizes(channels, size):
    network = models.mobilenet_v2(in_channels=channels, num_classes=7)
    assert network.features[1].conv[0][0].weight.shape == (channels, 1, 3, 3)
    assert network(torch.randn(2, channels, *size)).shape == (2, 7)


def test_options_reach_the_network():
    network = models.mobilenet_v2(
        spec=DCT_24, norm_layer=lambda width: nn.GroupNorm(1, width), width_mult=0.5, dropout=0.7
    )
    assert network.spec is DCT_24
    assert network.in_channels == 24
    assert network.features[1].conv[-2].out_channels == 8
    assert network.classifier[0].p == 0.7
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "got neither"), ({"in_channels": 32, "spec": DCT_24}, r"in_channels=32 and spec\.in_channels=24 disagree")],
    ids=["neither", "disagree"],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        models.mobilenet_v2(**options)


def test_refuses_other_channels():
    with pytest.raises(ValueError, match=r"expected 24 frequency channels.*got 32"):
        models.mobilenet_v2(spec=DCT_24)(torch.zeros(1, 32, 32, 32))


def test_feature_extractor_for_detection():
    network = models.mobilenet_v2(spec=DCT_24).eval()
    maps = torch.randn(1, 24, 32, 32)
    features = create_feature_extractor(network, {"features.3": "0", "features.18": "1"})(maps)
    with torch.no_grad():
        assert torch.equal(features["0"], network.features[:4](maps))
        assert torch.equal(features["1"], network.features(maps))
