"""The quality setting of libjpeg that a quantisation table comes from."""

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


@cache
def _scaled() -> NDArray[np.int64]:
    # libjpeg's jpeg_quality_scaling and jpeg_add_quant_table (baseline: entries up to 255), for qualities 1 to 100.
    percent = np.array([5000 // q if q < 50 else 200 - 2 * q for q in range(1, 101)])
    tables: NDArray[np.int64] = np.clip((LUMINANCE * percent[:, None, None] + 50) // 100, 1, 255)
    return tables


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
    difference = np.abs(_scaled() - np.asarray(luminance, np.int64))
    total = difference.sum(axis=(1, 2))
    best = int(total.argmin())
    near = difference[best].max() <= 1 and total[best] <= 0.05 * np.sum(luminance)
    return best + 1 if near else None
