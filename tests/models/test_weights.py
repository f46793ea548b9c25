"""RGB weights for the layers that exist in both networks."""

import pytest
import torch
import torchvision

from freqlearn import models
from freqlearn.models import Mismatch

STEM = ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked"]


@pytest.fixture(scope="module")
def rgb_weights():
    torch.manual_seed(0)
    return torchvision.models.resnet50(num_classes=10).state_dict()


def test_reports_what_was_not_loaded(rgb_weights):
    network = models.resnet50(in_channels=24, num_classes=7)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    not_loaded = models.load_rgb_weights(network, rgb_weights)
    assert not_loaded.missing_keys == []
    assert not_loaded.unexpected_keys == STEM
    assert not_loaded.mismatched_keys == [
        Mismatch("layer1.0.conv1.weight", (64, 24, 1, 1), (64, 64, 1, 1)),
        Mismatch("layer1.0.downsample.0.weight", (256, 24, 1, 1), (256, 64, 1, 1)),
        Mismatch("fc.weight", (7, 2048), (10, 2048)),
        Mismatch("fc.bias", (7,), (10,)),
    ]
    other_shape = {mismatch.key for mismatch in not_loaded.mismatched_keys}
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key] if key in other_shape else rgb_weights[key]), key


def test_reports_layers_that_rgb_lacks():
    network = models.resnet18(in_channels=24)
    not_loaded = models.load_rgb_weights(network, torchvision.models.resnet18().state_dict())
    assert {key.rsplit(".", 2)[0] for key in not_loaded.missing_keys} == {"layer1.0.downsample"}
    assert [mismatch.key for mismatch in not_loaded.mismatched_keys] == ["layer1.0.conv1.weight"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {f"module.{key}": value for key, value in weights.items()},
        lambda weights: {"epoch": 90, "state_dict": weights},
        lambda weights: {"state_dict": {f"module.{key}": value for key, value in weights.items()}, "best": 75.78},
    ],
    ids=["module.", "checkpoint", "both"],
)
def test_unwraps(rgb_weights, wrap):
    network = models.resnet50(in_channels=64, num_classes=10)
    assert models.load_rgb_weights(network, wrap(rgb_weights)).unexpected_keys == STEM
    assert torch.equal(network.state_dict()["layer4.2.conv3.weight"], rgb_weights["layer4.2.conv3.weight"])


def test_weights_from_before_batch_norm_counted_batches(rgb_weights):
    # torchvision's first files (resnet50-19c8e357.pth) have no num_batches_tracked; torch itself does not miss them.
    old = {key: value for key, value in rgb_weights.items() if not key.endswith("num_batches_tracked")}
    assert models.load_rgb_weights(models.resnet50(in_channels=64, num_classes=10), old).missing_keys == []


def test_leaves_the_source_alone(rgb_weights):
    network = models.resnet50(in_channels=64, num_classes=10)
    models.load_rgb_weights(network, rgb_weights)
    before = rgb_weights["fc.weight"].clone()
    with torch.no_grad():
        network.fc.weight.zero_()
    assert torch.equal(rgb_weights["fc.weight"], before)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (torchvision.models.mobilenet_v2().state_dict(), ValueError, "got none of layer1.0.conv1.weight.*features.0.0"),
        ({}, ValueError, "it has no names"),
        ([1], TypeError, "a mapping of names to tensors.*got list"),
        ({"state_dict": 3}, TypeError, 'mapping under "state_dict", got int'),
        ({"epoch": 3}, TypeError, "got int for 'epoch'"),
    ],
    ids=["another architecture", "empty", "a list", "no mapping", "no tensors"],
)
def test_refuses(weights, error, message):
    with pytest.raises(error, match=message):
        models.load_rgb_weights(models.resnet18(in_channels=24), weights)
