"""Spectra of pictures: magnitudes, power, and power against radial frequency."""

from dataclasses import dataclass

import torch

from freqlearn.spectrum.checks import check_pictures

# Frequencies that are equal to a ring's edge but for rounding belong to the ring above it.
_ROUNDING = 1e-9


def radial_frequencies(height: int, width: int, *, half: bool = False) -> torch.Tensor:
    """Radial frequency of every place of a 2-D FFT, in cycles per pixel.

    Args:
        height: Rows of the picture.
        width: Columns of the picture.
        half: Of `torch.fft.rfft2`, which leaves out the columns of negative frequency.

    Returns:
        (height, width) float64 on the CPU, or (height, width // 2 + 1); 0 in the corner [0, 0], at most sqrt(1/2).
    """
    down = torch.fft.fftfreq(height, dtype=torch.float64)
    frequencies = torch.fft.rfftfreq if half else torch.fft.fftfreq
    across = frequencies(width, dtype=torch.float64)
    return torch.hypot(down[:, None], across)


def magnitude_spectrum(pictures: torch.Tensor, *, centred: bool = True) -> torch.Tensor:
    """Absolute values of the orthonormal 2-D FFT.

    Its squares sum to the squares of the picture's values (Parseval). An FFT takes the picture as periodic: opposite
    borders that differ show as a bright cross.

    Args:
        pictures: (..., H, W) float32 or float64.
        centred: Put frequency 0 at [H // 2, W // 2] instead of [0, 0].

    Returns:
        (..., H, W), same dtype.

    Raises:
        TypeError: If the dtype is another.
        ValueError: If there is no pixel.
    """
    check_pictures(pictures)
    magnitudes: torch.Tensor = torch.fft.fft2(pictures, norm="ortho").abs()
    centre: torch.Tensor = torch.fft.fftshift(magnitudes, dim=(-2, -1)) if centred else magnitudes
    return centre


@dataclass(frozen=True, eq=False)
class RadialProfile:
    """Power against radial frequency.

    Attributes:
        frequency: (R,) float64 on the CPU, middle of each ring, in cycles per pixel.
        power: (..., R) mean square magnitude of the orthonormal FFT in each ring; NaN in a ring without frequencies.
        count: (R,) int64 on the CPU, number of frequencies in each ring. Power times count sums to the squares of the
            picture's values.
    """

    frequency: torch.Tensor
    power: torch.Tensor
    count: torch.Tensor


def radial_profile(pictures: torch.Tensor, *, rings: int | None = None) -> RadialProfile:
    """Mean power of all directions against radial frequency; photographs fall about as 1/f^2.

    Args:
        pictures: (..., H, W) float32 or float64.
        rings: How many rings of equal width there are from 0 to 1/2 cycle per pixel; by default one for every frequency
            of the shorter side. Rings of the same width follow up to the corners, so that no power is left out.

    Returns:
        The profile of each picture.

    Raises:
        TypeError: If the dtype is another.
        ValueError: If there is no pixel, or no ring.
    """
    check_pictures(pictures)
    height, width = pictures.shape[-2:]
    rings = max(1, min(height, width) // 2) if rings is None else rings
    if rings < 1:
        raise ValueError(f"expected at least 1 ring up to 1/2 cycle per pixel, got {rings}")
    frequency = radial_frequencies(height, width)
    ring = torch.floor(frequency * (2 * rings) + _ROUNDING).long().flatten()  # (H*W,)
    count = torch.bincount(ring)
    power = magnitude_spectrum(pictures, centred=False).square().flatten(-2)
    sums = power.new_zeros((*power.shape[:-1], len(count))).index_add(-1, ring.to(power.device), power)
    middle = (torch.arange(len(count), dtype=torch.float64) + 0.5) / (2 * rings)
    return RadialProfile(middle, sums / count.to(power.device), count)
