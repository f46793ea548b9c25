import torch
import torchvision

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.costs import macs, macs_per_image
from freqlearn.spec import InputSpec


def test_a_network_costs_what_torchvision_says() -> None:
    rgb = InputSpec.preset("imagenet-rgb")
    published = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["_ops"]  # GMACs, rounded to three digits
    assert round(macs_per_image("resnet18", rgb, num_classes=1000) / 1e9, 3) == published


def test_a_convolution_by_hand() -> None:
    convolution = torch.nn.Conv2d(3, 5, kernel_size=3, bias=False)
    assert macs(convolution, torch.zeros(2, 3, 8, 8)) == 2 * 5 * 6 * 6 * 3 * 3 * 3


def test_a_gate_costs_its_convolutions() -> None:
    spec = InputSpec.unstandardised(ChannelSet.all(), 112)
    gated = macs_per_image("small", spec, num_classes=5, gate=True)
    # On pooled channels: 192 to 192, and a grouped one from each channel to its two logits.
    assert gated - macs_per_image("small", spec, num_classes=5) == 192 * 192 + 2 * 192
