"""RGB and YCbCr as JPEG files use them: BT.601, full range (JFIF 1.02, "Color space")."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RED, BLUE = 0.299, 0.114
GREEN = 1 - RED - BLUE

# Rows Y, Cb, Cr; columns R, G, B. Chroma is centred at 0 here; files store it plus 128.
RGB_TO_YCBCR: NDArray[np.float64] = np.array(
    [
        [RED, GREEN, BLUE],
        [-RED / (2 * (1 - BLUE)), -GREEN / (2 * (1 - BLUE)), 0.5],
        [0.5, -GREEN / (2 * (1 - RED)), -BLUE / (2 * (1 - RED))],
    ]
)
YCBCR_TO_RGB: NDArray[np.float64] = np.array(
    [
        [1, 0, 2 * (1 - RED)],
        [1, -2 * (1 - BLUE) * BLUE / GREEN, -2 * (1 - RED) * RED / GREEN],
        [1, 2 * (1 - BLUE), 0],
    ]
)
RGB_TO_YCBCR.flags.writeable = False
YCBCR_TO_RGB.flags.writeable = False


def mix(matrix: NDArray[np.float64], planes: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.float32], ...]:
    """Linear combinations of equally shaped planes, samples or coefficients alike.

    RGB coefficients (of samples minus 128) become YCbCr ones by `RGB_TO_YCBCR` alone: its first row sums to one and
    the others to zero, so the level shift comes out right.

    Args:
        matrix: (outputs, inputs) float64.
        planes: One array per input, all of one shape.

    Returns:
        One float32 array per output.
    """
    weights = matrix.astype(np.float32)
    sources = [plane.astype(np.float32, copy=False) for plane in planes]
    mixed = []
    for row in weights:
        total = np.zeros_like(sources[0])
        for weight, plane in zip(row, sources, strict=True):
            if weight:
                total += weight * plane
        mixed.append(total)
    return tuple(mixed)
