"""MobileNetV2 with octave convolutions, for pictures.

"MobileNetV2" (Sandler et al., arXiv 1801.04381) as the authors of octave convolution built it
(github.com/facebookresearch/OctConv, `mobilenetv2.py`).
"""

from collections.abc import Callable
from functools import partial
from itertools import count

from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual, MobileNetV2

from freqlearn.models.octave.by_alpha import convolution, convolution_norm_activation, initialise

# Of 17 inverted residuals; the later ones have maps of 14x14 and 7x7 for a picture of 224 px.
_OCTAVE_BLOCKS = 13


class OctInvertedResidual(InvertedResidual):
    """torchvision's InvertedResidual whose expanded channels are a pair; its input and output are Tensors.

    It has the 1x1 expansion even with an expansion of 1, for this is where the low branch begins. The authors' first
    block has it too; MobileNetV2's and torchvision's has not.

    Args:
        inp: Input channels.
        oup: Output channels.
        stride: 1 or 2.
        expand_ratio: Expanded channels for each input channel.
        alpha: Fraction of the expanded channels that is low, above 0.
        norm_layer: Makes a normalisation layer from a number of channels.
    """

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: int,
        *,
        alpha: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        super().__init__(inp, oup, stride, expand_ratio, norm_layer)
        expanded = inp * expand_ratio
        layer = partial(convolution_norm_activation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        self.conv = nn.Sequential(
            layer(inp, expanded, 1, alpha_in=0, alpha_out=alpha),
            layer(expanded, expanded, 3, stride=stride, groups=expanded, alpha_in=alpha, alpha_out=alpha),
            convolution(expanded, oup, 1, alpha_in=alpha, alpha_out=0),
            norm_layer(oup),
        )


class OctMobileNetV2(MobileNetV2):
    """torchvision's MobileNetV2 whose first 13 inverted residuals are octave ones; the last 4 are plain.

    With alpha 0 it is torchvision's network and loads its weights. Else all parameter names are torchvision's but for
    two: the first block has an expansion (see `OctInvertedResidual`), and normalisation layers of a pair have a part
    for each branch, which load the plain layer's state.

    Args:
        width_mult: Width multiplier of all layers, and from 1 on of the last one.
        alpha: Fraction of the expanded channels that is low, 0..1.
        num_classes: Number of classes.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.
        dropout: Dropout probability before the classifier.
        round_nearest: Channels are a multiple of this; 1, the authors' choice, keeps the exact width, MobileNetV2 and
            torchvision have 8. It makes no difference at width 1.

    Raises:
        ValueError: If alpha leaves a branch without channels.
    """

    def __init__(
        self,
        width_mult: float,
        alpha: float,
        *,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
        round_nearest: int = 1,
    ) -> None:
        blocks = count()

        def block(
            inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Callable[..., nn.Module]
        ) -> nn.Module:
            # torchvision builds the blocks in order.
            if next(blocks) >= _OCTAVE_BLOCKS or alpha == 0:
                return InvertedResidual(inp, oup, stride, expand_ratio, norm_layer)
            return OctInvertedResidual(inp, oup, stride, expand_ratio, alpha=alpha, norm_layer=norm_layer)

        super().__init__(
            num_classes=num_classes,
            width_mult=width_mult,
            round_nearest=round_nearest,
            block=block,
            norm_layer=norm_layer,
            dropout=dropout,
        )
        # torchvision has drawn all but the octave convolutions.
        for module in self.modules():
            if isinstance(module, OctInvertedResidual):
                initialise(module, "fan_out")


def oct_mobilenet_v2(
    width_mult: float,
    alpha: float,
    *,
    num_classes: int = 1000,
    norm_layer: Callable[..., nn.Module] | None = None,
    dropout: float = 0.2,
    round_nearest: int = 1,
) -> OctMobileNetV2:
    """Return an Oct-MobileNetV2; arguments as of `OctMobileNetV2`.

    Published are widths 1.0 and 1.125 with alphas 0.375 and 0.5.
    """
    return OctMobileNetV2(
        width_mult,
        alpha,
        num_classes=num_classes,
        norm_layer=norm_layer,
        dropout=dropout,
        round_nearest=round_nearest,
    )
