"""Coefficients of which only some are left."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from freqlearn import _native
from freqlearn.channels import ChannelSet
from freqlearn.coefficients import Coefficients
from freqlearn.dct import BLOCK
from freqlearn.decoders import frozen

Range: TypeAlias = tuple[int, int, int, int, int]
"""First row of blocks, end of rows, first column, end of columns; and bit 8*v + u for each coefficient of them."""
_EVERY_PLACE = 2 ** (BLOCK * BLOCK) - 1


def kept(coefficients: Coefficients, channels: Iterable[int]) -> Coefficients:
    """The same picture with every coefficient zero whose channel is not named; see `DCTImage.keep`.

    Raises:
        JpegError: If the file turns out to be damaged.
        TypeError: If a channel is not an integer.
        ValueError: If the planes are neither gray nor Y, Cb and Cr, or the channels are not a valid set.
    """
    chosen = channels if isinstance(channels, ChannelSet) else ChannelSet.of(channels)
    layout = coefficients.layout
    if layout.color_space not in ("gray", "YCbCr"):
        where = f"{coefficients.path}: " if coefficients.path else ""
        raise ValueError(
            f"{where}expected gray or YCbCr planes, whose channels these are, got {layout.color_space}: read the file "
            "with decoder='pixels', or encode its pixels with DCTImage.from_rgb"
        )
    ranges = []
    for component, plane in enumerate(coefficients.decoded().planes):
        rows, cols = plane.shape[:2]
        ranges.append((0, rows, 0, cols, sum(1 << place for place in chosen.component(component))))
    return reduced(coefficients, ranges)


def reduced(coefficients: Coefficients, ranges: Iterable[Range]) -> Coefficients:
    """The same picture with every coefficient zero that no range names.

    Args:
        coefficients: Of any colours.
        ranges: One a plane, within it.

    Raises:
        JpegError: If the file turns out to be damaged.
    """
    decoded = coefficients.decoded()
    planes = (_reduced(plane, named) for plane, named in zip(decoded.planes, ranges, strict=True))
    return Coefficients(
        coefficients.layout,
        "planes",
        decoded=decoded._replace(planes=tuple(planes)),
        path=coefficients.path,
        original=coefficients.original,
    )


def _reduced(plane: NDArray[Any], named: Range) -> NDArray[Any]:
    """(rows, cols, 8, 8), read-only: a copy, or the plane itself where all of it is named."""
    top, bottom, left, right, places = named
    if places == _EVERY_PLACE and (bottom - top, right - left) == plane.shape[:2]:
        return plane
    if plane.dtype == np.int16:
        return frozen(_native.kept_blocks(plane, named))
    copy = np.zeros_like(plane)
    mask = [[bool(places >> (BLOCK * v + u) & 1) for u in range(BLOCK)] for v in range(BLOCK)]
    np.copyto(copy[top:bottom, left:right], plane[top:bottom, left:right], where=np.array(mask))
    return frozen(copy)
