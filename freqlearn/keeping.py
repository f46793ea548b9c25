"""Coefficients of which only some are left."""

from collections.abc import Iterable, Sequence
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
EVERY_PLACE = 2 ** (BLOCK * BLOCK) - 1
"""All coefficients of a block."""


def kept(coefficients: Coefficients, channels: Iterable[int]) -> Coefficients:
    """The same picture with every coefficient zero whose channel is not named; see `DCTImage.keep`.

    Raises:
        JpegError: If the file turns out to be damaged.
        TypeError: If a channel is not an integer.
        ValueError: If the planes are neither gray nor Y, Cb and Cr, or the channels are not a valid set.
    """
    layout = coefficients.layout
    if layout.color_space not in ("gray", "YCbCr"):
        where = f"{coefficients.path}: " if coefficients.path else ""
        raise ValueError(
            f"{where}expected gray or YCbCr planes, whose channels these are, got {layout.color_space}: read the file "
            "with decoder='pixels', or encode its pixels with DCTImage.from_rgb"
        )
    named = named_places(channels, len(layout.sampling))
    planes = coefficients.decoded().planes
    return reduced(
        coefficients,
        [(0, len(plane), 0, plane.shape[1], places) for plane, places in zip(planes, named, strict=True)],
    )


def named_places(channels: Iterable[int], components: int) -> list[int]:
    """Of each component, bit 8*v + u for each channel that is named.

    Raises:
        TypeError: If a channel is not an integer.
        ValueError: If the channels are not a valid set.
    """
    chosen = channels if isinstance(channels, ChannelSet) else ChannelSet.of(channels)
    return [sum(1 << place for place in chosen.component(component)) for component in range(components)]


def reduced(
    coefficients: Coefficients,
    ranges: Sequence[Range],
    smallest: Sequence[NDArray[np.float64]] | None = None,
) -> Coefficients:
    """The same picture with every coefficient zero that no range names, or that is too small.

    Args:
        coefficients: Of any colours.
        ranges: One a plane, within it.
        smallest: (8, 8) a plane, natural order: what is nearer to zero goes. In the units of the plane, so quantisation
            steps for int16. None: nothing is too small.

    Raises:
        JpegError: If the file turns out to be damaged.
    """
    decoded = coefficients.decoded()
    least: Sequence[NDArray[np.float64] | None] = smallest or [None] * len(ranges)
    planes = (_reduced(*of_plane) for of_plane in zip(decoded.planes, ranges, least, strict=True))
    return Coefficients(
        coefficients.layout,
        "planes",
        decoded=decoded._replace(planes=tuple(planes)),
        path=coefficients.path,
        original=coefficients.original,
    )


def _reduced(plane: NDArray[Any], named: Range, smallest: NDArray[np.float64] | None) -> NDArray[Any]:
    """(rows, cols, 8, 8), read-only: a copy, or the plane itself where all of it is named."""
    top, bottom, left, right, places = named
    if smallest is None and places == EVERY_PLACE and (bottom - top, right - left) == plane.shape[:2]:
        return plane
    if plane.dtype == np.int16:
        # No coefficient reaches 65535.
        steps = None if smallest is None else np.ceil(np.minimum(smallest, 65535.0)).astype(np.uint16)
        return frozen(_native.kept_blocks(plane, named, steps))
    copy = np.zeros_like(plane)
    some = plane[top:bottom, left:right]
    where = np.array([[bool(places >> (BLOCK * v + u) & 1) for u in range(BLOCK)] for v in range(BLOCK)])
    if smallest is not None:
        where = where & (np.abs(some) >= smallest)
    np.copyto(copy[top:bottom, left:right], some, where=where)
    return frozen(copy)
