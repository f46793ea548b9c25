"""Whole pipelines for detection, from an InputSpec: bytes and a target in, standardised tensor and target out.

Boxes and masks come out in picture pixels: those of the resized photo, as torchvision's RGB pipeline has it. Frequency
maps are of that picture enlarged by two, in the same single resampling, so that one cell of a map is 4 picture pixels.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from freqlearn import transforms as fl
from freqlearn.flat_color import Pad, pad_color
from freqlearn.reading import Decoder
from freqlearn.reading_rgb import ReadRGB
from freqlearn.spec import InputSpec
from freqlearn.transforms.cleaning import CleanBoxes

Augmentation = Literal["flip", "multiscale", "jitter", "none"]
DetectionTransform = Callable[[Any, dict[str, Any]], tuple[torch.Tensor, dict[str, Any]]]
"""(source, target) -> (tensor, target)."""

UPSCALE = 2
"""Blocks are taken of the picture enlarged by this."""

# torchvision's references/detection/presets.py, for a short side of 800: 480, 512, ..., 800.
_MULTISCALE = tuple(size / 800 for size in range(480, 801, 32))
_WHOLE_CELLS = 32  # px of the coarsest level but one of a feature pyramid


def detection_train(
    spec: InputSpec,
    *,
    min_size: int | Sequence[int] = 800,
    max_size: int = 1333,
    augment: Augmentation = "flip",
    pad: Pad = "mean",
    hflip: float = 0.5,
    scale_range: tuple[float, float] = (0.1, 2.0),
    exif_orientation: bool = False,
    decoder: Decoder = "auto",
    strict: bool = True,
    tolerance: float = 0.0,
) -> DetectionTransform:
    """The usual training augmentation of detectors.

    Args:
        spec: what the model expects.
        min_size: px of the picture's short side; several, to draw one for each picture.
        max_size: limit of the long side, px.
        augment: "flip" mirrors, at `min_size`; "multiscale" too, and draws the short side from `min_size`, or where
            that is one number from torchvision's eleven: 480, 512, ..., 800 for 800; "jitter" mirrors, resizes to
            `scale_range` times a square of about the area of `min_size` x `max_size` (1024 px for 800 and 1333), and
            crops that square at random, padded where the picture is smaller (torchvision's "lsj"); "none" resizes.
        pad: what the last, partial blocks and jitter's square are filled with: "mean", the spec's mean colour, or
            "black".
        hflip: probability of mirroring.
        scale_range: of "jitter": smallest and largest scale.
        exif_orientation: whether to turn pictures upright first, and boxes and masks, which are those of the picture as
            it is stored, with them.
        decoder: as in `freqlearn.read_dct`; of no effect for "rgb".
        strict: as in `freqlearn.read_dct`; of no effect for "rgb".
        tolerance: as in `freqlearn.transforms.ToFrequencyTensor`; of no effect for "rgb".

    Returns:
        A transform from (source, target) to (tensor, target). Source: anything that `freqlearn.read_dct` takes. Target:
        a dict with BoundingBoxes, of any number, at "boxes", maybe a Mask at "masks", both of the picture as stored,
        and whatever else; boxes are clipped, and removed with what is theirs if less than a pixel is left (see
        `CleanBoxes`); `target["boxes"].canvas_size` is the picture's (H, W). Tensor: (C, H/4, W/4) float32, sizes
        rounded up; for "rgb" (3, H, W) float32, by torchvision's own v2 transforms with the same draws. A source alone
        gives a tensor alone, for predictions in one's own loop.

    Raises:
        ValueError: if an option is out of range.
    """
    make: Any = v2 if spec.kind == "rgb" else fl
    sizes = _sizes(min_size, augment)
    flip = [make.RandomHorizontalFlip(hflip)] if augment != "none" and hflip else []
    if augment == "jitter":
        side = _jitter_side(max(sizes), max_size)
        steps = [make.ScaleJitter((side, side), scale_range)]
        crop = [_padded_crop(spec, side, pad)]
    else:
        steps = [_resize(make, sizes, max_size)]
        crop = []
    return _pipeline(
        spec,
        steps,
        crop,
        flip,
        pad=pad,
        exif_orientation=exif_orientation,
        decoder=decoder,
        strict=strict,
        tolerance=tolerance,
    )


def detection_eval(
    spec: InputSpec,
    *,
    min_size: int = 800,
    max_size: int = 1333,
    pad: Pad = "mean",
    exif_orientation: bool = False,
    decoder: Decoder = "auto",
    strict: bool = True,
    tolerance: float = 0.0,
) -> DetectionTransform:
    """The usual evaluation of detectors: short side to `min_size`, long side at most `max_size`.

    Args:
        spec: what the model expects.
        min_size: px of the picture's short side.
        max_size: limit of the long side, px.
        pad: as in `detection_train`.
        exif_orientation: likewise.
        decoder: likewise.
        strict: likewise.
        tolerance: likewise.

    Returns:
        A transform as that of `detection_train`.

    Raises:
        ValueError: if an option is out of range.
    """
    return detection_train(
        spec,
        min_size=min_size,
        max_size=max_size,
        augment="none",
        pad=pad,
        exif_orientation=exif_orientation,
        decoder=decoder,
        strict=strict,
        tolerance=tolerance,
    )


def _sizes(min_size: int | Sequence[int], augment: Augmentation) -> list[int]:
    if augment not in ("flip", "multiscale", "jitter", "none"):
        raise ValueError(f'expected augment as "flip", "multiscale", "jitter" or "none", got {augment!r}')
    sizes = list(min_size) if isinstance(min_size, Sequence) else [min_size]
    if augment == "multiscale" and len(sizes) == 1:
        return [max(1, round(sizes[0] * share)) for share in _MULTISCALE]
    return sizes


def _resize(make: Any, sizes: list[int], max_size: int) -> Any:
    if len(sizes) > 1:
        return make.RandomShortestSize(sizes, max_size)
    if sizes[0] > max_size:
        raise ValueError(f"expected max_size of at least min_size = {sizes[0]}, got {max_size}")
    # torchvision's Resize wants a limit above the size; at the size itself it is the longer side that decides.
    return make.Resize(None, max_size=max_size) if sizes[0] == max_size else make.Resize(sizes[0], max_size=max_size)


def _jitter_side(min_size: int, max_size: int) -> int:
    """Side of the square of about the area of min_size x max_size, in whole cells."""
    return max(1, math.isqrt(min_size * max_size) // _WHOLE_CELLS) * _WHOLE_CELLS


def _padded_crop(spec: InputSpec, side: int, pad: Pad) -> Any:
    """A random crop to a square, whose padding has the colour of all padding."""
    color = pad_color(spec, pad)
    if spec.kind == "dct":
        return fl.RandomCrop(side, pad_if_needed=True, fill=color)
    # Of the standardised picture, so that the mean colour need not be rounded.
    fill: dict[Any, Any] = {tv_tensors.Image: list(spec.flat_values(color)), "others": 0}
    return v2.RandomCrop(side, pad_if_needed=True, fill=fill)


def _pipeline(
    spec: InputSpec,
    resize: list[Any],
    crop: list[Any],
    flip: list[Any],
    *,
    pad: Pad,
    exif_orientation: bool,
    decoder: Decoder,
    strict: bool,
    tolerance: float,
) -> DetectionTransform:
    if spec.kind == "rgb":
        _ = pad_color(spec, pad)  # an error unless it is a colour's name
        to_image = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(spec.mean, spec.std)]
        end = [_OfPicture(v2.ToPureTensor()), CleanBoxes()]
        reading: list[Any] = [ReadRGB(exif_orientation=exif_orientation)]
        return v2.Compose([*reading, *resize, _OfPicture(v2.Compose(to_image)), *crop, *flip, *end])
    reading = [fl.ReadDCT(decoder=decoder, strict=strict), *([fl.ExifOrient()] if exif_orientation else [])]
    last = fl.ToFrequencyTensor(spec, upscale=UPSCALE, pad=pad, tolerance=tolerance)
    return fl.Compose([*reading, *resize, *crop, *flip, last, CleanBoxes()])


class _OfPicture(nn.Module):
    """A transform of the picture alone, whatever torchvision would do to tensors and arrays of the target."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, picture: Any, *others: Any) -> Any:
        """The picture, transformed; others pass through."""
        return (self.inner(picture), *others) if others else self.inner(picture)
