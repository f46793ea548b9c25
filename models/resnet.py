"""ResNets without a stem: frequency maps go straight into the first residual stage.

An 8x8 DCT already lowers the resolution by 8, twice as much as ResNet's stem (7x7 convolution and max-pool, by 4). So
a picture of 448 px gives 56x56 maps, the size the first stage sees in an RGB ResNet at 224 px (Xu et al., "Learning in
the Frequency Domain", CVPR 2020, arXiv 2002.12416).
"""

from collections.abc import Callable
from typing import Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from freqlearn.models._inputs import check_maps, resolve_in_channels
from freqlearn.spec import InputSpec

# torch.fx (torchvision's create_feature_extractor) cannot trace an `if` on a shape: the check is a leaf to it.
torch.fx.wrap("check_maps")


class ResNetOptions(TypedDict, total=False):
    """Keyword arguments of resnet18 ... resnet152; `FrequencyResNet` explains them."""

    in_channels: int | None
    spec: InputSpec | None
    num_classes: int
    stage2_stride: Literal[1, 2]
    norm_layer: Callable[..., nn.Module] | None
    zero_init_residual: bool


class FrequencyResNet(ResNet):
    """torchvision's ResNet from ``layer1`` on, for (N, C, h, w) standardised frequency maps.

    Parameter names are torchvision's (``layer1`` ... ``layer4``, ``fc``); ``conv1`` and ``bn1`` do not exist. The first
    block takes C channels instead of 64, so its first convolution and its downsample path have other shapes (and
    ResNet-18 and -34 get a downsample path there, unless C is 64).

    Args:
        block: torchvision's BasicBlock or Bottleneck.
        layers: Number of blocks of the four stages.
        in_channels: Number of frequency channels C; or give ``spec``.
        spec: What the input is; kept as ``model.spec``.
        num_classes: Number of classes.
        stage2_stride: Stride of ``layer2``. 2 is ResNet's own: 3.93 GMACs for ResNet-50 on (24, 56, 56) maps, where an
            RGB ResNet-50 at 224 px has 4.09. DCTNet's released network has 1: 13.5 GMACs.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.
        zero_init_residual: Start every residual branch at zero (arXiv 1706.02677).

    Raises:
        TypeError: If ``in_channels`` is not an integer.
        ValueError: If ``in_channels`` and ``spec`` are both missing or disagree, or ``stage2_stride`` is not 1 or 2.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: list[int],
        *,
        in_channels: int | None = None,
        spec: InputSpec | None = None,
        num_classes: int = 1000,
        stage2_stride: Literal[1, 2] = 2,
        norm_layer: Callable[..., nn.Module] | None = None,
        zero_init_residual: bool = False,
    ) -> None:
        if stage2_stride not in (1, 2):
            raise ValueError(f"expected stage2_stride 1 or 2, got {stage2_stride!r}")
        # Before torchvision's constructor, because that calls _make_layer, which needs them.
        self.in_channels = resolve_in_channels(in_channels, spec)
        self.stage2_stride = stage2_stride
        super().__init__(
            block,
            layers,
            num_classes=num_classes,
            zero_init_residual=zero_init_residual,
            norm_layer=norm_layer,
        )
        self.spec = spec
        self.split: nn.Module = nn.Identity()  # octavize(low_input=...) puts a FrequencySplit here
        del self.conv1, self.bn1, self.relu, self.maxpool

    def _make_layer(
        self,
        block: type[BasicBlock | Bottleneck],
        planes: int,
        blocks: int,
        stride: int = 1,
        dilate: bool = False,
    ) -> nn.Sequential:
        # torchvision builds the stages in order, with 64, 128, 256 and 512 planes.
        if planes == 64:
            self.inplanes = self.in_channels
        elif planes == 128:
            stride = self.stage2_stride
        stage: nn.Sequential = super()._make_layer(block, planes, blocks, stride, dilate)
        return stage

    def _forward_impl(self, x: Tensor) -> Tensor:
        check_maps(x, self.in_channels)
        x = self.split(x)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = torch.flatten(self.avgpool(x), 1)  # (N, 512 * expansion)
        logits: Tensor = self.fc(x)
        return logits


def resnet18(**options: Unpack[ResNetOptions]) -> FrequencyResNet:
    """Return a ResNet-18 without a stem; options as of `FrequencyResNet`."""
    return FrequencyResNet(BasicBlock, [2, 2, 2, 2], **options)


def resnet34(**options: Unpack[ResNetOptions]) -> FrequencyResNet:
    """Return a ResNet-34 without a stem; options as of `FrequencyResNet`."""
    return FrequencyResNet(BasicBlock, [3, 4, 6, 3], **options)


def resnet50(**options: Unpack[ResNetOptions]) -> FrequencyResNet:
    """Return a ResNet-50 without a stem; options as of `FrequencyResNet`."""
    return FrequencyResNet(Bottleneck, [3, 4, 6, 3], **options)


def resnet101(**options: Unpack[ResNetOptions]) -> FrequencyResNet:
    """Return a ResNet-101 without a stem; options as of `FrequencyResNet`."""
    return FrequencyResNet(Bottleneck, [3, 4, 23, 3], **options)


def resnet152(**options: Unpack[ResNetOptions]) -> FrequencyResNet:
    """Return a ResNet-152 without a stem; options as of `FrequencyResNet`."""
    return FrequencyResNet(Bottleneck, [3, 8, 36, 3], **options)
