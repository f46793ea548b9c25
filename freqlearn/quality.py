"""The quality setting of libjpeg and its quantisation tables."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# ITU-T T.81, table K.1, natural order: the luminance table that libjpeg scales.
LUMINANCE: NDArray[np.int64] = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
LUMINANCE.flags.writeable = False

# ITU-T T.81, table K.2, natural order: the same for chrominance. Beyond this corner all entries are 99.
CHROMINANCE: NDArray[np.int64] = np.full((8, 8), 99)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
CHROMINANCE.flags.writeable = False


def quality_tables(quality: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The quantisation tables that libjpeg uses at a quality.

    Args:
        quality: 1 to 100.

    Returns:
        (8, 8) uint16 of luminance and of chrominance, natural order, entries 1 to 255, read-only.

    Raises:
        ValueError: If the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"expected quality in 1..100, got {quality}")
    return _tables(quality)


@cache
def _tables(quality: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    luminance, chrominance = (_scaled(base, quality).astype(np.uint16) for base in (LUMINANCE, CHROMINANCE))
    luminance.flags.writeable = chrominance.flags.writeable = False
    return luminance, chrominance


def _scaled(base: NDArray[np.int64], quality: int) -> NDArray[np.int64]:
    # libjpeg's jpeg_quality_scaling and jpeg_add_quant_table (baseline: entries up to 255).
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: NDArray[np.int64] = np.clip((base * percent + 50) // 100, 1, 255)
    return table


@cache
def _luminance_tables() -> NDArray[np.int64]:
    return np.stack([_scaled(LUMINANCE, quality) for quality in range(1, 101)])


def estimate_quality(luminance: NDArray[Any]) -> int | None:
    """The libjpeg quality, 1 to 100, whose luminance table this is.

    Args:
        luminance: (8, 8) quantisation table of Y, natural order.

    Returns:
        The quality whose table is nearest, if no entry is off by more than one, and all together by no more than
        5 % of their sum (some encoders round otherwise; of 2236 photos 2073 match exactly, 54 so); None for tables
        that are not libjpeg's scaled ones, for instance Photoshop's or a camera's own, or that hold a zero.
    """
    if np.min(luminance) < 1:
        return None
    difference = np.abs(_luminance_tables() - np.asarray(luminance, np.int64))
    total = difference.sum(axis=(1, 2))
    best = int(total.argmin())
    near = difference[best].max() <= 1 and total[best] <= 0.05 * np.sum(luminance)
    return best + 1 if near else None
