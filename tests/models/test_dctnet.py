"""DCTNet's released checkpoints, on networks built as theirs are.

The files themselves are not at hand (a file-sharing service, hundreds of MB). What makes their layout is: the module
structure of github.com/kaix90/DCTNet, classification/models/imagenet, rebuilt here with torchvision's ResNet.
"""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec


class ReleasedResNet50(nn.Module):
    """Their ResNetDCT_Upscaled_Static: the stages and the pool in one Sequential, layer2 without a stride."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        rgb = torchvision.models.resnet50(num_classes=classes)
        rgb.layer1[0].conv1 = nn.Conv2d(channels, 64, 1, bias=False)
        rgb.layer1[0].downsample[0] = nn.Conv2d(channels, 256, 1, bias=False)
        rgb.layer2[0].conv2.stride = rgb.layer2[0].downsample[0].stride = (1, 1)
        self.model = nn.Sequential(rgb.layer1, rgb.layer2, rgb.layer3, rgb.layer4, rgb.avgpool)
        self.fc = rgb.fc

    def forward(self, maps: Tensor) -> Tensor:
        return self.fc(self.model(maps).flatten(1))


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class FlatInvertedResidual(nn.Module):
    """Their inverted residual: one flat Sequential where torchvision nests."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = [] if expansion == 1 else [*conv_bn(inputs, hidden, 1), nn.ReLU6()]
        layers += [*conv_bn(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6(), *conv_bn(hidden, outputs, 1)]
        self.conv = nn.Sequential(*layers)
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.identity else self.conv(x)


class ReleasedMobileNetV2(nn.Module):
    """Their MobileNetV2DCT_Subset_woinp."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        stages = [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]
        blocks: list[nn.Module] = []
        for expansion, outputs, repeats, stride in stages:
            for index in range(repeats):
                blocks.append(FlatInvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        self.features = nn.Sequential(*blocks)
        self.conv = nn.Sequential(*conv_bn(320, 1280, 1), nn.ReLU6())
        self.classifier = nn.Linear(1280, classes)

    def forward(self, maps: Tensor) -> Tensor:
        return self.classifier(self.conv(self.features(maps)).mean(dim=(2, 3)))


NETWORKS = {"resnet50": ReleasedResNet50, "mobilenetv2": ReleasedMobileNetV2}


def checkpoint_of(network: nn.Module) -> dict[str, object]:
    """A checkpoint as their training script saves it, of a DataParallel."""
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    return {"epoch": 146, "arch": "resnet50dct", "best_prec1": 77.16, "state_dict": state}


@pytest.mark.parametrize(
    ("name", "channels"), [("resnet50", 24), ("resnet50", 64), ("mobilenetv2", 24), ("mobilenetv2", 32)]
)
def test_logits_are_the_released_networks(name, channels):
    torch.manual_seed(0)
    released = NETWORKS[name](channels, classes=10)
    for module in released.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    network = models.load_dctnet_weights(checkpoint_of(released)).eval()
    maps = torch.randn(2, channels, 32, 32)
    with torch.no_grad():
        # Another order of the mean over 4 values at most; everything else is the same arithmetic.
        torch.testing.assert_close(network(maps), released.eval()(maps), rtol=1e-5, atol=1e-5)
    assert network.spec == InputSpec.preset(f"dctnet-{name}-{channels}")
    assert network.spec.channels == ChannelSet.square(channels)


def test_into_a_model_of_ones_own():
    released = ReleasedResNet50(24, classes=10)
    network = models.resnet50(in_channels=24, num_classes=10, stage2_stride=1)
    assert models.load_dctnet_weights(released.state_dict(), model=network) is network
    assert torch.equal(network.layer3[1].conv2.weight, released.model[2][1].conv2.weight)
    assert network.spec == InputSpec.preset("dctnet-resnet50-24")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: models.resnet50(in_channels=24, num_classes=10), "stage2_stride=1, .* got 2"),
        (lambda: models.resnet50(in_channels=64, num_classes=10, stage2_stride=1), "of 24 channels, got one of 64"),
        (lambda: models.mobilenet_v2(in_channels=24), "expected a FrequencyResNet .* got FrequencyMobileNetV2"),
        (lambda: models.resnet50(in_channels=24, num_classes=7, stage2_stride=1), "(?s)does not fit .*fc.weight"),
        (lambda: models.resnet101(in_channels=24, num_classes=10, stage2_stride=1), "(?s)does not fit .*layer3.6"),
        (
            lambda: models.resnet50(
                spec=InputSpec.unstandardised(ChannelSet.square(24), 448), num_classes=10, stage2_stride=1
            ),
            "is not the checkpoint's",
        ),
    ],
    ids=["stride", "channels", "architecture", "classes", "depth", "spec"],
)
def test_refuses_a_model_that_does_not_fit(model, message):
    with pytest.raises(ValueError, match=message):
        models.load_dctnet_weights(ReleasedResNet50(24, classes=10).state_dict(), model=model())


def without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (lambda: torchvision.models.resnet18().state_dict(), "'model.0.0.conv1.weight'.*got the names conv1.weight"),
        (lambda: ReleasedResNet50(30, 10).state_dict(), "dctnet-resnet50-24.*got a checkpoint for 30 channels"),
        (lambda: without(ReleasedResNet50(24, 10).state_dict(), "fc.weight"), "'fc.weight'.*missing"),
        (lambda: without(ReleasedResNet50(24, 10).state_dict(), "model.1.0.bn1.bias"), "(?s)fit.*layer2.0.bn1.bias"),
        (lambda: {**ReleasedResNet50(24, 10).state_dict(), "inp_GM.x": torch.zeros(1)}, "got 'inp_GM.x'"),
        (lambda: {"features.0.conv.0.weight": torch.zeros(32, 6, 3, 3)}, "depthwise.*192-channel"),
        (lambda: {**ReleasedMobileNetV2(24, 10).state_dict(), "features.0.conv.9.bias": torch.zeros(1)}, "conv.9.bias"),
    ],
    ids=["torchvision's", "30 channels", "no classifier", "a gap", "gate", "grouped", "unknown layer"],
)
def test_refuses_other_checkpoints(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        models.load_dctnet_weights(checkpoint())
