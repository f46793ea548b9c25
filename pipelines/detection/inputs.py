"""From the options of a detector's training to the InputSpec and the transforms of its network."""

from dataclasses import replace

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.detection_presets import DetectionTransform
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.inputs import chosen_channels, read_spec
from freqlearn.spec import InputSpec


def choose_detection_spec(options: DetectOptions) -> InputSpec:
    """The InputSpec that the options ask for; for dct input without a spec it is not standardised yet.

    Raises:
        ValueError: If the options contradict each other, or name something that does not exist.
    """
    given = read_spec(options.spec) if options.spec is not None else None
    if given is not None and given.kind != options.input:
        raise ValueError(f"{options.spec}: a spec of kind {given.kind}, but input is {options.input}; leave out spec")
    if options.input == "rgb":
        return replace(given or InputSpec.preset("imagenet-rgb"), size_px=options.size_px, resize_px=None)
    channels = chosen_channels(options.channels, options.top)
    if given is None:
        spec = InputSpec.unstandardised(channels or ChannelSet.square(24), options.size_px)
    else:
        spec = given if channels is None else given.select(channels)
        if (spec.size_px, spec.resize_px) != (options.size_px, None):
            raise ValueError(
                f"{options.spec} was measured at size_px {spec.size_px}, resize_px {spec.resize_px}, and min_size "
                f"{options.min_size} needs size_px {options.size_px} without a crop: leave out spec to measure anew"
            )
    return spec if options.std_floor is None else spec.with_std_floor(options.std_floor)


def train_transform(spec: InputSpec, options: DetectOptions) -> DetectionTransform:
    """The random transform of training: encoded file and target -> (C, h, w) float32 and target."""
    return presets.detection_train(
        spec, min_size=options.min_size, max_size=options.max_size, augment=options.augment, pad=options.pad
    )


def eval_transform(spec: InputSpec, options: DetectOptions) -> DetectionTransform:
    """The deterministic transform of evaluation."""
    return presets.detection_eval(spec, min_size=options.min_size, max_size=options.max_size, pad=options.pad)
