"""trainable_layers and FrozenBatchNorm2d, and what they never freeze."""

import pytest
import torch
from torch import nn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from freqlearn import InputSpec
from freqlearn.models import detection

RGB = InputSpec.preset("imagenet-rgb")
INPUT_LAYER = ("layer1.0.conv1.", "layer1.0.bn1.", "layer1.0.downsample.")


@pytest.fixture(autouse=True)
def _on_meta():
    with torch.device("meta"):  # only names are looked at
        yield


def trained(backbone: nn.Module) -> set[str]:
    return {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}


def torchvisions(name: str, layers: int) -> set[str]:
    return trained(
        resnet_fpn_backbone(backbone_name=name, weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=layers)
    )


@pytest.mark.parametrize("layers", range(6))
def test_of_pixels_is_torchvisions(layers):
    model = detection.fasterrcnn_resnet18_fpn(spec=RGB, trainable_layers=layers)
    assert trained(model.backbone) == torchvisions("resnet18", layers)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("layers", range(6))
def test_of_channels_never_freezes_the_input_layer(name, layers):
    model = getattr(detection, f"fasterrcnn_{name}_fpn")(in_channels=24, trainable_layers=layers)
    names = {name for name, _ in model.backbone.named_parameters()}
    input_layer = {name for name in names if name.removeprefix("body.").startswith(INPUT_LAYER)}
    # A convolution and a norm with weight and bias, and both again in the downsample path.
    assert len(input_layer) == 6
    assert trained(model.backbone) == (torchvisions(name, layers) & names) | input_layer


def test_trains_everything_by_default():
    for options in ({"in_channels": 24}, {"spec": RGB}):
        model = detection.maskrcnn_resnet18_fpn(**options)
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_heads_and_pyramid_are_never_frozen():
    model = detection.maskrcnn_resnet18_fpn(in_channels=24, trainable_layers=0, gate=True)
    assert all(p.requires_grad for name, p in model.named_parameters() if not name.startswith("backbone.body"))


@pytest.mark.parametrize(("name", "frozen"), [("resnet18", 18), ("resnet50", 50)])
def test_frozen_batch_norm_spares_the_input_layers_norms(name, frozen):
    model = getattr(detection, f"fasterrcnn_{name}_fpn")(in_channels=24, norm_layer=FrozenBatchNorm2d)
    kinds = {
        key: type(module) for key, module in model.backbone.body.named_modules() if hasattr(module, "running_mean")
    }
    learned = {key for key, kind in kinds.items() if kind is not FrozenBatchNorm2d}
    assert learned == {"layer1.0.bn1", "layer1.0.downsample.1"}
    # torchvision's ResNets have 20 and 53 norms, one of them the stem's; our ResNet-18 has one more in layer1.
    assert len(kinds) - len(learned) == frozen
    assert {type(module) for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == {nn.BatchNorm2d}


def test_frozen_batch_norm_of_pixels_is_torchvisions():
    model = detection.fasterrcnn_resnet18_fpn(spec=RGB, norm_layer=FrozenBatchNorm2d)
    assert isinstance(model.backbone.body.bn1, FrozenBatchNorm2d)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("layers", [-1, 6])
def test_refuses_other_numbers(layers):
    with pytest.raises(ValueError, match=rf"trainable_layers in 0\.\.5, got {layers}"):
        detection.fasterrcnn_resnet18_fpn(in_channels=24, trainable_layers=layers)
