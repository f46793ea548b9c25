"""From what a person asks for (24, importance.json, a preset) to the InputSpec and transforms of a model."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from freqlearn import presets
from freqlearn.channel_text import parse_channels
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.importance import FORMAT as IMPORTANCE
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.measuring import Measurement, measure
from freqlearn.pipelines.networks import default_size_px
from freqlearn.pipelines.options import Augment, TrainOptions
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

Transform = Callable[[bytes], torch.Tensor]

_log = logging.getLogger(__name__)


def choose_spec(options: TrainOptions) -> InputSpec:
    """The InputSpec that the options ask for; for dct input without a spec it is not standardised yet.

    Raises:
        ValueError: If the options contradict each other, or name something that does not exist.
    """
    given = read_spec(options.spec) if options.spec is not None else None
    if options.input == "rgb" or (given is not None and given.kind == "rgb"):
        return _rgb_spec(options, given)
    channels = read_channels(str(options.channels), top=options.top) if options.channels is not None else None
    if channels is None and options.top is not None:
        raise ValueError("top needs channels: the importance file whose first channels to take")
    if given is not None:
        spec = given if channels is None else given.select(channels)
        if (options.size_px or spec.size_px, options.resize_px or spec.resize_px) != (spec.size_px, spec.resize_px):
            raise ValueError(
                f"{options.spec} was measured at size_px {spec.size_px}, resize_px {spec.resize_px}: "
                "leave out size_px and resize_px, or leave out spec to measure anew"
            )
        return spec
    size_px, resize_px = _sizes(options, "dct")
    return InputSpec.unstandardised(channels or ChannelSet.square(24), size_px, resize_px)


def measured_spec(spec: InputSpec, train: ClassFolder, *, images: int, seed: int = 0) -> InputSpec:
    """The same spec with mean and std measured on (at most `images` of) the training files."""
    sample = train.sample(images, seed=seed)
    channels = _channels_of(spec)
    _log.info("No spec given: measuring mean and std of %s on %d training files", channels, len(sample))
    transform = presets.classification_eval(InputSpec.unstandardised(channels, spec.size_px, spec.resize_px))
    start = Measurement(ChannelStatistics(len(channels)))
    *_, whole = measure(sample.paths(), transform, start)
    source = f"{len(sample)} of {len(train)} training files"
    return whole.statistics.to_spec(channels, spec.size_px, spec.resize_px, source=source)


def read_spec(text: str) -> InputSpec:
    """An InputSpec from a JSON file or a preset's name.

    Raises:
        ValueError: If it is neither.
    """
    if Path(text).is_file():
        return InputSpec.load(text)
    if text in InputSpec.preset_names():
        return InputSpec.preset(text)
    raise ValueError(
        f"{text}: neither a spec file nor a preset; presets are {', '.join(InputSpec.preset_names())}; "
        "`freqlearn stats` writes a spec file"
    )


def read_channels(text: str, *, top: int | None = None) -> ChannelSet:
    """A ChannelSet as `freqlearn.channel_text.parse_channels` reads it, or the top of an importance file.

    Args:
        text: "24", "all", "0-63", a JSON file, ...
        top: How many channels to take of an importance file; only for that.

    Raises:
        ValueError: If the text means no channels, or `top` is missing or out of place.
    """
    try:
        importance = text.endswith(".json") and _is_importance(Path(text))
        if importance and top is None:
            raise ValueError("an importance ranks all channels; say with top how many of them to take")
        if importance and top is not None:
            return Importance.load(text).top(top)
        if top is not None:
            raise ValueError(f"top {top} is for an importance file, and {text!r} is none")
        return parse_channels(text)
    except (OSError, ValueError) as error:
        reason = f"{text}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise ValueError(f"channels: {reason}") from error


def _is_importance(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected an importance or a channel set as JSON: {error}") from error
    return isinstance(data, dict) and data.get("format") == IMPORTANCE.name


def train_transform(spec: InputSpec, augment: Augment) -> Transform:
    """The random transform of training: encoded file -> (C, h, w) float32."""
    if augment == "none":
        return eval_transform(spec)
    return presets.classification_train(spec, crop="random_resized" if augment == "standard" else "none")


def eval_transform(spec: InputSpec) -> Transform:
    """The deterministic transform of evaluation: encoded file -> (C, h, w) float32."""
    return presets.classification_eval(spec)


def _rgb_spec(options: TrainOptions, given: InputSpec | None) -> InputSpec:
    if options.channels is not None or options.top is not None:
        raise ValueError(f"{options.spec}: an rgb spec has no frequency channels; leave out channels and top")
    if given is not None and given.kind != "rgb":
        raise ValueError(f"{options.spec}: a spec of kind dct, but input is rgb; leave one of them out")
    if given is not None and options.size_px is None and options.resize_px is None:
        return given
    size_px, resize_px = _sizes(options, "rgb")
    return replace(given or InputSpec.preset("imagenet-rgb"), size_px=size_px, resize_px=resize_px)


def _sizes(options: TrainOptions, kind: str) -> tuple[int, int | None]:
    size_px = options.size_px or default_size_px(options.model, kind)
    if options.resize_px is not None:
        return size_px, options.resize_px
    # 8/7 is everybody's ratio (256 for 224; DCTNet's 512 for 448).
    return size_px, round(size_px * 8 / 7) if options.augment == "standard" else None


def _channels_of(spec: InputSpec) -> ChannelSet:
    if spec.channels is None:
        raise ValueError("only frequency channels are measured; the spec is of kind rgb")
    return spec.channels
