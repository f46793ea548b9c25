"""What of a picture's coefficients a model's evaluation weighs: the rest may go, and the model sees the same."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqlearn import _native, native_operator
from freqlearn.coefficients import Coefficients
from freqlearn.dct import BLOCK
from freqlearn.decoders import frozen
from freqlearn.image import DCTImage
from freqlearn.presets import classification_eval
from freqlearn.spec import InputSpec
from freqlearn.transforms import Compose, ToFrequencyTensor

# First row, end of rows, first column, end of columns; and bit 8*v + u for each coefficient of these blocks.
_Need = tuple[int, int, int, int, int]
_EVERY_PLACE = 2 ** (BLOCK * BLOCK) - 1


def visible(
    coefficients: Coefficients,
    spec: InputSpec,
    *,
    tolerance: float,
    whole_picture: bool,
    exif_orientation: bool,
) -> Coefficients:
    """The same picture with every coefficient zero that an evaluation does not weigh; see `DCTImage.keep_visible`.

    Raises:
        JpegError: If the file turns out to be damaged.
        TypeError: If `spec` is no InputSpec, or `tolerance` no number.
        ValueError: If the spec is of kind "rgb", the tolerance out of range, or the picture none that evaluation takes.
    """
    native_operator.check_tolerance(tolerance)
    if not isinstance(spec, InputSpec):
        raise TypeError(f"expected an InputSpec, got {type(spec).__name__}")
    steps, last = _evaluation(spec, float(tolerance), bool(exif_orientation))
    img = DCTImage(coefficients)
    for step in steps:
        img = step(img)
    planes, tables = img.planes, img.quant_tables
    needs = _native.needed_blocks(
        planes, tables, img.sampling, img.color_space, native_operator.plan_of(last.planned(img).plan), last.target
    )
    left = (_only(plane, need, whole_picture) for plane, need in zip(planes, needs, strict=True))
    return Coefficients(
        coefficients.layout,
        "planes",
        decoded=coefficients.decoded()._replace(planes=tuple(left)),
        path=coefficients.path,
        original=coefficients.original,
    )


@lru_cache(maxsize=16)
def _evaluation(spec: InputSpec, tolerance: float, exif_orientation: bool) -> tuple[list[Any], ToFrequencyTensor]:
    """The preset's own steps after reading, so that nothing can differ from it, and its last one."""
    if spec.kind != "dct":
        raise ValueError(
            f'expected a spec of frequency channels (kind "dct"), got kind {spec.kind!r}: a model of pixels weighs every '
            "coefficient"
        )
    pipeline = classification_eval(spec, exif_orientation=exif_orientation, tolerance=tolerance)
    if not isinstance(pipeline, Compose):
        raise TypeError(f"expected the evaluation as a Compose, got {type(pipeline).__name__}")
    _, *steps, last = pipeline.transforms
    return steps, last


def _only(plane: NDArray[Any], need: _Need, whole_picture: bool) -> NDArray[Any]:
    """(rows, cols, 8, 8): the plane where it is needed, zero elsewhere; the plane itself where all of it is needed."""
    top, bottom, left, right, places = need
    if whole_picture and places:
        top, bottom, left, right = 0, plane.shape[0], 0, plane.shape[1]
    if places == _EVERY_PLACE and (bottom - top, right - left) == plane.shape[:2]:
        return plane
    only = np.zeros_like(plane)
    mask = np.unpackbits(np.frombuffer(places.to_bytes(8, "little"), np.uint8), bitorder="little").reshape(BLOCK, BLOCK)
    np.copyto(only[top:bottom, left:right], plane[top:bottom, left:right], where=mask.astype(np.bool_))
    return frozen(only)
