"""MobileNetV2 without its first convolution: frequency maps take the place of that convolution's output.

The first convolution of MobileNetV2 halves a 224 px picture to (32, 112, 112). A picture of 896 px gives frequency maps
of the same size, and DCTNet feeds them into the first inverted residual (github.com/kaix90/DCTNet,
`MobileNetV2DCT_Subset_woinp`).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual, MobileNetV2

from freqlearn.models._inputs import check_maps, resolve_in_channels
from freqlearn.spec import InputSpec

# torch.fx (torchvision's create_feature_extractor) cannot trace an `if` on a shape: the check is a leaf to it.
torch.fx.wrap("check_maps")


class FrequencyMobileNetV2(MobileNetV2):
    """torchvision's MobileNetV2 from its first inverted residual on, for (N, C, h, w) standardised frequency maps.

    Parameter names are torchvision's (``features.1`` ... ``features.18``, ``classifier.1``); ``features.0`` is an
    Identity, so that indices stay torchvision's too. The first block's depthwise convolution, its normalisation and the
    input side of its projection have C channels instead of 32. With C = 16 that block gets a residual connection, as
    every inverted residual with as many inputs as outputs.

    Args:
        in_channels: Number of frequency channels C; or give ``spec``.
        spec: What the input is; kept as ``model.spec``.
        num_classes: Number of classes.
        norm_layer: Makes a normalisation layer from a number of channels; BatchNorm2d by default.
        width_mult: Width multiplier of all later layers.
        dropout: Dropout probability before the classifier.

    Raises:
        TypeError: If ``in_channels`` is not an integer.
        ValueError: If ``in_channels`` and ``spec`` are both missing or disagree.
    """

    def __init__(
        self,
        *,
        in_channels: int | None = None,
        spec: InputSpec | None = None,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        width_mult: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        channels = resolve_in_channels(in_channels, spec)
        first = iter([channels])

        def block(
            inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Callable[..., nn.Module]
        ) -> nn.Module:
            # torchvision builds the blocks in order; only the first one's input is not its predecessor's output.
            return InvertedResidual(next(first, inp), oup, stride, expand_ratio, norm_layer)

        super().__init__(
            num_classes=num_classes, width_mult=width_mult, block=block, norm_layer=norm_layer, dropout=dropout
        )
        self.features[0] = nn.Identity()
        self.in_channels = channels
        self.spec = spec

    def _forward_impl(self, x: Tensor) -> Tensor:
        check_maps(x, self.in_channels)
        logits: Tensor = super()._forward_impl(x)
        return logits


def mobilenet_v2(
    *,
    in_channels: int | None = None,
    spec: InputSpec | None = None,
    num_classes: int = 1000,
    norm_layer: Callable[..., nn.Module] | None = None,
    width_mult: float = 1.0,
    dropout: float = 0.2,
) -> FrequencyMobileNetV2:
    """Return a MobileNetV2 without its first convolution; arguments as of `FrequencyMobileNetV2`."""
    return FrequencyMobileNetV2(
        in_channels=in_channels,
        spec=spec,
        num_classes=num_classes,
        norm_layer=norm_layer,
        width_mult=width_mult,
        dropout=dropout,
    )
