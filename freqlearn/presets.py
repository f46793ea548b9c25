"""Whole pipelines, from an InputSpec: bytes in, standardised tensor out.

Those for classification are here, those for detection in `freqlearn.detection_presets`. For a spec of kind "rgb" they
are torchvision's own pipelines, with the same options and the same boxes for the same seed, so that an RGB baseline
differs in its input only.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torchvision.transforms import v2

from freqlearn import transforms as fl
from freqlearn.detection_presets import detection_eval, detection_train
from freqlearn.image import DCTImage
from freqlearn.packed_set import PackedSet
from freqlearn.reading import Decoder
from freqlearn.reading_rgb import ReadRGB
from freqlearn.spec import InputSpec

__all__ = ["classification_eval", "classification_train", "detection_eval", "detection_train"]

Jitter = float | Sequence[float] | None


def classification_train(
    spec: InputSpec | PackedSet | str | os.PathLike[str],
    *,
    crop: Literal["random_resized", "none"] = "random_resized",
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
    hflip: float = 0.5,
    brightness: Jitter = None,
    contrast: Jitter = None,
    saturation: Jitter = None,
    hue: Jitter = None,
    exif_orientation: bool = False,
    decoder: Decoder = "auto",
    strict: bool = True,
    tolerance: float = 0.0,
) -> Callable[[Any], torch.Tensor]:
    """The usual training augmentation: random resized crop, flip, and colour jitter if asked for.

    Args:
        spec: what the model expects; or a packed set, or its folder, for the model that its index describes: a crop
            that is resized needs more channels than evaluation, see docs/bytes.md.
        crop: "random_resized", or "none" for pictures that are `spec.size_px` square already.
        scale: smallest and largest share of the picture's area for the crop.
        ratio: smallest and largest width / height of the crop.
        hflip: probability of mirroring.
        brightness: as in ColorJitter; None: unchanged.
        contrast: likewise.
        saturation: likewise.
        hue: likewise.
        exif_orientation: whether to turn pictures upright first; ImageFolder does not.
        decoder: as in `freqlearn.read_dct`; of no effect for "rgb".
        strict: as in `freqlearn.read_dct`; of no effect for "rgb".
        tolerance: as in `freqlearn.transforms.ToFrequencyTensor`; of no effect for "rgb".

    Returns:
        A transform from anything that `freqlearn.read_dct` takes, or a DCTImage, to (C, size_px/8, size_px/8) float32,
        or (3, size_px, size_px) for "rgb".
    """
    spec = _spec_of(spec)
    if crop not in ("random_resized", "none"):
        raise ValueError(f'expected crop as "random_resized" or "none", got {crop!r}')
    make: Any = v2 if spec.kind == "rgb" else fl
    resized_crop = make.RandomResizedCrop(spec.size_px, scale=scale, ratio=ratio)
    steps: list[Callable[..., Any]] = [resized_crop if crop == "random_resized" else _ExpectSize(spec.size_px)]
    if hflip:
        steps.append(make.RandomHorizontalFlip(hflip))
    if any(value is not None for value in (brightness, contrast, saturation, hue)):
        steps.append(make.ColorJitter(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue))
    return _pipeline(
        spec, steps, exif_orientation=exif_orientation, decoder=decoder, strict=strict, tolerance=tolerance
    )


def classification_eval(
    spec: InputSpec | PackedSet | str | os.PathLike[str],
    *,
    exif_orientation: bool = False,
    decoder: Decoder = "auto",
    strict: bool = True,
    tolerance: float = 0.0,
) -> Callable[[Any], torch.Tensor]:
    """The usual evaluation: short side to `spec.resize_px` (if any), then the centre `spec.size_px` square.

    Without a resize, smaller pictures are an error: the crop would give them a black border.

    Args:
        spec: what the model expects; or a packed set, or its folder, for the model that its index describes.
        exif_orientation: whether to turn pictures upright first; ImageFolder does not.
        decoder: as in `freqlearn.read_dct`; of no effect for "rgb".
        strict: as in `freqlearn.read_dct`; of no effect for "rgb".
        tolerance: as in `freqlearn.transforms.ToFrequencyTensor`; of no effect for "rgb".

    Returns:
        A transform from anything that `freqlearn.read_dct` takes, or a DCTImage, to (C, size_px/8, size_px/8) float32,
        or (3, size_px, size_px) for "rgb".
    """
    spec = _spec_of(spec)
    make: Any = v2 if spec.kind == "rgb" else fl
    fitted = _ExpectAtLeast(spec.size_px) if spec.resize_px is None else make.Resize(spec.resize_px)
    steps: list[Callable[..., Any]] = [fitted, make.CenterCrop(spec.size_px)]
    return _pipeline(
        spec, steps, exif_orientation=exif_orientation, decoder=decoder, strict=strict, tolerance=tolerance
    )


def _spec_of(spec: InputSpec | PackedSet | str | os.PathLike[str]) -> InputSpec:
    if isinstance(spec, InputSpec):
        return spec
    if isinstance(spec, PackedSet):
        return spec.spec
    if not isinstance(spec, str | os.PathLike):
        raise TypeError(f"expected an InputSpec, or a packed set or its folder, got {type(spec).__name__}")
    try:
        return PackedSet.load(spec).spec
    except OSError as error:
        raise ValueError(
            f"expected an InputSpec, or a packed set or its folder, got {os.fspath(spec)!r} ({error.filename}: "
            f"{error.strerror}); InputSpec.load reads a spec from a file, InputSpec.preset knows some by name"
        ) from error


def _pipeline(
    spec: InputSpec,
    steps: list[Callable[..., Any]],
    *,
    exif_orientation: bool,
    decoder: Decoder,
    strict: bool,
    tolerance: float,
) -> Callable[[Any], torch.Tensor]:
    if spec.kind == "rgb":
        to_tensor = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(spec.mean, spec.std)]
        return v2.Compose([ReadRGB(exif_orientation=exif_orientation), *steps, *to_tensor])
    upright = [fl.ExifOrient()] if exif_orientation else []
    last = fl.ToFrequencyTensor(spec, tolerance=tolerance)
    return fl.Compose([fl.ReadDCT(decoder=decoder, strict=strict), *upright, *steps, last])


def _size_px(picture: Any) -> tuple[int, int]:
    """(height, width) of a DCTImage or a PIL image."""
    height, width = picture.plan.output_size if isinstance(picture, DCTImage) else picture.size[::-1]
    return height, width


class _ExpectSize(nn.Module):
    """Let pictures of one size through, and say what to do about others."""

    def __init__(self, size_px: int) -> None:
        super().__init__()
        self.size_px = size_px

    def forward(self, picture: Any) -> Any:
        """The picture as it is."""
        height, width = _size_px(picture)
        if (height, width) != (self.size_px, self.size_px):
            raise ValueError(
                f"expected pictures of exactly {self.size_px}x{self.size_px} px where nothing is cropped, got "
                f"{height}x{width} (height x width); a random resized crop takes any size: "
                'crop="random_resized", on the command line --augment standard'
            )
        return picture

    def extra_repr(self) -> str:
        """The size."""
        return f"size_px={self.size_px}"


class _ExpectAtLeast(nn.Module):
    """Let pictures through that a centre crop fits into, and say what to do about others."""

    def __init__(self, size_px: int) -> None:
        super().__init__()
        self.size_px = size_px

    def forward(self, picture: Any) -> Any:
        """The picture as it is."""
        height, width = _size_px(picture)
        if min(height, width) < self.size_px:
            raise ValueError(
                f"expected at least {self.size_px}x{self.size_px} px where there is no resize before the centre crop, "
                f"got {height}x{width} (height x width): the crop would have a black border; a resize to a short side "
                f"of {self.size_px} px or more takes any size"
            )
        return picture

    def extra_repr(self) -> str:
        """The size."""
        return f"size_px={self.size_px}"
