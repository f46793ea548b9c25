"""Options of `freqlearn profile`. Light to import, so that its --help is quick."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from freqlearn.pipelines.options import NormName


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which model, and what it is given.

    Attributes:
        model: A network of `freqlearn train` such as resnet50; a detector of `freqlearn detect train` such as
            maskrcnn_resnet50_fpn; any model of torchvision such as vit_b_16; an octave network of
            freqlearn.models.octave such as oct_mobilenet_v1; or a checkpoint (a file).
        input: Frequency channels (dct) or pixels (rgb). By default dct for networks of `freqlearn train` and detectors,
            rgb for others.
        channels: Frequency channels: 24, 32, 48 or 64 (DCTNet's sets), 192 or all, a list such as 0-15,64,128, or a
            JSON file (an importance or a channel set). By default those of the spec, or 24.
        top: Take the K most important channels of the importance file given as channels.
        spec: InputSpec: a JSON file of `freqlearn stats`, or a preset's name such as imagenet-448.
        size_px: Height and width of the picture. By default what the network is made for.
        shape: One image's shape in place of size_px, for models that take other things than square pictures:
            3x16x112x112 for 16 frames of video; of a detector's picture height and width, 800x1333 by default.
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        gate: Put a gate in front of the network.
        octave: Alpha of octave convolution, for ResNets and for octave networks; 0 for plain convolutions.
        octave_input: With octave, also give the network the lowest frequency channels at half resolution, the same
            share of them.
        norm: How the network normalises its maps, as for `freqlearn train`.
        width_mult: Width of an octave MobileNet, as a factor.
        classes: Number of classes; by default ImageNet's 1000, COCO's 80, or what the model is published for.
    """

    model: str
    input: Literal["dct", "rgb"] | None = None
    channels: str | int | None = None
    top: int | None = None
    spec: str | None = None
    size_px: int | None = None
    shape: str | None = None
    stage2_stride: Literal[1, 2] = 2
    gate: bool = False
    octave: float = 0.0
    octave_input: bool = False
    norm: NormName = "batch"
    width_mult: float = 1.0
    classes: int | None = None

    def __post_init__(self) -> None:
        for name in ("size_px", "classes", "top"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def allow(self, *names: str) -> None:
        """Refuse options that say nothing of such a model.

        Args:
            *names: The options that do.

        Raises:
            ValueError: If another than these and `model` is given.
        """
        for option in fields(ModelChoice):
            if option.name in ("model", *names) or getattr(self, option.name) == option.default:
                continue
            allowed = f"only {', '.join(names)}" if names else "no options"
            raise ValueError(f"{option.name} is not for {self.model}, which takes {allowed}; leave it out")


@dataclass(frozen=True, kw_only=True)
class ProfileOptions(ModelChoice):
    """Which model to profile, and what to show of it.

    Attributes:
        against: A second model to show side by side: one text with a model and options as these, for instance
            "resnet50 --octave 0.5".
        depth: How deep inside the model to show layers: 1 for its children. By default as deep as it takes for no layer
            to do more than half of the work.
        json: JSON file to write every layer to.
        plot: Picture to write (.png, .svg, .pdf): bars of the layers' costs.
    """

    against: str | None = None
    depth: int | None = None
    json: Path | None = None
    plot: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth is not None and self.depth < 0:
            raise ValueError(f"depth must be at least 0, got {self.depth}")
