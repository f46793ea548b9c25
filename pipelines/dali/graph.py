"""What DALI computes: from the bytes of a batch to RGB pictures of one size, in float32.

Every function adds operators to the pipeline that is being defined and returns DALI's nodes.
"""

import importlib
from typing import Any, Literal

import torch

from freqlearn.pipelines.options import Augment
from freqlearn.spec import InputSpec

DecodeOn = Literal["cpu", "mixed"]
Device = Literal["cpu", "mixed"] | int
"""The CPU, torch's current GPU, or the GPU of that number."""


def load_dali() -> Any:
    """The package nvidia.dali with its modules fn and types.

    Raises:
        ImportError: If it is not installed; the message says how to.
    """
    try:
        return importlib.import_module("nvidia.dali")
    except ModuleNotFoundError as error:
        raise ImportError("loading by DALI needs nvidia-dali: pip install 'freqlearn[dali]'") from error


def gpu_number(device: Device) -> int | None:
    """The number of a device's GPU, None for the CPU.

    Raises:
        ValueError: If it is no device, or there is no GPU.
    """
    if device == "cpu":
        return None
    if device != "mixed" and (isinstance(device, bool) or not isinstance(device, int)):
        raise ValueError(f'expected device as "cpu", "mixed" or a GPU\'s number, got {device!r}')
    if not torch.cuda.is_available():
        raise ValueError(f'device {device!r} needs a CUDA GPU, and torch finds none; use device="cpu"')
    return torch.cuda.current_device() if device == "mixed" else int(device)


def pictures(
    jpegs: Any,
    spec: InputSpec,
    *,
    augment: Augment,
    decode_on: DecodeOn = "cpu",
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
    hflip: float = 0.5,
) -> Any:
    """Decode, crop, resize and flip.

    Args:
        jpegs: Node of encoded files.
        spec: For its sizes.
        augment: "standard" for a random resized crop and a flip, "flip" for pictures that have the spec's size already,
            "none" for the evaluation geometry.
        decode_on: "cpu", or "mixed" for nvJPEG on the pipeline's GPU.
        scale: Smallest and largest share of the picture's area for the crop.
        ratio: Smallest and largest width / height of the crop.
        hflip: Probability of mirroring.

    Returns:
        Node of (size_px, size_px, 3) float32 pictures, 0..255, on the CPU or, for "mixed", on the GPU.
    """
    fn = load_dali().fn
    options = _decoding(decode_on)
    if augment == "none":
        return centre_crop(fn.decoders.image(jpegs, **options), jpegs, spec)
    if augment == "flip":
        return flipped(as_float(fn.decoders.image(jpegs, **options)), hflip)
    part = fn.decoders.image_random_crop(
        jpegs, random_area=list(scale), random_aspect_ratio=list(ratio), num_attempts=10, **options
    )
    # Before the resize: there are fewer bytes to move, and both orders give the same picture.
    return resized(flipped(part, hflip), [spec.size_px, spec.size_px])


def centre_crop(images: Any, jpegs: Any, spec: InputSpec) -> Any:
    """Resize the short side to `spec.resize_px`, if any, then take the centre, both rounded as torchvision rounds.

    Args:
        images: Node of decoded pictures.
        jpegs: Node of the same, encoded; its headers say the sizes, on the CPU.
        spec: For its sizes.
    """
    fn, types, math = load_dali().fn, load_dali().types, load_dali().math
    sides = fn.peek_image_shape(jpegs, adjust_orientation=False)[:2]
    if spec.resize_px is None:
        images = as_float(images)
    else:
        # torchvision: int(resize * long / short). DALI's own resize_shorter rounds to nearest.
        short = math.min(sides[0], sides[1])
        sides = spec.resize_px * sides // short
        images = resized(images, fn.cast(sides, dtype=types.FLOAT))
    extra = sides - spec.size_px
    # torchvision: round(extra / 2), Python's round, which goes to the even one of two.
    half = extra // 2
    start = half + (extra & 1) * (half & 1)
    return fn.slice(
        images, start=fn.cast(start, dtype=types.INT32), shape=[spec.size_px, spec.size_px], axis_names="HW"
    )


def resized(images: Any, size: Any) -> Any:
    """Resize pictures to (height, width), antialiased bilinear, to float32 that is not rounded."""
    dali = load_dali()
    return dali.fn.resize(
        images, size=size, interp_type=dali.types.INTERP_TRIANGULAR, antialias=True, dtype=dali.types.FLOAT
    )


def flipped(images: Any, probability: float) -> Any:
    """Mirror pictures with a probability."""
    fn = load_dali().fn
    return fn.flip(images, horizontal=fn.random.coin_flip(probability=probability)) if probability else images


def as_float(images: Any) -> Any:
    """Pictures as float32, 0..255."""
    dali = load_dali()
    return dali.fn.cast(images, dtype=dali.types.FLOAT)


def _decoding(decode_on: DecodeOn) -> dict[str, Any]:
    options = {"output_type": load_dali().types.RGB, "adjust_orientation": False, "device": decode_on}
    # libjpeg-turbo's interpolation of chroma, which the CPU uses in any case.
    return options if decode_on == "cpu" else options | {"jpeg_fancy_upsampling": True}
