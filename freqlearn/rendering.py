"""From coefficients to a picture, as libjpeg makes it."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from freqlearn.dct import inverse
from freqlearn.info import Sampling
from freqlearn.ycbcr import ycbcr_to_rgb


def samples(coefficients: NDArray[np.float32], size_px: tuple[int, int]) -> NDArray[np.float32]:
    """A component's samples, without its padding.

    Args:
        coefficients: (rows, cols, 8, 8) float32, dequantised.
        size_px: (height, width) of the component.

    Returns:
        (height, width) float32 in 0..255, not rounded.
    """
    height, width = size_px
    clipped: NDArray[np.float32] = np.clip(inverse(coefficients)[:height, :width] + np.float32(128), 0, 255)
    return clipped


def reduction(sampling: Sampling, component: int) -> tuple[Fraction, Fraction]:
    """(vertical, horizontal) factors by which a component is smaller than the picture."""
    h, v = sampling[component]
    return Fraction(max(v for _, v in sampling), v), Fraction(max(h for h, _ in sampling), h)


def upsample(
    plane: NDArray[np.float32], height: int, width: int, factors: tuple[Fraction, Fraction]
) -> NDArray[np.float32]:
    """Bring a component to the size of the picture, by the filters of libjpeg's jdsample.c.

    A factor of two is the triangle filter ("fancy upsampling"), which is linear interpolation between centred samples;
    libjpeg repeats samples instead where the component is at most two samples wide, and for all other whole factors.
    Fractional factors, which libjpeg refuses, are interpolated linearly.

    Args:
        plane: (component height, component width) float32.
        height: Rows of the picture.
        width: Columns of the picture.
        factors: (vertical, horizontal) reduction of the component.

    Returns:
        (height, width) float32.
    """
    vertical, horizontal = factors
    narrow = horizontal == 2 and plane.shape[1] <= 2
    whole = vertical.denominator == horizontal.denominator == 1
    repeat = narrow or (whole and not {vertical, horizontal} <= {Fraction(1), Fraction(2)})
    rows = _interpolate(plane, height, vertical, repeat=repeat)
    return _interpolate(rows.T, width, horizontal, repeat=repeat).T


def _interpolate(plane: NDArray[np.float32], length: int, factor: Fraction, *, repeat: bool) -> NDArray[np.float32]:
    """Resample the first axis to `length` rows."""
    if factor == 1:
        return plane[:length]
    centre = (np.arange(length) + 0.5) / float(factor)
    last = plane.shape[0] - 1
    if repeat:
        repeated: NDArray[np.float32] = plane[np.minimum(centre.astype(np.intp), last)]
        return repeated
    position = np.clip(centre - 0.5, 0, last)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, last)
    share = (position - below).astype(np.float32)[:, None]
    blended: NDArray[np.float32] = plane[below] * (1 - share) + plane[above] * share
    return blended


def to_uint8_rgb(planes: tuple[NDArray[np.float32], ...], color_space: str) -> NDArray[np.uint8]:
    """Interleave full-size planes of samples as RGB.

    Args:
        planes: One (H, W) float32 in 0..255 for "gray", else three.
        color_space: "gray", "YCbCr" or "RGB", what the planes are.

    Returns:
        (H, W, 3) uint8.
    """
    if color_space == "gray":
        planes = planes * 3
    elif color_space == "YCbCr":
        y, cb, cr = planes
        planes = ycbcr_to_rgb(y, cb - 128, cr - 128)
    rgb: NDArray[np.float32] = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255)
    return rgb.astype(np.uint8)
