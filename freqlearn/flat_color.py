"""A picture of one colour, as a model sees it: what partial blocks and batches are padded with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from freqlearn.color import LEVEL_SHIFT, RGB_TO_YCBCR, YCBCR_TO_RGB
from freqlearn.dct import BLOCK
from freqlearn.measured import IMAGENET_448_MEAN

if TYPE_CHECKING:
    from freqlearn.spec import InputSpec

Color: TypeAlias = tuple[float, float, float]
"""(R, G, B), 0..255."""
Pad = Literal["mean", "black"]

BLACK: Color = (0.0, 0.0, 0.0)

_WHITE = 255.0
_PLANE = BLOCK * BLOCK  # channels of a component; its first one is the DC


def mean_color(spec: InputSpec) -> Color:
    """The colour whose flat picture has the mean of the spec's DC channels, or pixels.

    A spec without Cb's or Cr's DC says nothing of it: taken as neutral. Without Y's DC: the mean of ImageNet's photos.

    Args:
        spec: Of either kind.

    Returns:
        (R, G, B); within 0..255 for means that were measured on pictures.
    """
    if spec.channels is None:
        return _three(np.asarray(spec.mean) * _WHITE)
    mean = dict(zip(spec.channels.indices, spec.mean, strict=True))
    dc = [mean.get(0, IMAGENET_448_MEAN[0]), mean.get(_PLANE, 0.0), mean.get(2 * _PLANE, 0.0)]
    return _three(YCBCR_TO_RGB @ (np.asarray(dc) / BLOCK + LEVEL_SHIFT))


def flat_values(spec: InputSpec, color: Sequence[float]) -> tuple[float, ...]:
    """The standardised values that a flat picture of a colour has in every place of every channel.

    Args:
        spec: Of either kind.
        color: (R, G, B), 0..255.

    Returns:
        One number a channel: (8 * (value - 128) - mean) / std for a DC, -mean / std for any other frequency;
        (value / 255 - mean) / std for pixels.

    Raises:
        ValueError: If the colour is not three finite numbers.
    """
    rgb = np.asarray(color, dtype=np.float64)
    if rgb.shape != (3,) or not np.isfinite(rgb).all():
        raise ValueError(f"expected a colour as three finite numbers (R, G, B) of 0..255, got {color!r}")
    if spec.channels is None:
        values = rgb / _WHITE
    else:
        dc = BLOCK * (RGB_TO_YCBCR @ rgb - LEVEL_SHIFT)
        values = np.array([0.0 if c % _PLANE else dc[c // _PLANE] for c in spec.channels.indices])
    return tuple(((values - np.asarray(spec.mean)) / np.asarray(spec.std)).tolist())


def pad_color(spec: InputSpec, pad: Pad) -> Color:
    """The colour that `pad` stands for: the spec's mean colour, or black.

    Raises:
        ValueError: If `pad` is neither.
    """
    if pad not in ("mean", "black"):
        raise ValueError(f'expected pad as "mean" or "black", got {pad!r}')
    return mean_color(spec) if pad == "mean" else BLACK


def _three(values: NDArray[np.float64]) -> Color:
    r, g, b = values.tolist()
    return r, g, b
