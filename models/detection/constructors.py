"""Faster and Mask R-CNN with ResNets of several depths, by torchvision's names."""

from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from torch import nn

from freqlearn.flat_color import Pad
from freqlearn.models._inputs import resolve_in_channels
from freqlearn.models.detection.backbone import resnet_fpn
from freqlearn.models.detection.options import RCNNOptions
from freqlearn.models.detection.rcnn import FrequencyFasterRCNN, FrequencyMaskRCNN
from freqlearn.spec import InputSpec


class DetectorOptions(RCNNOptions, total=False):
    """Keyword arguments of the constructors.

    ``spec`` (of either kind) or ``in_channels`` (of frequency channels); ``num_classes`` with the background, 91 as
    torchvision's; ``trainable_layers`` (all by default) and ``norm_layer`` as of `resnet_fpn`; ``pad``, ``gate``,
    ``min_anchor`` as of `FrequencyFasterRCNN`; and torchvision's own.
    """

    spec: InputSpec | None
    in_channels: int | None
    num_classes: int
    trainable_layers: int | None
    norm_layer: Callable[..., nn.Module] | None
    pad: Pad
    gate: bool
    min_anchor: int


_Detector = TypeVar("_Detector", FrequencyFasterRCNN, FrequencyMaskRCNN)


def fasterrcnn_resnet18_fpn(**options: Unpack[DetectorOptions]) -> FrequencyFasterRCNN:
    """Return a Faster R-CNN with a ResNet-18; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyFasterRCNN, "resnet18", **options)


def fasterrcnn_resnet50_fpn(**options: Unpack[DetectorOptions]) -> FrequencyFasterRCNN:
    """Return a Faster R-CNN with a ResNet-50; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyFasterRCNN, "resnet50", **options)


def fasterrcnn_resnet101_fpn(**options: Unpack[DetectorOptions]) -> FrequencyFasterRCNN:
    """Return a Faster R-CNN with a ResNet-101; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyFasterRCNN, "resnet101", **options)


def maskrcnn_resnet18_fpn(**options: Unpack[DetectorOptions]) -> FrequencyMaskRCNN:
    """Return a Mask R-CNN with a ResNet-18; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyMaskRCNN, "resnet18", **options)


def maskrcnn_resnet50_fpn(**options: Unpack[DetectorOptions]) -> FrequencyMaskRCNN:
    """Return a Mask R-CNN with a ResNet-50; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyMaskRCNN, "resnet50", **options)


def maskrcnn_resnet101_fpn(**options: Unpack[DetectorOptions]) -> FrequencyMaskRCNN:
    """Return a Mask R-CNN with a ResNet-101; options as of `DetectorOptions`, random weights."""
    return _build(FrequencyMaskRCNN, "resnet101", **options)


def _build(
    detector: type[_Detector],
    resnet: str,
    *,
    spec: InputSpec | None = None,
    in_channels: int | None = None,
    num_classes: int = 91,
    trainable_layers: int | None = None,
    norm_layer: Callable[..., nn.Module] | None = None,
    **options: Any,
) -> _Detector:
    rgb = spec is not None and spec.kind == "rgb"
    channels = _rgb_channels(in_channels) if rgb else resolve_in_channels(in_channels, spec)
    backbone = resnet_fpn(
        resnet,
        None if rgb else channels,
        trainable_layers=5 if trainable_layers is None else trainable_layers,
        norm_layer=norm_layer,
    )
    return detector(backbone, num_classes, spec=spec, in_channels=channels, **options)


def _rgb_channels(in_channels: int | None) -> int:
    if in_channels not in (None, 3):
        raise ValueError(f"expected in_channels of 3, or none, with a spec of kind rgb, got {in_channels}")
    return 3
