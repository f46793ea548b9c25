"""Coefficients that a caller brings along, checked."""

from collections.abc import Sequence
from operator import index
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from freqlearn.coefficients import Layout
from freqlearn.decoders import Decoded, frozen
from freqlearn.info import ColorSpace, Sampling, component_size

# What a number of components may stand for; the first is the default.
_COLOR_SPACES: dict[int, tuple[ColorSpace, ...]] = {
    1: ("gray",),
    2: ("unknown",),
    3: ("YCbCr", "RGB", "unknown"),
    4: ("CMYK", "YCCK", "unknown"),
}


def checked_planes(
    planes: Sequence[NDArray[Any]],
    quant_tables: Sequence[NDArray[Any]] | None,
    size_px: tuple[int, int],
    sampling: Sequence[tuple[int, int]] | None,
    color_space: ColorSpace | None,
    orientation: int,
) -> tuple[Layout, Decoded]:
    """Copies of the planes and tables, and their layout; the arguments are those of `DCTImage.from_planes`.

    Raises:
        TypeError: If a plane is neither int16 nor float32, or a table does not hold integers.
        ValueError: If numbers of components or shapes do not agree, or a value is out of range.
    """
    count = len(planes)
    if count not in _COLOR_SPACES:
        raise ValueError(f"expected 1 to 4 planes, got {count}")
    color = color_space or _COLOR_SPACES[count][0]
    if color not in _COLOR_SPACES[count]:
        raise ValueError(
            f"expected a color_space for {count} plane(s), one of {_COLOR_SPACES[count]}, got {color_space!r}"
            + ("" if color in get_args(ColorSpace) else ", which is not one at all")
        )
    if orientation not in range(1, 9):
        raise ValueError(f"expected an EXIF orientation of 1 to 8, got {orientation}")
    size = tuple(map(index, size_px))
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"expected size_px as (height, width), each at least 1, got {size_px}")
    factors = checked_sampling(sampling, count)
    layout = Layout((size[0], size[1]), factors, color, orientation)
    tables = [np.ones((8, 8), np.uint16)] * count if quant_tables is None else list(quant_tables)
    if len(tables) != count:
        raise ValueError(f"expected one quantisation table per plane, got {len(tables)} for {count} planes")
    decoded = Decoded(
        planes=tuple(_checked_plane(np.asarray(plane), i, layout) for i, plane in enumerate(planes)),
        quant_tables=tuple(checked_table(np.asarray(table), i) for i, table in enumerate(tables)),
        complete=True,
        warnings=(),
    )
    return layout, decoded


def checked_sampling(sampling: Sequence[tuple[int, int]] | None, count: int) -> Sampling:
    """(h, v) per component, as integers; all (1, 1) for None; a ValueError where there are not `count`, each 1 to 4."""
    if sampling is None:
        return ((1, 1),) * count
    factors = tuple((index(h), index(v)) for h, v in sampling)
    if len(factors) != count or any(factor not in range(1, 5) for pair in factors for factor in pair):
        raise ValueError(f"expected {count} pair(s) of sampling factors (h, v), each 1 to 4, got {tuple(sampling)}")
    return factors


def _checked_plane(plane: NDArray[Any], component: int, layout: Layout) -> NDArray[Any]:
    if plane.dtype not in (np.int16, np.float32):
        raise TypeError(f"expected plane {component} as int16 (quantised) or float32, got {plane.dtype}")
    height, width = component_size(layout.size_px, layout.sampling, component)
    shape = (-(-height // 8), -(-width // 8), 8, 8)
    if plane.shape != shape:
        raise ValueError(
            f"expected plane {component} of shape {shape}, which holds its {width}x{height} samples (size_px "
            f"{layout.size_px}, sampling {layout.sampling}), got {plane.shape}"
        )
    if plane.dtype == np.float32 and not np.isfinite(plane).all():
        raise ValueError(f"expected finite coefficients, got NaN or infinity in plane {component}")
    return frozen(np.array(plane, order="C"))


def checked_table(values: NDArray[Any], component: int) -> NDArray[np.uint16]:
    """A read-only uint16 copy of a quantisation table.

    Raises:
        TypeError: If it does not hold integers.
        ValueError: If it is not (8, 8), or an entry is not in 1..65535.
    """
    if values.dtype.kind not in "iu":
        raise TypeError(f"expected quantisation table {component} of integers, got {values.dtype}")
    if values.shape != (8, 8) or values.min() < 1 or values.max() > 65535:
        raise ValueError(
            f"expected quantisation table {component} of shape (8, 8) with entries 1 to 65535, got shape {values.shape}"
            + (f", entries {values.min()} to {values.max()}" if values.size else "")
        )
    return frozen(values.astype(np.uint16))
