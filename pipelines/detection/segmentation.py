"""Checks of masks before pycocotools decodes them: its C code trusts the numbers that it is given."""

from typing import Any

import numpy as np

_MOST_BITS = 60  # of a run length: more would overflow in pycocotools


def check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Raise a ValueError unless the numbers of a segmentation can be of a picture.

    Args:
        segmentation: Polygons or run lengths, in the form that `freqlearn.pipelines.detection.entries` lets through.
        size: (height, width) of the picture.
    """
    if isinstance(segmentation, list):
        for polygon in segmentation:
            _check_polygon(polygon, size)
    else:
        counts = segmentation["counts"]
        _check_lengths(_run_lengths(counts) if isinstance(counts, str) else counts, size)


def _check_polygon(polygon: list[Any], size: tuple[int, int]) -> None:
    height, width = size
    try:
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"expected a polygon of numbers: {error}") from error
    # Memory and time of pycocotools grow with the distance of neighbours. NaN is not in any range.
    limit = np.array((width, height))
    inside = (points >= -limit) & (points <= 2 * limit)
    if not inside.all():
        x, y = points[~inside.all(axis=1)][0]
        raise ValueError(f"expected a polygon around a picture of {width} px x {height} px, got the point ({x}, {y})")


def _check_lengths(lengths: list[Any], size: tuple[int, int]) -> None:
    """Of too few pixels pycocotools makes a mask of memory that it has never written to."""
    if not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError("expected run lengths as counts, none of them negative")
    if sum(lengths) != size[0] * size[1]:
        raise ValueError(f"expected run lengths of {size[0] * size[1]} pixels in all, got {sum(lengths)}")


def _run_lengths(text: str) -> list[int]:
    """Read compressed run lengths, as `rleFrString` of pycocotools' maskApi.c.

    A character is 48 plus six bits: five of a number, lowest first, and whether more follow. The last one's highest bit
    is the sign; from the fourth number on they are differences to the number two before.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > _MOST_BITS:
            break
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    else:
        if not shift:
            return lengths
    raise ValueError("expected compressed run lengths as pycocotools writes them, got other text")
