"""Detectors as models to profile: what they do for one picture, with as many regions as they let through."""

import re

import torch
from torch import nn

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.detection.costs import PICTURE_PX, OnePicture, maps_shape
from freqlearn.pipelines.detection.networks import build_detector
from freqlearn.pipelines.inputs import chosen_channels, read_spec
from freqlearn.pipelines.profile_options import ModelChoice
from freqlearn.spec import InputSpec

CLASSES = 80  # COCO's, as all published costs


def chosen_detector(choice: ModelChoice, spec: InputSpec) -> nn.Module:
    """The detector that was chosen, on the meta device; its classes are without the background."""
    with torch.device("meta"):
        return build_detector(choice.model, spec, classes=choice.classes or CLASSES, gate=choice.gate, norm=choice.norm)


def detector_spec(choice: ModelChoice) -> InputSpec:
    """What the chosen detector is given.

    Raises:
        ValueError: If options contradict each other.
    """
    if choice.input == "rgb":
        return InputSpec.preset("imagenet-rgb")
    channels = chosen_channels(choice.channels, choice.top)
    if choice.spec is None:
        return InputSpec.unstandardised(channels or ChannelSet.square(24), 2 * PICTURE_PX[0])
    given = read_spec(choice.spec)
    if given.kind == "rgb":
        raise ValueError(f"{choice.spec}: a spec of kind rgb; give input rgb in its place")
    return given if channels is None else given.select(channels)


def picture_px(choice: ModelChoice, header: Header | None = None) -> tuple[int, int]:
    """Height and width of the picture.

    Args:
        choice: May name its shape.
        header: Of a checkpoint; the largest lying picture that its training had is taken otherwise.

    Raises:
        ValueError: If the shape is not written so.
    """
    shape = choice.shape
    if shape is None:
        names = ("min_size", "max_size")
        if header is None or not all(isinstance(header.training.get(name), int) for name in names):
            return PICTURE_PX
        return header.training["min_size"], header.training["max_size"]
    if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", shape)):
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
