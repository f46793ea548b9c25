"""A classifier's weights for a detector's ResNet."""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from freqlearn import ChannelSet, InputSpec, models
from freqlearn.models import FrequencyGate, Mismatch, detection
from freqlearn.models.detection import load_backbone

SPEC = InputSpec.unstandardised(ChannelSet.square(24), size_px=160)
INPUT_LAYER = {"layer1.0.conv1.weight", "layer1.0.downsample.0.weight"}


@pytest.fixture(scope="module")
def rgb() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=10).state_dict()


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    torch.manual_seed(1)
    return models.resnet18(spec=SPEC, num_classes=10)


def detector(**options):
    return detection.fasterrcnn_resnet18_fpn(**{"spec": SPEC, "num_classes": 3, **options})


def loaded(model, source: dict[str, torch.Tensor]) -> set[str]:
    """Names of the ResNet's tensors that are the source's."""
    body = model.backbone.body.state_dict()
    return {key for key, value in body.items() if key in source and torch.equal(value, source[key])}


def weights(model) -> set[str]:
    return {key for key in model.backbone.body.state_dict() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda network: network,
        lambda network: network.state_dict(),
        lambda network: {"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}},
        lambda network: nn.Sequential(OrderedDict(gate=FrequencyGate(24), network=network)),
        lambda network: nn.Sequential(OrderedDict(gate=FrequencyGate(24), network=network)).state_dict(),
    ],
    ids=["network", "state dict", "checkpoint", "gated", "state dict of gated"],
)
def test_a_classifier_on_the_same_channels_gives_all(classifier, wrap):
    model = detector(trainable_layers=2, norm_layer=FrozenBatchNorm2d)
    not_loaded = load_backbone(model, wrap(classifier))
    assert loaded(model, classifier.state_dict()) >= weights(model)
    assert not_loaded.missing_keys == not_loaded.mismatched_keys == []
    assert {key for key in not_loaded.unexpected_keys if not key.startswith("gate.")} == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("wrap", [lambda network: network, lambda network: network.state_dict()])
def test_what_follows_a_stem_is_no_input_layer_of_64_channels(wrap):
    model = detector(spec=InputSpec.unstandardised(ChannelSet.square(64), size_px=160))
    before = model.backbone.body.layer1[0].conv1.weight.clone()
    not_loaded = load_backbone(model, wrap(torchvision.models.resnet18()))
    assert not_loaded.missing_keys == ["layer1.0.conv1.weight"]
    assert torch.equal(model.backbone.body.layer1[0].conv1.weight, before)


def test_rgb_weights_give_all_but_the_input_layer(rgb):
    model = detector(trainable_layers=0, norm_layer=FrozenBatchNorm2d)
    not_loaded = load_backbone(model, rgb)
    assert not_loaded.mismatched_keys == [Mismatch("layer1.0.conv1.weight", (64, 24, 3, 3), (64, 64, 3, 3))]
    # torchvision's ResNet-18 has no downsample path in its first block.
    assert {key.rsplit(".", 2)[0] for key in not_loaded.missing_keys} == {"layer1.0.downsample"}
    assert {key.split(".")[0] for key in not_loaded.unexpected_keys} == {"conv1", "bn1", "fc"}
    missing = {*not_loaded.missing_keys, "layer1.0.conv1.weight"}
    assert loaded(model, rgb) >= weights(model) - missing
    # What was not loaded is trained, its norms too.
    parameters = dict(model.backbone.body.named_parameters())
    assert all(parameters[key].requires_grad for key in missing if key in parameters)
    assert (
        type(model.backbone.body.layer1[0].bn1) is type(model.backbone.body.layer1[0].downsample[1]) is nn.BatchNorm2d
    )


def test_pixels_take_rgb_weights_whole(rgb):
    model = detector(spec=InputSpec.preset("imagenet-rgb"), trainable_layers=3)
    not_loaded = load_backbone(model, rgb)
    assert loaded(model, rgb) >= weights(model)
    assert not_loaded == ([], ["fc.weight", "fc.bias"], [])


def test_other_channels_give_no_input_layer(classifier):
    # As many, but others: they would fit.
    other = ChannelSet.of([*range(100, 124)])
    model = detector(spec=InputSpec.unstandardised(other, size_px=160))
    before = {key: value.clone() for key, value in model.backbone.body.state_dict().items()}
    not_loaded = load_backbone(model, classifier)
    assert set(not_loaded.missing_keys) == INPUT_LAYER
    assert loaded(model, before) >= INPUT_LAYER
    assert "layer4.1.conv2.weight" in loaded(model, classifier.state_dict())


def test_other_statistics_are_no_hindrance(classifier):
    model = detector(spec=replace(SPEC, std=(2.0,) * 24, size_px=1600))
    assert load_backbone(model, classifier).missing_keys == []


def test_leaves_the_rest_and_the_source_alone(classifier):
    model = detector()
    before = {key: value.clone() for key, value in model.state_dict().items() if not key.startswith("backbone.body.")}
    load_backbone(model, classifier)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    kept = classifier.layer1[0].conv1.weight.clone()
    with torch.no_grad():
        model.backbone.body.layer1[0].conv1.weight.zero_()
    assert torch.equal(classifier.layer1[0].conv1.weight, kept)


@pytest.mark.parametrize(
    ("options", "drop", "message"),
    [
        ({"trainable_layers": 2}, "layer2.1.conv1.weight", r"none that fit layer2\.1\.conv1\.weight: give weights"),
        ({"norm_layer": FrozenBatchNorm2d}, "layer4.0.bn2.running_var", r"none that fit layer4\.0\.bn2\.running_var: "),
    ],
    ids=["trainable_layers", "FrozenBatchNorm2d"],
)
def test_refuses_to_leave_frozen_layers_random(classifier, options, drop, message):
    state = {key: value for key, value in classifier.state_dict().items() if key != drop}
    model = detector(**options)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_backbone(model, state)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    assert load_backbone(detector(), state).missing_keys == [drop]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (models.small(in_channels=24), TypeError, "classifier with a ResNet, or a state dict, got FrequencySmall"),
        ({"features.0.weight": torch.zeros(3)}, ValueError, "got none of"),
        ([1], TypeError, "mapping of names to tensors"),
    ],
    ids=["no ResNet", "nothing fits", "a list"],
)
def test_refuses(source, error, message):
    with pytest.raises(error, match=message):
        load_backbone(detector(trainable_layers=1), source)
