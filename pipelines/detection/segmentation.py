"""Checks of masks before pycocotools decodes them: its C code trusts the numbers that it is given."""

from typing import Any

import numpy as np

# A character of a compressed run length is 48 plus six bits, the highest of which says that another one follows.
_FIRST, _LAST, _CONTINUES = 48, 111, 32


def check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Raise a ValueError unless the numbers of a segmentation can be of a picture.

    Args:
        segmentation: Polygons or run lengths, in the form that `freqlearn.pipelines.detection.entries` lets through.
        size: (height, width) of the picture.
    """
    if isinstance(segmentation, list):
        for polygon in segmentation:
            _check_polygon(polygon, size)
    elif isinstance(segmentation["counts"], str):
        _check_compressed(segmentation["counts"])
    else:
        _check_counts(segmentation["counts"], size)


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


def _check_counts(counts: list[Any], size: tuple[int, int]) -> None:
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("expected run lengths as counts")
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f"expected run lengths of {size[0] * size[1]} pixels in all, got {sum(counts)}")


def _check_compressed(counts: str) -> None:
    codes = counts.encode("utf-8")
    if not codes or min(codes) < _FIRST or max(codes) > _LAST or (codes[-1] - _FIRST) & _CONTINUES:
        raise ValueError("expected compressed run lengths as pycocotools writes them, got other text")
