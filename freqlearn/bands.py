"""One axis of the geometry as a banded matrix from coefficients to coefficients.

With D the block-diagonal 8x8 DCT, `L = D . Window . Resize . Crop . D^T` takes the coefficients of a row or column of
blocks to those of the cropped, resized picture (`output = L X R^T`, one matrix an axis). A block of the output
depends on a few neighbouring blocks of the input, so the matrix is kept as those alone.

This is the readable form, in NumPy and any precision; `csrc/band.cpp` builds the same matrices for the native operator.
"""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from freqlearn.dct import BLOCK, dct_matrix
from freqlearn.decoders import frozen

# 32 axes of ordinary photos (some 100 kB each, more for strong downscaling) stay: enough for a data set whose pictures
# share a few sizes, or for the four axes of one picture; random crops never repeat and only pass through.
_CACHED_BANDS = 32

Real: TypeAlias = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of one component's geometry.

    Attributes:
        start: where the crop box begins, in the component's samples; fractional for subsampled components.
        stop: where it ends.
        samples: size of the component's true picture; what pads its last block is not part of it.
        scaled_px: what the crop box is resized to.
        window_start: first pixel of the output within the resized box; may lie outside it.
        blocks: blocks of 8 pixels of the output.
        visible_start: first output pixel (within the window) that shows picture.
        visible_stop: first one after it that does not; equal for none.
    """

    start: Fraction
    stop: Fraction
    samples: int
    scaled_px: int
    window_start: int
    blocks: int
    visible_start: int
    visible_stop: int

    @property
    def aligned_block(self) -> int | None:
        """The input block that is the first output block, where the output is nothing but input blocks."""
        first = self.start + self.window_start
        whole = self.stop - self.start == self.scaled_px and first.denominator == 1 and first % BLOCK == 0
        shown = self.visible_start <= 0 and self.visible_stop >= BLOCK * self.blocks
        return int(first) // BLOCK if whole and shown else None


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The non-zero part of an axis' matrix.

    Attributes:
        first_block: (blocks,) int64, the first input block that each output block depends on.
        weights: (blocks, F, 8*K): output block x wanted frequency x coefficient of K input blocks.
        coverage: (blocks, F), the DCT of "1 where the picture is, 0 in the padding".
    """

    first_block: NDArray[np.int64]
    weights: NDArray[np.floating]
    coverage: NDArray[np.floating]

    @property
    def span(self) -> slice:
        """The input blocks from the first to the last one needed."""
        return slice(int(self.first_block.min()), int(self.first_block.max()) + self.weights.shape[2] // BLOCK)

    @property
    def blocks_of_span(self) -> NDArray[np.int64]:
        """(blocks, K), the input blocks of each output block, counted from the span's first."""
        first: NDArray[np.int64] = self.first_block - self.span.start
        return first[:, None] + np.arange(self.weights.shape[2] // BLOCK)


@functools.lru_cache(maxsize=_CACHED_BANDS)
def band(axis: Axis, frequencies: tuple[int, ...], *, flipped: bool = False, dtype: Real) -> Band:
    """The matrix of one axis, rows of the wanted frequencies only.

    Args:
        axis: the geometry.
        frequencies: wanted frequencies of the output, 0..7.
        flipped: whether the output is mirrored.
        dtype: of the result; the matrix is built in float64.

    Returns:
        Read-only arrays, which calls share.
    """
    first_block, coefficient_weights = _coefficient_weights(axis)  # (B,), (B, 8, 8*K)
    rows = dct_matrix()[list(frequencies)]
    weights = rows @ coefficient_weights  # (B, F, 8*K)
    coverage = _visible(axis).reshape(-1, BLOCK) @ rows.T  # (B, F)
    if flipped:
        # Mirrored, the k-th cosine of a DCT-II changes sign for odd k, and the blocks their order.
        signs = np.where(np.asarray(frequencies) % 2 == 1, -1.0, 1.0)
        first_block = first_block[::-1].copy()
        weights = weights[::-1] * signs[:, None]
        coverage = coverage[::-1] * signs
    return Band(frozen(first_block), frozen(weights.astype(dtype)), frozen(coverage.astype(dtype)))


def _visible(axis: Axis) -> NDArray[np.bool_]:
    """(8*blocks,) whether each output pixel shows picture."""
    pixel = np.arange(BLOCK * axis.blocks)
    return (axis.visible_start <= pixel) & (pixel < axis.visible_stop)


@functools.lru_cache(maxsize=4)  # one picture's axes: components of one size ask for different frequencies
def _coefficient_weights(axis: Axis) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """`_pixel_weights`, but from input coefficients instead of input samples."""
    first_block, weights = _pixel_weights(axis)
    return first_block, (weights.reshape(-1, BLOCK) @ dct_matrix().T).reshape(weights.shape)


def _pixel_weights(axis: Axis) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Antialiased bilinear resize and window, output pixels from input samples.

    The weights are Pillow's (Resample.c, precompute_coeffs) and so torch's `interpolate(antialias=True)`: a triangle
    of half-width max(1, scale) around the output pixel's centre, over the samples between the floor and the ceiling of
    the box, summing to 1.

    Returns:
        first_block (B,) intp and weights (B, 8, 8*K) float64, K blocks of input samples from `first_block` on.
    """
    scale = float((axis.stop - axis.start) / axis.scaled_px)
    support = max(1.0, scale)
    lowest, beyond = math.floor(axis.start), math.ceil(axis.stop)
    visible = _visible(axis)
    pixel = np.arange(BLOCK * axis.blocks)
    center = float(axis.start) + (axis.window_start + pixel + 0.5) * scale

    # Whole input blocks that the visible pixels of each output block need.
    low = np.clip(np.floor(center - support), lowest, beyond - 1)
    high = np.clip(np.ceil(center + support), lowest + 1, beyond)
    low = np.where(visible, low, float(beyond)).reshape(-1, BLOCK).min(axis=1)
    high = np.where(visible, high, 0.0).reshape(-1, BLOCK).max(axis=1)
    input_blocks = -(-axis.samples // BLOCK)
    first = (low // BLOCK).astype(np.int64)
    count = max(1, int((-(-high // BLOCK) - first).max()))
    first = np.clip(first, 0, input_blocks - count)

    sample = BLOCK * first[:, None] + np.arange(BLOCK * count)  # (B, 8*K)
    center = center.reshape(-1, BLOCK, 1)
    weights = np.maximum(0.0, 1.0 - np.abs(sample[:, None, :] + 0.5 - center) / support)  # (B, 8, 8*K)
    inside = (sample >= lowest) & (sample < beyond)
    weights *= inside[:, None, :] & visible.reshape(-1, BLOCK, 1)
    total = weights.sum(axis=2, keepdims=True)
    return first, np.divide(weights, total, out=weights, where=total > 0)
