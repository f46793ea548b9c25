"""The InputSpecs that have a name: those of published models, and photos in general."""

import difflib
from collections.abc import Callable

from freqlearn.channels import ChannelSet
from freqlearn.measured import IMAGENET_448_MEAN, IMAGENET_448_STD, IMAGENET_896_MEAN, IMAGENET_896_STD
from freqlearn.published import DCTNET_MEAN, DCTNET_STD_OF_IMAGE_MEANS
from freqlearn.spec import InputSpec


def named_spec(name: str) -> InputSpec:
    """Return the spec of that name.

    Args:
        name: One of ``NAMES``.

    Raises:
        ValueError: If there is no spec of that name.
    """
    if name not in _BUILDERS:
        close = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"expected the name of an InputSpec, one of {', '.join(NAMES)}; got {name!r}{hint}")
    return _BUILDERS[name]()


def _imagenet_rgb() -> InputSpec:
    # torchvision's and everybody's numbers, of pixels in 0..1; evaluation resizes to 256 and crops 224.
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return InputSpec("rgb", None, mean, std, 224, 256, source="ImageNet's pixels in 0..1, as torchvision's models use")


def _imagenet(mean: tuple[float, ...], std: tuple[float, ...], size_px: int, resize_px: int) -> Callable[[], InputSpec]:
    source = "freqlearn stats over 400 ImageNet photos; std of coefficients"
    return lambda: InputSpec("dct", ChannelSet.all(), mean, std, size_px, resize_px, source=source)


def _dctnet(channels: ChannelSet, size_px: int, resize_px: int) -> Callable[[], InputSpec]:
    source = "DCTNet's published upscaled-static numbers: std of each image's mean over its blocks, not of coefficients"

    def build() -> InputSpec:
        mean, std = DCTNET_MEAN, DCTNET_STD_OF_IMAGE_MEANS
        everything = InputSpec("dct", ChannelSet.all(), mean, std, size_px, resize_px, source=source)
        return everything.select(channels)

    return build


_BUILDERS: dict[str, Callable[[], InputSpec]] = {
    "imagenet-rgb": _imagenet_rgb,
    "imagenet-448": _imagenet(IMAGENET_448_MEAN, IMAGENET_448_STD, 448, 512),
    "imagenet-896": _imagenet(IMAGENET_896_MEAN, IMAGENET_896_STD, 896, 1024),
    "dctnet-resnet50-24": _dctnet(ChannelSet.square(24), 448, 512),
    "dctnet-resnet50-32": _dctnet(ChannelSet.square(32), 448, 512),
    "dctnet-resnet50-48": _dctnet(ChannelSet.square(48), 448, 512),
    "dctnet-resnet50-64": _dctnet(ChannelSet.square(64), 448, 512),
    "dctnet-resnet50-192": _dctnet(ChannelSet.all(), 448, 512),
    "dctnet-mobilenetv2-24": _dctnet(ChannelSet.square(24), 896, 1024),
    "dctnet-mobilenetv2-32": _dctnet(ChannelSet.square(32), 896, 1024),
}

NAMES = tuple(_BUILDERS)
"""Names that ``named_spec`` knows."""
