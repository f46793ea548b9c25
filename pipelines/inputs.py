"""From what a person asks for (24, importance.json, a preset) to the InputSpec and transforms of a model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from freqlearn import presets
from freqlearn.channel_text import parse_channels
from freqlearn.channels import ChannelSet
from freqlearn.indexing import NUM_CHANNELS
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.data import Transform
from freqlearn.pipelines.importance import FORMAT as IMPORTANCE
from freqlearn.pipelines.importance import JSON_NAME, Importance
from freqlearn.pipelines.networks import default_size_px, usual_resize_px
from freqlearn.pipelines.options import Augment, OnBadImage, TrainOptions
from freqlearn.pipelines.run_data import LabelledFiles
from freqlearn.pipelines.standardising import standardised
from freqlearn.pipelines.stats_lists import sources_of
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics, Constant
from freqlearn.transforms.pipeline import Pipeline


def choose_spec(options: TrainOptions, packed: PackedSet | None = None) -> InputSpec:
    """The InputSpec that the options ask for; for dct input without a spec it is not standardised yet.

    Args:
        options: The options.
        packed: The packed set to train on, whose own spec counts where the options say nothing.

    Raises:
        ValueError: If the options contradict each other, name something that does not exist, or ask for what the packed
            files do not have.
    """
    spec = _asked_for(options, packed)
    if packed is not None:
        packed.check_spec(spec)
    return spec


def _asked_for(options: TrainOptions, packed: PackedSet | None) -> InputSpec:
    given = read_spec(options.spec) if options.spec is not None else None
    if options.input == "rgb" or (given is not None and given.kind == "rgb"):
        return _rgb_spec(options, given)
    channels = chosen_channels(options.channels, options.top)
    if given is not None:
        spec = given if channels is None else given.select(channels)
        if not _fits_sizes(options, spec):
            raise ValueError(
                f"{options.spec} was measured at size_px {spec.size_px}, resize_px {spec.resize_px}: "
                "leave out size_px and resize_px, or leave out spec to measure anew"
            )
        return spec
    if packed is not None and _fits_sizes(options, packed.spec):
        own = packed.spec
        if channels is None:
            return own
        if channels.issubset(own.channels or ()):
            return own.select(channels)
        return InputSpec.unstandardised(channels, own.size_px, own.resize_px)
    size_px, resize_px = _sizes(options, "dct")
    return InputSpec.unstandardised(channels or ChannelSet.square(24), size_px, resize_px)


def chosen_channels(channels: str | int | None, top: int | None) -> ChannelSet | None:
    """The frequency channels that two options ask for; None where they leave the choice to a spec.

    Args:
        channels: As `read_channels` takes them, or a number of them.
        top: How many channels to take of an importance.

    Raises:
        ValueError: If they mean no channels.
    """
    if channels is not None:
        return read_channels(str(channels), top=top)
    if top is not None:
        raise ValueError("top needs channels: the importance file whose first channels to take")
    return None


def measured_spec(
    spec: InputSpec,
    train: LabelledFiles,
    *,
    images: int,
    seed: int = 0,
    constant: Constant = "refuse",
    on_bad_image: OnBadImage = "error",
    output: Path | None = None,
) -> tuple[InputSpec, ChannelStatistics]:
    """Measure mean and std on training files, after the evaluation geometry.

    Args:
        spec: Channels and sizes; of kind "dct".
        train: The training files, or shards of them.
        images: Measure on at most so many of them, chosen at random.
        seed: Seed of that choice.
        constant: What to do with a channel that never varies; see `ChannelStatistics.to_spec`.
        on_bad_image: "error" stops at a file that cannot be read, "skip" measures the others.
        output: Folder whose bad_images.csv gets the files that were skipped.

    Returns:
        The same spec with mean and std, and everything measured.

    Raises:
        ValueError: If a file cannot be read, or none can; or the spec is of kind "rgb".
    """
    sample = train.sample(images, seed=seed)
    return standardised(
        spec,
        sources_of(sample),
        eval_transform,
        files=len(sample),
        of=len(train),
        constant=constant,
        on_bad_image=on_bad_image,
        output=output,
    )


def read_spec(text: str) -> InputSpec:
    """An InputSpec from a JSON file, a classifier's checkpoint or a preset's name.

    Raises:
        ValueError: If it is none of them.
    """
    if text.endswith(".ckpt"):
        return _trained_spec(text)
    if Path(text).is_file():
        return InputSpec.load(text)
    if text in InputSpec.preset_names():
        return InputSpec.preset(text)
    raise ValueError(
        f"{text}: neither a spec file nor a preset; presets are {', '.join(InputSpec.preset_names())}; "
        "`freqlearn stats` writes a spec file, `freqlearn train` a checkpoint, which holds one"
    )


def read_channels(text: str, *, top: int | None = None) -> ChannelSet:
    """A ChannelSet as `freqlearn.channel_text.parse_channels` reads it, or the top of an importance file.

    Args:
        text: "24", "all", "0-63", a JSON file, the folder of a ranking, ...
        top: How many channels to take of an importance; only for that.

    Raises:
        ValueError: If the text means no channels, or `top` is missing or out of place.
    """
    try:
        importance = Path(text, JSON_NAME).is_file() or (text.endswith(".json") and _is_importance(Path(text)))
        if importance and top is None:
            raise ValueError("an importance ranks all channels; say with top how many of them to take")
        if importance and top is not None:
            if top > NUM_CHANNELS:
                raise ValueError(f"top must be 1 to {NUM_CHANNELS} channels, got {top}")
            return Importance.load(text).top(top)
        if top is not None:
            raise ValueError(f"top {top} is for an importance file, and {text!r} is none")
        return parse_channels(text)
    except (OSError, ValueError) as error:
        reason = f"{text}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise ValueError(f"channels: {reason}") from error


def _trained_spec(checkpoint: str) -> InputSpec:
    from freqlearn.pipelines.checkpoint import read_header

    header = read_header(checkpoint)
    if header.is_detector:
        raise ValueError(
            f"{checkpoint}: expected a classifier, got a detector, which sees the whole picture at another size"
        )
    return header.spec


def _is_importance(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected an importance or a channel set as JSON: {error}") from error
    return isinstance(data, dict) and data.get("format") == IMPORTANCE.name


def train_transform(spec: InputSpec, augment: Augment, *, channels_last: bool = False) -> Transform:
    """The random transform of training: encoded file -> (C, h, w) float32.

    Args:
        spec: What the model is given.
        augment: What is random.
        channels_last: Write frequency channels innermost in memory, in whole batches too.
    """
    if augment == "none":
        return eval_transform(spec, channels_last=channels_last)
    crop: Literal["random_resized", "none"] = "random_resized" if augment == "standard" else "none"
    return _laid_out(presets.classification_train(spec, crop=crop), spec, channels_last)


def eval_transform(spec: InputSpec, *, channels_last: bool = False) -> Transform:
    """The deterministic transform of evaluation: encoded file -> (C, h, w) float32; arguments as above."""
    return _laid_out(presets.classification_eval(spec), spec, channels_last)


def _laid_out(transform: Transform, spec: InputSpec, channels_last: bool) -> Transform:
    if channels_last and spec.kind == "dct":
        Pipeline(transform).last.memory_format = torch.channels_last
    return transform


def is_standardised(spec: InputSpec) -> bool:
    """Whether a spec has a mean and std, and not only 0 and 1 in their places."""
    return set(spec.mean) != {0.0} or set(spec.std) != {1.0}


def _fits_sizes(options: TrainOptions, spec: InputSpec) -> bool:
    """Whether the options ask for no other sizes than a spec's."""
    asked = (options.size_px or spec.size_px, options.resize_px or spec.resize_px)
    return asked == (spec.size_px, spec.resize_px)


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
    return size_px, usual_resize_px(size_px) if options.augment == "standard" else None
