"""Colour changes as a 3x3 matrix and an offset on (Y, Cb, Cr), so that they can be applied to coefficients.

With Y as the gray picture, torchvision's adjust_brightness, adjust_contrast, adjust_saturation and its grayscale are
linear in (Y, Cb, Cr). Three differences from torchvision remain:

- torchvision clamps to 0..255 (and rounds) after each step; nothing is clamped here;
- its tensor path weighs red with 0.2989, its Pillow path and JPEG's Y with 0.299: at most 0.03 gray levels;
- hue is a rotation of (Cb, Cr) by `factor` turns, where torchvision shifts the H of HSV. The direction is the same
  (red to yellow for small positive factors) and gray stays gray, but here Y is kept and there max(R, G, B).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqlearn.geometry import Geometry

# ITU-T T.871 (JFIF), clause 7: full-range BT.601, (R, G, B) in 0..255 -> (Y, Cb, Cr) with Cb and Cr around zero.
RGB_TO_YCBCR: NDArray[np.float64] = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772],
        [0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402],
    ]
)
YCBCR_TO_RGB: NDArray[np.float64] = np.asarray(np.linalg.inv(RGB_TO_YCBCR), dtype=np.float64)
# JPEG's coefficients are those of samples minus 128; Cb and Cr are stored around 128, so only Y keeps a shift.
LEVEL_SHIFT: NDArray[np.float64] = np.array([128.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Brightness:
    """RGB times `factor`."""

    factor: float

    def __str__(self) -> str:
        return f"brightness {self.factor:.3g}"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Blend with the mean gray of the picture that `geometry` shows, the one at this step of the plan."""

    factor: float
    geometry: Geometry

    def __str__(self) -> str:
        return f"contrast {self.factor:.3g}"


@dataclass(frozen=True, slots=True)
class Saturation:
    """Blend with the gray picture; factor 0 is grayscale."""

    factor: float

    def __str__(self) -> str:
        return f"saturation {self.factor:.3g}"


@dataclass(frozen=True, slots=True)
class Hue:
    """Rotate (Cb, Cr) by `factor` turns, -0.5 to 0.5."""

    factor: float

    def __str__(self) -> str:
        return f"hue {self.factor:+.3g}"


@dataclass(frozen=True, slots=True)
class Fill:
    """From this step on, what lies beyond the picture is `rgb` (0..255)."""

    rgb: tuple[float, float, float]

    def __str__(self) -> str:
        return f"fill ({', '.join(f'{value:g}' for value in self.rgb)})"


ColorStep = Brightness | Contrast | Saturation | Hue | Fill


@dataclass(frozen=True, slots=True)
class LumaMean:
    """Y of a stage of the plan before any colour step.

    Attributes:
        value: mean of Y - 128 over the picture's pixels in the window.
        share: the picture's share of the window; the rest is padding.
    """

    value: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class ColorMap:
    """What all colour steps together do to level-shifted (Y - 128, Cb, Cr).

    Attributes:
        matrix: (3, 3) float64; a picture's pixel c becomes `matrix @ c + offset`.
        offset: (3,) float64.
        outside: (3,) float64, the padding's final value.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    outside: NDArray[np.float64]

    def inputs(self, component: int) -> list[int]:
        """Which of Y, Cb, Cr (0, 1, 2) an output component is made of."""
        return [int(i) for i in np.flatnonzero(self.matrix[component])]


def compose(steps: Sequence[ColorStep], luma_mean: Callable[[Geometry], LumaMean]) -> ColorMap:
    """Multiply the steps out.

    Args:
        steps: in the order in which they apply.
        luma_mean: measures a stage of the picture; called once for each contrast step.

    Returns:
        The single affine map that they make.
    """
    matrix, offset = np.eye(3), np.zeros(3)
    outside = -LEVEL_SHIFT  # black
    for step in steps:
        if isinstance(step, Fill):
            outside = RGB_TO_YCBCR @ np.asarray(step.rgb, dtype=np.float64) - LEVEL_SHIFT
            continue
        gray = 0.0
        if isinstance(step, Contrast):
            mean = luma_mean(step.geometry)
            # No step mixes Cb or Cr into Y.
            picture = float(matrix[0, 0] * mean.value + offset[0])
            gray = mean.share * picture + (1.0 - mean.share) * float(outside[0])
        step_matrix, step_offset = _affine(step, gray)
        matrix = step_matrix @ matrix
        offset = step_matrix @ offset + step_offset
        outside = step_matrix @ outside + step_offset
    return ColorMap(matrix=matrix, offset=offset, outside=outside)


def _affine(
    step: Brightness | Contrast | Saturation | Hue, gray: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(matrix, offset) of one step; `gray` is the mean of Y - 128 that contrast blends with."""
    factor = step.factor
    match step:
        case Brightness():
            return np.eye(3) * factor, LEVEL_SHIFT * (factor - 1.0)
        case Contrast():
            return np.eye(3) * factor, np.array([(1.0 - factor) * gray, 0.0, 0.0])
        case Saturation():
            return np.diag([1.0, factor, factor]), np.zeros(3)
        case Hue():
            cos, sin = math.cos(2 * math.pi * factor), math.sin(2 * math.pi * factor)
            return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]), np.zeros(3)
