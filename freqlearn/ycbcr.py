"""RGB to YCbCr and back, plane by plane, on samples or on coefficients."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from freqlearn.color import RGB_TO_YCBCR, YCBCR_TO_RGB

Three: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def rgb_to_ycbcr(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any]) -> Three:
    """Y, Cb, Cr (centred at 0) of equally shaped R, G, B planes, in float32.

    Coefficients of R, G, B minus 128 become those of Y minus 128, Cb and Cr: the matrix's first row sums to one and the
    others to zero, so the level shift comes out right.
    """
    return _mix(RGB_TO_YCBCR, (red, green, blue))


def ycbcr_to_rgb(y: NDArray[Any], cb: NDArray[Any], cr: NDArray[Any]) -> Three:
    """R, G, B of equally shaped Y, Cb, Cr (centred at 0) planes, in float32."""
    return _mix(YCBCR_TO_RGB, (y, cb, cr))


def _mix(matrix: NDArray[np.float64], planes: tuple[NDArray[Any], ...]) -> Three:
    first, second, third = (plane.astype(np.float32, copy=False) for plane in planes)
    weights = matrix.astype(np.float32)
    a, b, c = (w[0] * first + w[1] * second + w[2] * third for w in weights)
    return a, b, c
