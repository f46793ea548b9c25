"""How close a picture is to another one, from their coefficients alone."""

import math
from typing import Literal

import numpy as np

from freqlearn import _native
from freqlearn.dct import BLOCK
from freqlearn.image import DCTImage

_PEAK = 255
_SAMPLES = BLOCK * BLOCK


def luma_psnr(img: DCTImage, original: DCTImage, *, blocks: Literal["all", "left"] = "all") -> float:
    """Peak signal-to-noise ratio of the luma of two images of the same layout, in dB; infinite where it is the same.

    10 log10(255^2 / MSE). JPEG's DCT is orthonormal, so by Parseval's theorem the mean squared error of the samples is
    that of the dequantised coefficients: nothing is rounded or clamped to 0..255 before it. All samples of the blocks
    count, those too that pad the last row and column of blocks. Pending plans do not count. Decodes both files.

    Args:
        img: For instance what `keep_visible` left.
        original: What it is held against; same size, sampling and colours.
        blocks: Which of the luma's blocks count. "all"; or "left": those of which `img` has something left, so that a
            picture whose surroundings are gone is judged by the rest; all of them if it has nothing left at all.

    Raises:
        JpegError: If a file turns out to be damaged.
        ValueError: If the images do not have the same layout, or have no luma: their planes are not gray, YCbCr or
            equally sampled RGB.
    """
    if blocks not in ("all", "left"):
        raise ValueError(f'expected blocks as "all" or "left", got {blocks!r}')
    layouts = [(image.size_px, image.sampling, image.color_space) for image in (img, original)]
    if layouts[0] != layouts[1]:
        raise ValueError(
            "expected two images of the same (height, width), sampling and colours, got "
            + " and ".join(" ".join(map(str, layout)) for layout in layouts)
        )
    squared, count = _squared_error(img, original, only_left=blocks == "left")
    if count == 0:
        squared, count = _squared_error(img, original, only_left=False)
    return math.inf if squared == 0 else 10 * math.log10(_PEAK**2 * count * _SAMPLES / squared)


def _squared_error(img: DCTImage, original: DCTImage, *, only_left: bool) -> tuple[float, int]:
    """Sum of the squared differences of the luma's dequantised coefficients, and of how many blocks."""
    ours, theirs = img.planes[0], original.planes[0]
    quantised = ours.dtype == theirs.dtype == np.int16 and img.color_space in ("gray", "YCbCr")
    if quantised and np.array_equal(img.quant_tables[0], original.quant_tables[0]):
        # Whole numbers, so that the result is exact and the same on every machine.
        steps = img.quant_tables[0].ravel().tolist()
        sums, count = _native.squared_difference(ours, theirs, only_left=only_left)
        return float(sum(step**2 * squares for step, squares in zip(steps, sums, strict=True))), count
    luma, reference = (image.dequantised()[0].reshape(-1, _SAMPLES) for image in (img, original))
    if only_left:
        left = luma.any(axis=1)
        luma, reference = luma[left], reference[left]
    return float(np.sum(np.square(np.subtract(luma, reference, dtype=np.float64)))), len(luma)
