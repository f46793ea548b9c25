"""With torchvision's weights, a detector on maps finds what torchvision's finds on the picture that the maps are of.

The maps are those of the RGB ResNet's stem: 64 channels with a cell per 4 px, as an 8x8 DCT of a doubled picture has.
"""

import pytest
import torch
from lively_detectors import FEW, detector, maps, targets, with_lively_weights
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from freqlearn import InputSpec
from freqlearn.models import detection

RGB = InputSpec.preset("imagenet-rgb")
STANDARDISED = {"image_mean": [0.0, 0, 0], "image_std": [1.0, 1, 1]}
LOSSES = ["loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"]


def theirs_on_pixels(kind: type, name: str, short_side: int) -> FasterRCNN:
    torch.manual_seed(1)
    backbone = resnet_fpn_backbone(
        backbone_name=name, weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5
    )
    few = {key: value for key, value in FEW.items() if key != "min_anchor"}
    return with_lively_weights(kind(backbone, min_size=short_side, max_size=10_000, **STANDARDISED, **few))


def without_stem(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key: value for key, value in state.items() if not key.startswith(("backbone.body.conv1", "backbone.body.bn1"))
    }


def stem_maps(theirs: FasterRCNN, pictures: list[torch.Tensor]) -> list[torch.Tensor]:
    body = theirs.backbone.body
    batch = theirs.transform(pictures)[0].tensors
    with torch.no_grad():
        return list(body.maxpool(body.relu(body.bn1(body.conv1(batch)))))


def assert_same(ours: list[dict[str, torch.Tensor]], theirs: list[dict[str, torch.Tensor]]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        assert len(one["boxes"]) >= 2
        for key in one:
            assert torch.equal(one[key], other[key]), key


# 1 to 3 px short of whole cells, and of whole multiples of 32: the maps reach beyond the picture.
@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [(MaskRCNN, "resnet18", (62, 94)), (FasterRCNN, "resnet50", (61, 64))],
    ids=["mask, ResNet-18", "faster, ResNet-50"],
)
@torch.no_grad()
def test_detections_are_torchvisions(kind, name, size):
    theirs = theirs_on_pixels(kind, name, min(size))
    ours = detector(f"{kind.__name__.lower()}_{name}_fpn", in_channels=64, min_anchor=32)
    ours.load_state_dict(without_stem(theirs.state_dict()))
    pictures = [torch.randn(3, *size) for _ in range(2)]
    sizes = [size, size]
    assert_same(ours(stem_maps(theirs, pictures), image_sizes=sizes), theirs(pictures))


def test_losses_and_gradients_are_torchvisions():
    size = (62, 94)
    theirs = theirs_on_pixels(MaskRCNN, "resnet18", 62).train()
    ours = detector("maskrcnn_resnet18_fpn", in_channels=64, min_anchor=32).train()
    ours.load_state_dict(without_stem(theirs.state_dict()))
    for model in (ours, theirs):
        model.backbone.eval()  # ours has no batch statistics of the stem to share
    pictures, sizes = [torch.randn(3, *size) for _ in range(2)], [size, size]
    truth = targets(sizes)
    torch.manual_seed(5)
    expected = theirs(pictures, truth)
    torch.manual_seed(5)
    losses = ours(stem_maps(theirs, pictures), truth, image_sizes=sizes)
    assert list(losses) == list(expected)
    assert {*LOSSES, "loss_mask"} == losses.keys()
    for key, loss in losses.items():
        assert torch.equal(loss, expected[key]), key
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    by_name = dict(theirs.named_parameters())
    for key, parameter in ours.named_parameters():
        assert torch.equal(parameter.grad, by_name[key].grad), key


@torch.no_grad()
# The taller one first: torchvision infers the regions' scale from the first picture, wrongly from one of 43 px.
@pytest.mark.parametrize("pictures", [[(63, 43), (43, 75)], [(61, 62)]], ids=["a batch of two sizes", "one picture"])
def test_pixels_give_torchvisions_detections(pictures):
    theirs = theirs_on_pixels(MaskRCNN, "resnet18", min(min(size) for size in pictures))
    ours = detector("maskrcnn_resnet18_fpn", spec=RGB, min_anchor=32)
    ours.load_state_dict(theirs.state_dict())
    pixels = maps(pictures, channels=3, px_per_cell=1)
    # One by one, as torchvision pads all to one size, which changes its answers a little: see test_companions.py.
    assert_same(ours(pixels), [theirs([picture])[0] for picture in pixels])


@pytest.mark.parametrize("name", ["fasterrcnn_resnet18_fpn", "maskrcnn_resnet50_fpn", "fasterrcnn_resnet101_fpn"])
def test_parameters_have_torchvisions_names(name):
    with torch.device("meta"):
        kind = MaskRCNN if name.startswith("mask") else FasterRCNN
        backbone = resnet_fpn_backbone(
            backbone_name=name.split("_")[1], weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5
        )
        expected = kind(backbone, num_classes=7).state_dict()
        pixels = getattr(detection, name)(spec=RGB, num_classes=7).state_dict()
        channels = getattr(detection, name)(in_channels=64, num_classes=7).state_dict()
    assert {key: value.shape for key, value in pixels.items()} == {key: value.shape for key, value in expected.items()}
    expected = without_stem(expected)
    assert {key: value.shape for key, value in channels.items()} == {
        key: value.shape for key, value in expected.items()
    }
