"""The ResNets of the OctConv paper, with pixels as input: torchvision's, octavized.

Depths, stages and the width of the squeeze-and-excitation (a sixteenth) are the authors'
(github.com/facebookresearch/OctConv). Their ablation has the order of He et al.'s second version (normalisation and
ReLU before each convolution) "for convenience"; this is the usual order, of the same cost, and their `resnetv1.py`'s.
"""

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import SqueezeExcitation

from freqlearn.models.octave.octavize import octavize

_LAYERS = {
    26: [2, 2, 2, 2],
    50: [3, 4, 6, 3],
    101: [3, 4, 23, 3],
    152: [3, 8, 36, 3],
    200: [3, 24, 36, 3],
}


class OctResNetOptions(TypedDict, total=False):
    """Keyword arguments of oct_resnet26 ... oct_resnext50_32x4d.

    Attributes:
        num_classes: Number of classes; 1000 by default.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.
        zero_init_residual: Start every residual branch at zero (arXiv 1706.02677).
    """

    num_classes: int
    norm_layer: Callable[..., nn.Module] | None
    zero_init_residual: bool


class SEBottleneck(Bottleneck):
    """torchvision's Bottleneck with squeeze-and-excitation (arXiv 1709.01507) before the sum, as ``se``.

    `octavize` turns it into an `OctBottleneck` with an `OctSqueezeExcite`.
    """

    def __init__(self, inplanes: int, planes: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        channels = planes * self.expansion
        self.se = SqueezeExcitation(channels, channels // 16)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inplanes, h, w) -> (N, 4 * planes, h/stride, w/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.se(self.bn3(self.conv3(out)))
        result: Tensor = self.relu(out + (x if self.downsample is None else self.downsample(x)))
        return result


def oct_resnet26(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-26 for (N, 3, h, w) pictures; options as of `OctResNetOptions`."""
    return _oct_resnet(26, alpha, Bottleneck, options)


def oct_resnet50(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-50 for (N, 3, h, w) pictures; options as of `OctResNetOptions`."""
    return _oct_resnet(50, alpha, Bottleneck, options)


def oct_resnet101(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-101 for (N, 3, h, w) pictures; options as of `OctResNetOptions`."""
    return _oct_resnet(101, alpha, Bottleneck, options)


def oct_resnet152(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-152 for (N, 3, h, w) pictures; options as of `OctResNetOptions`."""
    return _oct_resnet(152, alpha, Bottleneck, options)


def oct_resnet200(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-200 for (N, 3, h, w) pictures; options as of `OctResNetOptions`."""
    return _oct_resnet(200, alpha, Bottleneck, options)


def oct_se_resnet26(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-26 with squeeze-and-excitation; options as of `OctResNetOptions`."""
    return _oct_resnet(26, alpha, SEBottleneck, options)


def oct_se_resnet50(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-50 with squeeze-and-excitation; options as of `OctResNetOptions`."""
    return _oct_resnet(50, alpha, SEBottleneck, options)


def oct_se_resnet101(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-101 with squeeze-and-excitation; options as of `OctResNetOptions`."""
    return _oct_resnet(101, alpha, SEBottleneck, options)


def oct_se_resnet152(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-152 with squeeze-and-excitation; options as of `OctResNetOptions`."""
    return _oct_resnet(152, alpha, SEBottleneck, options)


def oct_se_resnet200(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNet-200 with squeeze-and-excitation; options as of `OctResNetOptions`."""
    return _oct_resnet(200, alpha, SEBottleneck, options)


def oct_resnext50_32x4d(alpha: float, **options: Unpack[OctResNetOptions]) -> ResNet:
    """Return an Oct-ResNeXt-50 (32 groups of 4 channels); options as of `OctResNetOptions`.

    Every path has 32 groups, so alpha must be a multiple of 1/4: the 3x3 convolutions of the first stage have 128
    channels, and each branch needs a multiple of 32.
    """
    return octavize(ResNet(Bottleneck, _LAYERS[50], groups=32, width_per_group=4, **options), alpha)


def _oct_resnet(depth: int, alpha: float, block: type[Bottleneck], options: OctResNetOptions) -> ResNet:
    return octavize(ResNet(block, _LAYERS[depth], **options), alpha)
