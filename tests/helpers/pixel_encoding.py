"""libjpeg's float encoder from pixels to coefficients in NumPy, step by step: what the native one has to equal.

Colour conversion and chroma downsampling round to whole numbers, each by its own rule (jccolor.c, jcsample.c,
jcprepct.c). The transform is jfdctflt.c's, in the same float32 operations one after another, and quantisation
jcdctmgr.c's with the rounding of libjpeg-turbo's vector code (to even).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freqlearn.info import Sampling, component_size

# BT.601's shares of R, G, B in Y, Cb, Cr (ITU-T T.871, clause 7), times 2^16 and rounded as in jccolor.c, and what it
# adds before it drops the fraction: a half for Y; for Cb and Cr 128 and a little less than a half.
SHARES = np.array([[19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]])
ADDED = np.array([32768, (128 << 16) + 32767, (128 << 16) + 32767])

# What is added to a sum of samples before it is divided, column by column: (v, h) -> alternating. Other factors get
# half of the divisor.
ALTERNATING = {(1, 2): (0, 1), (2, 2): (1, 2)}

# What each of the transform's frequencies comes times, over the square root of 8 (jcdctmgr.c).
SCALE = np.array(
    [1.0, 1.387039845, 1.306562965, 1.175875602, 1.0, 0.785694958, 0.541196100, 0.275899379], dtype=np.float64
)


def encode(
    pixels: NDArray[np.uint8], tables: Sequence[NDArray[np.uint16]], sampling: Sampling
) -> list[NDArray[np.int16]]:
    """(rows, cols, 8, 8) per component, all of it; arguments as those of `_native.encode_pixels`."""
    full = [pixels] if pixels.ndim == 2 else ycbcr_samples(pixels)
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


def ycbcr_samples(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Y, Cb and Cr of (H, W, 3) pixels: (H, W) uint8 each, Cb and Cr around 128."""
    return [(rgb @ shares + added >> 16).astype(np.uint8) for shares, added in zip(SHARES, ADDED, strict=True)]


def block_samples(samples: NDArray[np.uint8], v: int, h: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A component's samples for whole blocks: box averages of v x h pixels, and the picture's edge repeated.

    Below the picture, rows are repeated until v of them can be averaged, and then the last row of averages is; at the
    right it is always the pixels that are repeated.

    Args:
        samples: (H, W) uint8, one component of every pixel.
        v: Rows that become one.
        h: Columns that become one.
        shape: (rows, cols) of blocks to fill.

    Returns:
        (8*rows, 8*cols) uint8.
    """
    rows, cols = shape[0] * 8, shape[1] * 8
    height = len(samples)
    pixels = _extended(samples, height + -height % v, cols * h)
    boxes = pixels.reshape(len(pixels) // v, v, cols, h).sum(axis=(1, 3), dtype=np.int64)
    boxes += np.resize(ALTERNATING.get((v, h), (v * h // 2,)), cols)
    return _extended((boxes // (v * h)).astype(np.uint8), rows, cols)


def _extended(samples: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """With the last column and the last row repeated."""
    rows, cols = samples.shape
    return np.pad(samples, ((0, height - rows), (0, width - cols)), mode="edge")


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
