"""A detector's training that begins with the weights of a classifier."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from freqlearn.channels import ChannelSet
from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.checkpoint import HEADER_KEY, CheckpointError, Header, load_checkpoint
from freqlearn.pipelines.detection.backbone import begin_with_backbone
from freqlearn.pipelines.detection.networks import build_detector
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.training import DetectionTraining, train_detector
from freqlearn.spec import InputSpec

Detect = Callable[..., DetectOptions]
DCT = InputSpec.unstandardised(ChannelSet.square(24), 448)


def classifier(
    path: Path, spec: InputSpec = DCT, network: str = "resnet18", **arguments: Any
) -> dict[str, torch.Tensor]:
    """Write a checkpoint as `freqlearn train` does, of random weights and statistics; return the network's."""
    header = Header(network=network, arguments=arguments, spec=spec, classes=("a", "b"), training={})
    torch.manual_seed(1)
    model = header.build()
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, HEADER_KEY: header.to_dict()}, path)
    return model.state_dict()


def body_of(training: DetectionTraining) -> Mapping[str, torch.Tensor]:
    """What the ResNet of a trained detector holds."""
    model = load_checkpoint(training.checkpoint).model
    assert isinstance(model, FrequencyRCNN)
    return model.backbone.get_submodule("body").state_dict()


def changed(body: Mapping[str, torch.Tensor], before: Mapping[str, torch.Tensor]) -> set[str]:
    """Layers of a trained ResNet that differ from a classifier's."""
    return {
        name.rpartition(".")[0]
        for name, value in body.items()
        if name in before and not name.endswith("num_batches_tracked") and not torch.equal(value, before[name])
    }


def test_a_classifier_on_the_same_channels(detect: Detect, tmp_path: Path) -> None:
    before = classifier(tmp_path / "classifier.ckpt")
    options = detect(output=tmp_path / "run", backbone=tmp_path / "classifier.ckpt", val_fraction=0.0, max_steps=1)
    layers = changed(body_of(train_detector(options)), before)
    frozen = {name for name in layers if name.startswith("layer1.") or ".bn" in name or ".downsample.1" in name}
    # Its input layer, and the statistics of that, belong to what comes in.
    assert frozen == {"layer1.0.conv1", "layer1.0.bn1", "layer1.0.downsample.0", "layer1.0.downsample.1"}
    assert {"layer2.0.conv1", "layer3.1.conv2", "layer4.1.conv2"} <= layers


def test_a_classifier_on_pixels_for_a_detector_on_pixels(detect: Detect, tmp_path: Path) -> None:
    before = classifier(tmp_path / "classifier.ckpt", InputSpec.preset("imagenet-rgb"))
    options = detect(
        output=tmp_path / "run", input="rgb", backbone=tmp_path / "classifier.ckpt", val_fraction=0.0, max_steps=1
    )
    layers = changed(body_of(train_detector(options)), before)
    assert not [name for name in layers if name.startswith(("conv1", "bn1", "layer1")) or ".bn" in name]
    assert {"layer2.0.conv1", "layer4.1.conv2"} <= layers


def test_torchvision_s_weights_for_a_detector_on_frequency_channels(tmp_path: Path) -> None:
    network = torchvision.models.resnet18(weights=None)
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    detector = build_detector("fasterrcnn_resnet18_fpn", DCT, classes=3, norm="frozen", trainable_layers=3)
    done = begin_with_backbone(detector, tmp_path / "resnet18.pth", name="fasterrcnn_resnet18_fpn", norm="frozen")
    body = detector.backbone.get_submodule("body").state_dict()
    assert torch.equal(body["layer4.1.conv2.weight"], network.state_dict()["layer4.1.conv2.weight"])
    assert "but for layer1.0.conv1, layer1.0.downsample.0, layer1.0.downsample.1, which" in done


@pytest.mark.parametrize(
    ("written", "norm", "message"),
    [
        ({"network": "resnet34"}, "frozen", "expected the checkpoint of a classifier with a resnet18, got resnet34"),
        ({"norm": "group"}, "frozen", "its network has norm group, and norm is frozen; use norm group"),
        ({}, "group", "its network has norm batch, and norm is group; use norm frozen or batch"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, written: dict[str, Any], norm: Any, message: str) -> None:
    classifier(tmp_path / "classifier.ckpt", **written)
    detector = build_detector("fasterrcnn_resnet18_fpn", DCT, classes=3, norm=norm)
    with pytest.raises(ValueError, match=message):
        begin_with_backbone(detector, tmp_path / "classifier.ckpt", name="fasterrcnn_resnet18_fpn", norm=norm)


def test_a_missing_backbone_is_said_before_anything_is_measured(detect: Detect, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing\.ckpt: no such checkpoint file"):
        train_detector(detect(output=tmp_path / "run", backbone=tmp_path / "missing.ckpt"))
    assert not (tmp_path / "run").exists()
