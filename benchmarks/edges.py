"""Where the edges of a rectangle lie in a picture, to a fraction of a pixel and without knowing its transforms.

A flat rectangle in a flat frame makes a step in every row (or column). However a resampling blurs a step, it keeps the
sum: so the edge is where an ideal step between the two plateaus would have the profile's sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDES = ("left", "top", "right", "bottom")
_REACH = 0.7  # of the frame's width: its outer border is blurred too
_LEAST_PX = 6  # of frame and of rectangle on either side of an edge; less is all blur


@dataclass(frozen=True)
class Edge:
    """One edge of a rectangle in a picture.

    Attributes:
        side: "left", "top", "right" or "bottom".
        expected_px: where the transformed box has it, in px of the picture.
        measured_px: where the picture has it.
    """

    side: str
    expected_px: float
    measured_px: float

    @property
    def deviation_px(self) -> float:
        """How far apart they are."""
        return abs(self.measured_px - self.expected_px)


def measure(
    picture: NDArray[np.floating], box: Sequence[float], frame: Sequence[float], *, scale: int = 1
) -> list[Edge]:
    """Measure those edges of a rectangle that can be seen whole, with enough of its frame.

    Args:
        picture: (scale*H, scale*W), one component.
        box: (x1, y1, x2, y2) of the rectangle as transformed, clipped to the picture, in px of (H, W).
        frame: the same of the frame's outer border.
        scale: pixels of `picture` a px of the boxes.
    """
    edges = []
    for side, name in enumerate(SIDES):
        across = picture if name in ("left", "right") else picture.T
        low, high = (box[1], box[3]) if name in ("left", "right") else (box[0], box[2])
        depth = min(abs(box[side] - frame[side]), 0.5 * abs(box[side] - box[(side + 2) % 4]))
        if depth < _LEAST_PX or high - low < 2 * _LEAST_PX:
            continue
        # The middle half of the edge, away from the corners' blur.
        rows = slice(round(scale * (0.75 * low + 0.25 * high)), round(scale * (0.25 * low + 0.75 * high)))
        reach = round(scale * _REACH * depth)
        at = round(scale * box[side])
        profile = across[rows, at - reach : at + reach].astype(np.float64).mean(axis=0)
        edges.append(Edge(name, float(box[side]), (at - reach + _step(profile)) / scale))
    return edges


def _step(profile: NDArray[np.float64]) -> float:
    """Place of the step in a profile, in its samples from its start."""
    plateau = max(2, len(profile) // 6)
    before, after = profile[:plateau].mean(), profile[-plateau:].mean()
    if abs(after - before) < 10 * max(profile[:plateau].std(), profile[-plateau:].std(), 0.1):
        raise ValueError(f"expected a step between two plateaus, got {before:.1f} and {after:.1f}")
    return float(np.sum((after - profile) / (after - before)))
