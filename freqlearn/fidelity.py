"""How close a picture is to another one, from their coefficients alone."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqlearn.dct import BLOCK
from freqlearn.image import DCTImage

_PEAK = 255


def luma_psnr(img: DCTImage, original: DCTImage) -> float:
    """Peak signal-to-noise ratio of the luma of two images of the same layout, in dB; infinite where it is the same.

    10 log10(255^2 / MSE). JPEG's DCT is orthonormal, so by Parseval's theorem the mean squared error of the samples is
    that of the dequantised coefficients: nothing is rounded or clamped to 0..255 before it. All samples of the blocks
    count, those too that pad the last row and column of blocks. Pending plans do not count. Decodes both files.

    Args:
        img: For instance what `keep_visible` left.
        original: What it is held against; same size, sampling and colours.

    Raises:
        JpegError: If a file turns out to be damaged.
        ValueError: If the images do not have the same layout, or have no luma: their planes are not gray, YCbCr or
            equally sampled RGB.
    """
    layouts = [(image.size_px, image.sampling, image.color_space) for image in (img, original)]
    if layouts[0] != layouts[1]:
        raise ValueError(
            "expected two images of the same (height, width), sampling and colours, got "
            + " and ".join(" ".join(map(str, layout)) for layout in layouts)
        )
    samples = BLOCK * BLOCK * math.prod(img.planes[0].shape[:2])
    squared = _squared_error(img, original)
    return math.inf if squared == 0 else 10 * math.log10(_PEAK**2 * samples / squared)


def _squared_error(img: DCTImage, original: DCTImage) -> float:
    """Sum of the squared differences of the luma's dequantised coefficients."""
    ours, theirs = img.planes[0], original.planes[0]
    quantised = ours.dtype == theirs.dtype == np.int16 and img.color_space in ("gray", "YCbCr")
    if quantised and np.array_equal(img.quant_tables[0], original.quant_tables[0]):
        steps = np.square(img.quant_tables[0], dtype=np.float64)
        return float(np.sum(_squares(ours, theirs) * steps))
    return float(np.sum(_squares(img.dequantised()[0], original.dequantised()[0])))


def _squares(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    """(8, 8): the sums of all blocks' squared differences; whole numbers stay exact, whatever their order."""
    difference = np.subtract(ours, theirs, dtype=np.float64).reshape(-1, BLOCK * BLOCK)
    sums: NDArray[np.float64] = np.einsum("bp,bp->p", difference, difference)
    return sums.reshape(BLOCK, BLOCK)
