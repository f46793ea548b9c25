"""The 8x8 block DCT of JPEG on tensors: coefficients as channels, their energies, and pictures with a part of them."""

import numpy as np
import torch

from freqlearn.dct import BLOCK, dct_matrix
from freqlearn.spectrum.band import FrequencyBand
from freqlearn.spectrum.checks import check_pictures


def block_frequencies() -> torch.Tensor:
    """(8, 8) float64: radial frequency of the cosines v, u of a block, hypot(v, u) / 16 cycles per pixel.

    A cosine of frequency u has u half waves in 8 pixels.
    """
    axis = torch.arange(BLOCK, dtype=torch.float64) / (2 * BLOCK)
    return torch.hypot(axis[:, None], axis)


def block_dct(pictures: torch.Tensor) -> torch.Tensor:
    """Orthonormal DCT-II of every 8x8 block, as JPEG has it, place by place.

    Values are taken as they are: for JPEG's coefficients of Y, subtract 128 first. Of (Y - 128, Cb, Cr) pictures,
    flattening axes -4 and -3 gives the 192 channels, 64*component + 8*v + u.

    Args:
        pictures: (..., H, W) float32 or float64, sides that are multiples of 8.

    Returns:
        (..., 64, H/8, W/8), same dtype, natural order: place 8*v + u is the map of vertical frequency v, horizontal u.

    Raises:
        TypeError: If the dtype is another.
        ValueError: If a side is not a multiple of 8.
    """
    check_pictures(pictures)
    *lead, height, width = pictures.shape
    if height % BLOCK or width % BLOCK:
        raise ValueError(f"expected sides that are multiples of 8, got {height} x {width}: crop or pad the pictures")
    blocks = pictures.reshape(*lead, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    d = _matrix(pictures)
    # i, j: rows and columns within a block; r, c: its place.
    coefficients = torch.einsum("vi,uj,...ricj->...vurc", d, d, blocks)
    return coefficients.reshape(*lead, BLOCK * BLOCK, height // BLOCK, width // BLOCK)


def inverse_block_dct(coefficients: torch.Tensor) -> torch.Tensor:
    """The pictures of coefficients, inverse of `block_dct`.

    Args:
        coefficients: (..., 64, h, w) float32 or float64, natural order.

    Returns:
        (..., 8*h, 8*w), same dtype.

    Raises:
        TypeError: If the dtype is another.
        ValueError: If there are not 64 maps.
    """
    check_pictures(coefficients)
    if coefficients.ndim < 3 or coefficients.shape[-3] != BLOCK * BLOCK:
        raise ValueError(f"expected coefficients (..., 64, h, w), got shape {tuple(coefficients.shape)}")
    *lead, _, rows, cols = coefficients.shape
    d = _matrix(coefficients)
    maps = coefficients.reshape(*lead, BLOCK, BLOCK, rows, cols)
    return torch.einsum("vi,uj,...vurc->...ricj", d, d, maps).reshape(*lead, rows * BLOCK, cols * BLOCK)


def block_energies(pictures: torch.Tensor) -> torch.Tensor:
    """Mean square of each coefficient over the blocks of a picture.

    Args:
        pictures: (..., H, W) float32 or float64, sides that are multiples of 8.

    Returns:
        (..., 8, 8): vertical, horizontal frequency. They sum to 64 times the mean square of the pixels (Parseval).
    """
    energies = block_dct(pictures).square().mean(dim=(-2, -1))
    return energies.reshape(*energies.shape[:-1], BLOCK, BLOCK)


def filter_blocks(pictures: torch.Tensor, band: FrequencyBand) -> torch.Tensor:
    """What a band of each block's cosines holds; block by block, so that blocks may show their borders.

    Args:
        pictures: (..., H, W) float32 or float64, sides that are multiples of 8.
        band: Applied to `block_frequencies`.

    Returns:
        Same shape and dtype. Bands that share their edges sum to the picture.
    """
    gain = band.gain(block_frequencies()).to(pictures).reshape(BLOCK * BLOCK, 1, 1)
    return inverse_block_dct(block_dct(pictures) * gain)


def _matrix(like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.array(dct_matrix())).to(like)
