"""Detectors as models to profile: what they do for one picture, with as many regions as they let through."""

import re

import torch
from torch import nn

from freqlearn.channels import ChannelSet
from freqlearn.models import detection, norm_layer
from freqlearn.pipelines.detection.costs import PICTURE_PX, OnePicture, maps_shape
from freqlearn.pipelines.inputs import read_channels, read_spec
from freqlearn.pipelines.profile_options import ModelChoice
from freqlearn.spec import InputSpec

DETECTOR_NAMES = tuple(name for name in detection.__all__ if re.match("(faster|mask)rcnn_", name))
"""Names of detectors."""

CLASSES = 80  # COCO's, as all published costs


def build_detector(choice: ModelChoice, spec: InputSpec) -> nn.Module:
    """The detector that was chosen, on the meta device; its classes are without the background."""
    with torch.device("meta"):
        detector: nn.Module = getattr(detection, choice.model)(
            spec=spec,
            num_classes=(choice.classes or CLASSES) + 1,
            gate=choice.gate,
            norm_layer=norm_layer(choice.norm),
        )
    return detector


def detector_spec(choice: ModelChoice) -> InputSpec:
    """What the chosen detector is given.

    Raises:
        ValueError: If options contradict each other.
    """
    if choice.input == "rgb":
        return InputSpec.preset("imagenet-rgb")
    channels = None if choice.channels is None else read_channels(str(choice.channels), top=choice.top)
    if choice.spec is None:
        return InputSpec.unstandardised(channels or ChannelSet.square(24), 2 * PICTURE_PX[0])
    given = read_spec(choice.spec)
    if given.kind == "rgb":
        raise ValueError(f"{choice.spec}: a spec of kind rgb; give input rgb in its place")
    return given if channels is None else given.select(channels)


def picture_px(choice: ModelChoice) -> tuple[int, int]:
    """Height and width of the picture.

    Raises:
        ValueError: If the shape is not written so.
    """
    if choice.shape is None:
        return PICTURE_PX
    if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", choice.shape)):
        raise ValueError(
            f"expected the shape of a detector's picture as height x width, 800x1333; got {choice.shape!r}"
        )
    return int(found[1]), int(found[2])


def one_picture(detector: nn.Module, spec: InputSpec, size: tuple[int, int]) -> tuple[str, OnePicture, tuple[int, ...]]:
    """What a detector does for one picture.

    Args:
        detector: The detector.
        spec: What it is given.
        size: (height, width) of the picture, in pixels.

    Returns:
        The input and the numbers of regions, for people; a network that does the same; what that is given.
    """
    work = OnePicture(detector)
    image = "RGB" if spec.channels is None else spec.channels.name
    masks = f", {work.detections} masks" if work.roi_heads.has_mask() else ""
    return f"{image}, {size[0]}x{size[1]} px, {work.proposals} proposals{masks}", work, maps_shape(spec, size)
