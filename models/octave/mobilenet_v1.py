"""MobileNetV1 with octave convolutions, for pictures.

"MobileNets" (Howard et al., arXiv 1704.04861) as the authors of octave convolution built it
(github.com/facebookresearch/OctConv, `mobilenetv1.py`).
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from freqlearn.models.octave.by_alpha import convolution_norm_activation, initialise

# Table 1 of the paper: output channels and stride of the 13 depthwise-separable blocks.
_WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

# The pointwise convolutions of the blocks after these give no low branch.
_OCTAVE_BLOCKS = 10


class OctMobileNetV1(nn.Module):
    """MobileNetV1 whose first ten pointwise convolutions give a low branch; the last three give none.

    The stem and the first depthwise convolution have no low branch yet, the last two depthwise convolutions none any
    more. Depthwise convolutions have no paths between the branches. Where there is no low branch, stride 2 is a strided
    convolution (the authors average 2x2 pixels there too).

    ``features.0`` is the stem, ``features.1`` ... ``features.13`` are the blocks, each a depthwise ``.0`` and a
    pointwise ``.1`` of convolution, normalisation and ReLU; ``classifier.1`` is the linear layer.

    Args:
        width_mult: Width multiplier of all layers; channels are rounded down.
        alpha: Fraction of the channels that is low, 0..1; 0 is MobileNetV1.
        num_classes: Number of classes.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.
        dropout: Dropout probability before the classifier.

    Raises:
        ValueError: If ``width_mult`` leaves a layer without channels, or alpha leaves a branch without.
    """

    def __init__(
        self,
        width_mult: float,
        alpha: float,
        *,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        norm_layer = nn.BatchNorm2d if norm_layer is None else norm_layer
        channels = int(32 * width_mult)
        if channels < 1:
            raise ValueError(f"expected width_mult of at least {1 / 32}, got {width_mult}")
        layer = partial(convolution_norm_activation, norm_layer=norm_layer, activation_layer=nn.ReLU)
        blocks = [layer(3, channels, 3, stride=2, alpha_in=0, alpha_out=0)]
        alpha_in = 0.0
        for index, (width, stride) in enumerate(zip(_WIDTHS, _STRIDES, strict=True)):
            out_channels, alpha_out = int(width * width_mult), alpha if index < _OCTAVE_BLOCKS else 0.0
            # A 3x3 convolution of each channel by itself, then a 1x1 convolution across channels.
            depthwise = layer(
                channels, channels, 3, stride=stride, groups=channels, alpha_in=alpha_in, alpha_out=alpha_in
            )
            pointwise = layer(channels, out_channels, 1, alpha_in=alpha_in, alpha_out=alpha_out)
            blocks.append(nn.Sequential(depthwise, pointwise))
            channels, alpha_in = out_channels, alpha_out
        self.features = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))
        initialise(self, "fan_out", linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) pictures -> (N, num_classes) logits."""
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def oct_mobilenet_v1(
    width_mult: float,
    alpha: float,
    *,
    num_classes: int = 1000,
    norm_layer: Callable[..., nn.Module] | None = None,
    dropout: float = 0.0,
) -> OctMobileNetV1:
    """Return an Oct-MobileNetV1; arguments as of `OctMobileNetV1`.

    Published are widths 1.0 and 0.75 with alphas 0.5 and 0.375.
    """
    return OctMobileNetV1(width_mult, alpha, num_classes=num_classes, norm_layer=norm_layer, dropout=dropout)
