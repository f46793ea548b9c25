"""From what somebody names (resnet50, vit_b_16, best.ckpt) to a model and the image it takes, on the meta device."""

import difflib
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from freqlearn.models import norm_layer, octave
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.detection.networks import DETECTOR_NAMES
from freqlearn.pipelines.inputs import choose_spec
from freqlearn.pipelines.networks import NETWORK_NAMES, build_network
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.profile_options import ModelChoice
from freqlearn.pipelines.profiling.detectors import chosen_detector, detector_spec, one_picture, picture_px
from freqlearn.spec import InputSpec

OCTAVE_NAMES = tuple(name for name in octave.__all__ if name.startswith("oct_"))
"""Names of octave networks."""

_CLASSES = 1000  # ImageNet's, as all published costs
_FRAMES = 16  # that torchvision's video models are published for
# Detection looks at what it has found so far, and optical flow at two pictures: neither has a cost of an image. Of our
# own detectors the numbers of regions are known.
_WITHOUT_COST = ("torchvision.models.detection", "torchvision.models.optical_flow")


@dataclass(frozen=True)
class Subject:
    """A model to profile.

    Attributes:
        title: Which model and which input, for people.
        model: The model; its values do not matter, so it may be on the meta device.
        image: What it takes.
    """

    title: str
    model: nn.Module
    image: InputSpec | tuple[int, ...]


def subject(choice: ModelChoice) -> Subject:
    """Build the model that was chosen.

    Raises:
        ValueError: If there is no such model, or options contradict it.
    """
    if choice.model in NETWORK_NAMES:
        return _network(choice)
    if choice.model in OCTAVE_NAMES:
        return _octave_network(choice)
    if choice.model in DETECTOR_NAMES:
        return _detector(choice)
    if choice.model in torchvision.models.list_models():
        return _torchvision_model(choice)
    if Path(choice.model).suffix == ".ckpt" or Path(choice.model).is_file():
        return _checkpoint(choice)
    close = difflib.get_close_matches(
        choice.model, [*NETWORK_NAMES, *OCTAVE_NAMES, *DETECTOR_NAMES, *torchvision.models.list_models()], n=1
    )
    hint = f"did you mean {close[0]}?" if close else f"for instance {', '.join(NETWORK_NAMES)}"
    raise ValueError(f"{choice.model}: neither a network, a model of torchvision, nor a checkpoint file; {hint}")


def _checkpoint(choice: ModelChoice) -> Subject:
    checkpoint = load_checkpoint(choice.model)
    header = checkpoint.header
    choice.allow(*(["shape"] if header.is_detector else []))

    def described(image: str) -> str:
        return f"{choice.model}: {header.network_title} on {image}, {len(header.classes)} classes"

    if not header.is_detector:
        return Subject(described(_input(header.spec)), checkpoint.model, header.spec)
    image, work, shape = one_picture(checkpoint.model, header.spec, picture_px(choice, header))
    return Subject(described(image), work, shape)


def _network(choice: ModelChoice) -> Subject:
    network = ("octave", "octave_input", "norm", "classes", "input", "size_px")
    if choice.input == "rgb":
        choice.allow(*network, "spec")
    else:
        choice.allow(*network, "spec", "channels", "top", "stage2_stride", "gate")
    options = TrainOptions(
        data=Path(),  # nothing is read
        model=choice.model,  # type: ignore[arg-type]  # one of NETWORK_NAMES
        input=choice.input or "dct",
        channels=choice.channels,
        top=choice.top,
        spec=choice.spec,
        size_px=choice.size_px,
        stage2_stride=choice.stage2_stride,
        gate=choice.gate,
        octave=choice.octave,
        octave_input=choice.octave_input,
        norm=choice.norm,
    )
    spec = choose_spec(options)
    with torch.device("meta"):
        model = build_network(
            options.model, spec, num_classes=choice.classes or _CLASSES, **options.network_arguments()
        )
    shown = ("stage2_stride", "gate", "octave", "octave_input", "norm")
    return Subject(_title(choice, _input(spec), shown), model, spec)


def _detector(choice: ModelChoice) -> Subject:
    if choice.input == "rgb":
        choice.allow("norm", "classes", "input", "shape")
    else:
        choice.allow("norm", "classes", "input", "shape", "spec", "channels", "top", "gate")
    spec = detector_spec(choice)
    image, work, shape = one_picture(chosen_detector(choice, spec), spec, picture_px(choice))
    return Subject(_title(choice, image, ("gate", "norm")), work, shape)


def _octave_network(choice: ModelChoice) -> Subject:
    build: Callable[..., nn.Module] = getattr(octave, choice.model)
    widens = "width_mult" in inspect.signature(build).parameters
    choice.allow("octave", "norm", "classes", "input", "size_px", *(["width_mult"] if widens else []))
    _check_rgb(choice)
    arguments: dict[str, Any] = {"width_mult": choice.width_mult} if widens else {}
    with torch.device("meta"):
        arguments |= {"num_classes": choice.classes or _CLASSES, "norm_layer": norm_layer(choice.norm)}
        model = build(alpha=choice.octave, **arguments)
    size = choice.size_px or 224
    shown = ("octave", "norm", "width_mult")
    return Subject(_title(choice, f"RGB, {size} px", shown), model, (3, size, size))


def _torchvision_model(choice: ModelChoice) -> Subject:
    choice.allow("classes", "input", "size_px", "shape")
    _check_rgb(choice)
    builder = torchvision.models.get_model_builder(choice.model)
    if builder.__module__.startswith(_WITHOUT_COST):
        raise ValueError(
            f"{choice.model}: what a detector or an optical flow computes depends on its pictures; "
            "profile its backbone, for instance resnet50 --input rgb"
        )
    shape = _shape(choice, builder.__module__)
    arguments: dict[str, Any] = {} if choice.classes is None else {"num_classes": choice.classes}
    if "weights_backbone" in inspect.signature(builder).parameters:
        arguments["weights_backbone"] = None  # it would be downloaded otherwise
    if builder.__module__.endswith("vision_transformer"):
        arguments["image_size"] = shape[-1]  # its table of positions is made for one size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how weights are drawn, and there are none
        try:
            model = _built(lambda: torchvision.models.get_model(choice.model, weights=None, **arguments))
        except AssertionError as error:  # transformers check their pictures' size so
            size = "x".join(map(str, shape))
            raise ValueError(f"{choice.model}: no such model for pictures of {size}: {error}") from error
    return Subject(_title(choice, "x".join(map(str, shape)), ()), model, shape)


def _built(build: Callable[[], nn.Module]) -> nn.Module:
    try:
        with torch.device("meta"):
            return build()
    except NotImplementedError:  # RegNets compute their widths with tensors
        return build()


def _shape(choice: ModelChoice, module: str) -> tuple[int, ...]:
    if choice.shape is not None:
        if choice.size_px is not None:
            raise ValueError("shape and size_px both say how large the picture is; leave out one of them")
        if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", choice.shape):
            raise ValueError(f"expected the shape of one image as 3x224x224, got {choice.shape!r}")
        return tuple(map(int, choice.shape.split("x")))
    size = choice.size_px or _usual_size(choice.model)
    return (3, _FRAMES, size, size) if ".video" in module else (3, size, size)


def _usual_size(name: str) -> int:
    """The size of pictures that torchvision's first published weights take; 224 where there are none."""
    # No weights are loaded: these are only descriptions of them.
    for weights in torchvision.models.get_model_weights(name):
        transform = weights.transforms()
        size = getattr(transform, "crop_size", None) or getattr(transform, "resize_size", None)
        if size:
            return int(size[0] if isinstance(size, list | tuple) else size)
    return 224


def _check_rgb(choice: ModelChoice) -> None:
    if choice.input == "dct":
        raise ValueError(f"{choice.model} takes pixels; networks for frequency channels are {', '.join(NETWORK_NAMES)}")


def _input(spec: InputSpec) -> str:
    return f"{'RGB' if spec.channels is None else spec.channels.name}, {spec.size_px} px"


def _title(choice: ModelChoice, image: str, shown: tuple[str, ...]) -> str:
    defaults = ModelChoice(model=choice.model)
    options = [f"{name} {getattr(choice, name)}" for name in shown if getattr(choice, name) != getattr(defaults, name)]
    classes = [f"{choice.classes} classes"] if choice.classes is not None else []
    return ", ".join([f"{choice.model} on {image}", *options, *classes])
