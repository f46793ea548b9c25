"""The 8x8 block DCT of JPEG: orthonormal DCT-II, on whole planes of blocks."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
# Blocks in a product.
_PORTION = 64


@cache
def dct_matrix() -> NDArray[np.float64]:
    """D of `coefficients = D @ samples @ D.T`: (8, 8) float64, row = frequency, column = sample.

    Orthonormal DCT-II, which is JPEG's forward DCT (ITU-T T.81, A.3.3). Read-only: it is shared.
    """
    frequency = np.arange(BLOCK)[:, None]
    sample = np.arange(BLOCK)[None, :]
    matrix: NDArray[np.float64] = np.cos((2 * sample + 1) * frequency * np.pi / (2 * BLOCK)) / 2
    matrix[0] /= np.sqrt(2)
    matrix.flags.writeable = False
    return matrix


@cache
def _block_matrix() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    # One (64, 64) product a block: BLAS runs it faster than two batched (8, 8) ones. And its transpose.
    matrix = np.kron(dct_matrix(), dct_matrix()).astype(np.float32)
    return matrix, np.ascontiguousarray(matrix.T)


def forward(samples: NDArray[Any]) -> NDArray[np.float32]:
    """DCT of every 8x8 block of a plane of samples.

    Args:
        samples: (8*rows, 8*cols), any real dtype, already level-shifted (JPEG subtracts 128).

    Returns:
        (rows, cols, 8, 8) float32, natural order: vertical, then horizontal frequency.

    Raises:
        ValueError: If a side is not a multiple of 8.
    """
    height, width = samples.shape
    if height % BLOCK or width % BLOCK:
        raise ValueError(f"expected sides that are multiples of 8, got {height} x {width}: pad the samples first")
    rows, cols = height // BLOCK, width // BLOCK
    blocks = np.asarray(samples, np.float32).reshape(rows, BLOCK, cols, BLOCK).swapaxes(1, 2)
    coefficients = _times(blocks.reshape(-1, BLOCK * BLOCK), _block_matrix()[1])
    return coefficients.reshape(rows, cols, BLOCK, BLOCK)


def inverse(coefficients: NDArray[Any]) -> NDArray[np.float32]:
    """Samples of a plane of dequantised coefficients, the inverse of `forward`.

    Args:
        coefficients: (rows, cols, 8, 8), any real dtype, dequantised, natural order.

    Returns:
        (8*rows, 8*cols) float32 samples, still level-shifted.
    """
    rows, cols = coefficients.shape[:2]
    flat = np.ascontiguousarray(coefficients, np.float32).reshape(-1, BLOCK * BLOCK)
    blocks = _times(flat, _block_matrix()[0]).reshape(rows, cols, BLOCK, BLOCK)
    return blocks.swapaxes(1, 2).reshape(rows * BLOCK, cols * BLOCK)


def _times(blocks: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 64): every row times a (64, 64) matrix.

    In portions too small for BLAS to use threads. They do not pay here (3072 blocks in one product on two busy cores:
    11 ms, with one thread 0.4), and every DataLoader worker would start its own.
    """
    result = np.empty_like(blocks)
    for start in range(0, len(blocks), _PORTION):
        part = slice(start, start + _PORTION)
        np.matmul(blocks[part], matrix, out=result[part])
    return result


def pad_to_blocks(samples: NDArray[Any]) -> NDArray[Any]:
    """Samples with the last row and column repeated until both sides are multiples of 8."""
    height, width = samples.shape
    return np.pad(samples, ((0, -height % BLOCK), (0, -width % BLOCK)), mode="edge")
