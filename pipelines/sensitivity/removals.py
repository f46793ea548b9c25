"""Which frequencies to take out, in cycles per picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from freqlearn.spectrum import HIGHEST, FrequencyBand, Mask

Remove = Literal["band", "above", "below"]

# Below this, "auto" divides no further: a photo's slowest half waves have 1/2 cycle.
_LOWEST_EDGE = 3.0


@dataclass(frozen=True)
class Removal:
    """Frequencies that are taken out of a picture.

    Cycles per picture are cycles per pixel times the picture's side in pixels. They mean the same for pictures of 112
    and of 224 px that show the same scene.

    Attributes:
        low: Lower edge in cycles per picture. 0 takes everything up to `high` but for the picture's mean.
        high: Upper edge; infinity for everything from `low` on.
    """

    low: float
    high: float

    def band(self, size_px: int, mask: Mask) -> FrequencyBand:
        """The same in cycles per pixel, for a picture of a size."""
        return FrequencyBand(low=self.low / size_px, high=self.high / size_px, mask=mask)

    def concerns(self, size_px: int) -> bool:
        """Whether a picture of a size can hold such frequencies at all."""
        return self.low < HIGHEST * size_px

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{self.low:g} and more"
        return f"below {self.high:g}" if self.low == 0 else f"{self.low:g} to {self.high:g}"


def automatic_edges(largest_px: int, *, per_octave: int = 1) -> tuple[float, ...]:
    """Edges an octave apart, down from half of the highest frequency of an axis.

    Octaves, because a photograph holds about as much variance in each. For 224 px: 3.5, 7, 14, 28 and 56 cycles per
    picture; 56 is also all that an axis of 112 px holds, and cosine u of an 8x8 block has 14 u cycles.

    Args:
        largest_px: Side of the largest picture.
        per_octave: Bands an octave.

    Raises:
        ValueError: If the picture is too small for two bands.
    """
    edges = []
    step = 0
    while (edge := largest_px / 4 * 2 ** (-step / per_octave)) >= _LOWEST_EDGE:
        edges.append(edge)
        step += 1
    if not edges:
        raise ValueError(f"pictures of {largest_px} px are too small to choose edges for; say them with edges")
    return tuple(reversed(edges))


def read_edges(text: str, *, largest_px: int, per_octave: int) -> tuple[float, ...]:
    """Edges from numbers separated by commas, or from "auto".

    Raises:
        ValueError: If they are no rising positive numbers.
    """
    if text == "auto":
        return automatic_edges(largest_px, per_octave=per_octave)
    try:
        edges = tuple(float(part) for part in text.split(","))
    except ValueError:
        edges = ()
    rising = all(low < high for low, high in pairwise((0.0, *edges, math.inf)))
    if not edges or not rising:
        raise ValueError(f"edges: expected auto or rising positive numbers such as 7,14,28, got {text!r}")
    return edges


def removals(edges: Sequence[float], remove: Remove) -> tuple[Removal, ...]:
    """What to take out, one after the other.

    Args:
        edges: Rising, in cycles per picture.
        remove: "band": each band between neighbouring edges, and what is below the first and above the last; "above":
            everything from each edge on, as a low-pass does; "below": everything below each edge, as a high-pass does.
    """
    if remove == "above":
        return tuple(Removal(edge, math.inf) for edge in edges)
    if remove == "below":
        return tuple(Removal(0.0, edge) for edge in edges)
    return tuple(Removal(low, high) for low, high in pairwise((0.0, *edges, math.inf)))
