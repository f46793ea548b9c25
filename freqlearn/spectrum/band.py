"""A band of frequencies, and how much of every frequency it lets through."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch

Mask = Literal["sharp", "gaussian", "butterworth"]
"""How a mask falls from 1 to 0 at a cutoff: at once; as a Gaussian; or as 1 / (1 + (f / cutoff)^(2 order))."""

HIGHEST = math.sqrt(0.5)
"""The highest frequency that pixels can hold, in cycles per pixel: 1/2 on both axes."""


@dataclass(frozen=True, kw_only=True)
class FrequencyBand:
    """Radial frequencies from `low` up to `high`, in cycles per pixel.

    The gain is the difference of two low-pass masks, L(high) - L(low), with L(0) = 0 and L(infinity) = 1. So bands that
    share their edges add up to 1 at every frequency, whatever the mask: sharp or smooth, the parts of a picture sum to
    the picture. Smooth masks are 1/2 at their cutoff; a Gaussian band of one octave lets through half at most.

    Attributes:
        low: Lower edge, in cycles per pixel; belongs to the band. 0 for a low-pass, which has the mean of the picture.
        high: Upper edge; belongs to the next band. Infinity for a high-pass.
        mask: How the gain falls at both edges.
        order: Of the Butterworth mask: larger is sharper.
    """

    low: float = 0.0
    high: float = math.inf
    mask: Mask = "sharp"
    order: int = 4

    def __post_init__(self) -> None:
        if self.mask not in get_args(Mask):
            raise ValueError(f"expected mask to be one of {', '.join(get_args(Mask))}, got {self.mask!r}")
        if not 0 <= self.low < self.high:  # false for a NaN, too
            raise ValueError(f"expected 0 <= low < high in cycles per pixel, got low {self.low} and high {self.high}")
        if isinstance(self.order, bool) or not isinstance(self.order, int) or self.order < 1:
            raise ValueError(f"expected the order of a Butterworth mask as a positive integer, got {self.order!r}")

    def gain(self, frequency: torch.Tensor) -> torch.Tensor:
        """How much of each frequency the band lets through, 0 to 1.

        Args:
            frequency: Radial frequencies in cycles per pixel, floating point, any shape.

        Returns:
            The gains, same shape and dtype.
        """
        return self._below(self.high, frequency) - self._below(self.low, frequency)

    def _below(self, cutoff: float, frequency: torch.Tensor) -> torch.Tensor:
        if cutoff == 0:
            return torch.zeros_like(frequency)
        if math.isinf(cutoff):
            return torch.ones_like(frequency)
        if self.mask == "sharp":
            return (frequency < cutoff).to(frequency.dtype)
        if self.mask == "gaussian":
            return torch.exp(-math.log(2) * (frequency / cutoff).square())
        return 1 / (1 + (frequency / cutoff) ** (2 * self.order))

    def __str__(self) -> str:
        high = "" if math.isinf(self.high) else f"{self.high:.4g}"
        return f"{self.low:.4g}-{high} cycles/px"


def bands_between(edges: Sequence[float], *, mask: Mask = "sharp", order: int = 4) -> tuple[FrequencyBand, ...]:
    """Bands that share their edges: from 0 to the first edge, and so on, and from the last edge on.

    Args:
        edges: Rising, positive, in cycles per pixel; none for one band of everything.
        mask: Of each band.
        order: Of each band.

    Returns:
        One band more than there are edges; their gains sum to 1.

    Raises:
        ValueError: If the edges do not rise, or the mask is unknown.
    """
    limits = [0.0, *map(float, edges), math.inf]
    if sorted(set(limits)) != limits:
        raise ValueError(f"expected positive edges that rise, in cycles per pixel, got {', '.join(map(str, edges))}")
    return tuple(FrequencyBand(low=low, high=high, mask=mask, order=order) for low, high in pairwise(limits))
