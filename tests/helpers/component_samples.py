"""The samples of Y, Cb and Cr that libjpeg's encoder takes from RGB pixels, to the last bit.

Colour conversion and chroma downsampling round to whole numbers, each by its own rule; an encoder whose coefficients
are to be libjpeg's has to round alike. The rules are those of libjpeg's jccolor.c, jcsample.c and jcprepct.c.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freqlearn.dct import BLOCK

# BT.601's shares of R, G, B in Y, Cb, Cr (ITU-T T.871, clause 7), rounded to multiples of 2^-16 as in jccolor.c, and
# what it adds before it drops the fraction: a half for Y; for Cb and Cr 128 and a little less than a half. All products
# and sums are such multiples below 2^8, so that float32 holds them exactly, in whatever order they are added up.
_SHARES = np.array([[19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]], np.float32) / 65536
_ADDED = np.array([[32768], [(128 << 16) + 32767], [(128 << 16) + 32767]], np.float32) / 65536
# Pixels in a product: small enough to stay in the cache, and for BLAS not to start threads (see freqlearn.dct).
_PORTION = 28_000

# What is added to a sum of samples before it is divided, column by column: (v, h) -> alternating. Other factors get
# half of the divisor.
_ALTERNATING = {(1, 2): (0, 1), (2, 2): (1, 2)}


def ycbcr_samples(rgb: NDArray[np.uint8], components: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Y, Cb and Cr of pixels, rounded as libjpeg rounds them.

    Args:
        rgb: (H, W, 3) uint8.
        components: Which of 0, 1, 2 (Y, Cb, Cr) are wanted; only those are computed.

    Returns:
        (H, W) uint8 for each wanted component; Cb and Cr around 128.
    """
    height, width = rgb.shape[:2]
    wanted = list(components)
    shares, added = _SHARES[wanted], _ADDED[wanted]
    planes = [np.empty((height, width), np.uint8) for _ in wanted]
    step = max(1, _PORTION // width)
    for start in range(0, height, step):
        part = rgb[start : start + step]
        colors = np.empty((3, *part.shape[:2]), np.float32)
        colors[:] = np.moveaxis(part, 2, 0)
        sums = shares @ colors.reshape(3, -1)
        sums += added
        for plane, values in zip(planes, sums, strict=True):
            # Assignment drops the fraction; no value is negative.
            plane[start : start + step].reshape(-1)[:] = values
    return planes


def block_samples(samples: NDArray[np.uint8], v: int, h: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A component's samples for whole blocks: box averages of v x h pixels, and the picture's edge repeated.

    As libjpeg: below the picture, rows are repeated until v of them can be averaged, and then the last row of averages
    is; at the right it is always the pixels that are repeated.

    Args:
        samples: (H, W) uint8, one component of every pixel.
        v: Rows that become one.
        h: Columns that become one.
        shape: (rows, cols) of blocks to fill.

    Returns:
        (8*rows, 8*cols) uint8, contiguous.
    """
    rows, cols = shape[0] * BLOCK, shape[1] * BLOCK
    height = len(samples)
    averages = _averages(_extended(samples, height + -height % v, cols * h), v, h)
    return np.ascontiguousarray(_extended(averages, rows, cols))


def _extended(samples: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Samples with their last column and then their last row repeated; np.pad takes three times as long."""
    rows, cols = samples.shape
    if (rows, cols) == (height, width):
        return samples
    extended = np.empty((height, width), np.uint8)
    extended[:rows, :cols] = samples
    extended[:rows, cols:] = samples[:, -1:]
    extended[rows:] = extended[rows - 1]
    return extended


def _averages(samples: NDArray[np.uint8], v: int, h: int) -> NDArray[np.uint8]:
    if (v, h) == (1, 1):
        return samples
    lines = samples[::v].astype(np.uint16)  # at most 16 samples of 255
    for offset in range(1, v):
        lines += samples[offset::v]
    sums = lines[:, ::h].copy()
    for offset in range(1, h):
        sums += lines[:, offset::h]
    even, odd = _ALTERNATING.get((v, h), (v * h // 2,) * 2)
    sums[:, ::2] += np.uint16(even)
    sums[:, 1::2] += np.uint16(odd)
    sums //= np.uint16(v * h)
    return sums.astype(np.uint8)
