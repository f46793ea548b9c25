"""libjpeg's float encoder from pixels to coefficients in NumPy, step by step: what the native one has to equal.

The transform is jfdctflt.c's, in the same float32 operations one after another, and quantisation jcdctmgr.c's with the
rounding of libjpeg-turbo's vector code (to even).
"""

from collections.abc import Sequence

import numpy as np
from component_samples import block_samples, ycbcr_samples
from numpy.typing import NDArray

from freqlearn.info import Sampling, component_size

# What each of the transform's frequencies comes times, over the square root of 8 (jcdctmgr.c).
SCALE = np.array(
    [1.0, 1.387039845, 1.306562965, 1.175875602, 1.0, 0.785694958, 0.541196100, 0.275899379], dtype=np.float64
)


def encode(
    pixels: NDArray[np.uint8], tables: Sequence[NDArray[np.uint16]], sampling: Sampling
) -> list[NDArray[np.int16]]:
    """(rows, cols, 8, 8) per component, all of it; arguments as those of `_native.encode_pixels`."""
    full = [pixels] if pixels.ndim == 2 else ycbcr_samples(pixels, (0, 1, 2))
    h_max, v_max = np.max(sampling, axis=0).tolist()
    planes = []
    for component, (samples, table, (h, v)) in enumerate(zip(full, tables, sampling, strict=True)):
        height, width = component_size(pixels.shape[:2], sampling, component)
        shape = -(-height // 8), -(-width // 8)
        lines = block_samples(samples, v_max // v, h_max // h, shape)
        blocks = lines.reshape(shape[0], 8, shape[1], 8).swapaxes(1, 2).astype(np.float32) - np.float32(128)
        values = frequencies(frequencies(blocks, axis=3), axis=2)
        factors = (1 / (table * SCALE[:, None] * SCALE * 8)).astype(np.float32)
        planes.append(np.rint(values * factors).astype(np.int16))
    return planes


def frequencies(samples: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """One pass of the transform of Arai, Agui and Nakajima along an axis of eight."""
    x = np.moveaxis(samples, axis, 0)
    (s0, s1, s2, s3), (d0, d1, d2, d3) = x[:4] + x[:3:-1], x[:4] - x[:3:-1]
    even0, even1, even2, even3 = s0 + s3, s1 + s2, s1 - s2, s0 - s3
    z1 = (even2 + even3) * np.float32(0.707106781)
    odd0, odd1, odd2 = d3 + d2, d2 + d1, d1 + d0
    z5 = (odd0 - odd2) * np.float32(0.382683433)
    z2, z4 = odd0 * np.float32(0.541196100) + z5, odd2 * np.float32(1.306562965) + z5
    z3 = odd1 * np.float32(0.707106781)
    z11, z13 = d0 + z3, d0 - z3
    out = [even0 + even1, z11 + z4, even3 + z1, z13 - z2, even0 - even1, z13 + z2, even3 - z1, z11 - z4]
    return np.moveaxis(np.stack(out), 0, axis)
