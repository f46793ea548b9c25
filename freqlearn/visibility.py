"""What of a picture's coefficients a model's evaluation weighs: the rest may go, and the model sees the same.

To the bit, with one exception: of a file that defines a quantisation table only after its first scan, the operator
cannot know what a tolerance allows to leave out, and takes all. Here all tables are known.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqlearn import _native, native_operator
from freqlearn.coefficients import Coefficients
from freqlearn.image import DCTImage
from freqlearn.keeping import Range, reduced
from freqlearn.presets import classification_eval
from freqlearn.spec import InputSpec
from freqlearn.transforms import Compose, ToFrequencyTensor


def visible(
    coefficients: Coefficients,
    spec: InputSpec,
    *,
    tolerance: float,
    negligible: float,
    whole_picture: bool,
    exif_orientation: bool,
) -> Coefficients:
    """The same picture with every coefficient zero that an evaluation does not weigh; see `DCTImage.keep_visible`.

    Raises:
        JpegError: If the file turns out to be damaged.
        TypeError: If `spec` is no InputSpec, or `tolerance` or `negligible` no number.
        ValueError: If the spec is of kind "rgb", a number out of range, or the picture none that evaluation takes.
    """
    native_operator.check_tolerance(tolerance)
    native_operator.check_tolerance(negligible, "negligible")
    if not isinstance(spec, InputSpec):
        raise TypeError(f"expected an InputSpec, got {type(spec).__name__}")
    steps, last = _evaluation(spec, float(tolerance), bool(exif_orientation))
    try:
        img = DCTImage(coefficients)
        for step in steps:
            img = step(img)
        ranges: list[Range] = _native.needed_blocks(*_asked(img, last))
        smallest = _smallest(img, last, negligible) if negligible else None
    except ValueError as error:
        if type(error) is not ValueError or coefficients.path is None:
            raise
        raise ValueError(f"{coefficients.path}: {error}") from error
    if whole_picture:
        planes = coefficients.decoded().planes
        ranges = [
            (0, len(plane), 0, plane.shape[1], places) for plane, (*_, places) in zip(planes, ranges, strict=True)
        ]
    return reduced(coefficients, ranges, smallest)


def _asked(img: DCTImage, last: ToFrequencyTensor) -> tuple[Any, ...]:
    """What the native functions are told of an image and of what is to be made of it."""
    plan = native_operator.plan_of(last.planned(img).plan)
    return img.planes, img.quant_tables, img.sampling, img.color_space, plan, last.target


def _smallest(img: DCTImage, last: ToFrequencyTensor, negligible: float) -> list[NDArray[np.float64]]:
    """(8, 8) of each plane, natural order: the smallest coefficient that alone changes some value that much; 0: any."""
    limits = []
    for peaks, table in zip(_native.peak_weights(*_asked(img, last)), img.quant_tables, strict=True):
        change = np.array(peaks).reshape(table.shape) * table  # of one step
        limit = np.divide(negligible, change, out=np.full(table.shape, np.inf), where=change > 0)
        limit[0, 0] = 0.0
        limits.append(limit)
    return limits


@lru_cache(maxsize=16)
def _evaluation(spec: InputSpec, tolerance: float, exif_orientation: bool) -> tuple[list[Any], ToFrequencyTensor]:
    """The preset's own steps after reading, so that nothing can differ from it, and its last one."""
    if spec.kind != "dct":
        raise ValueError(
            f'expected a spec of frequency channels (kind "dct"), got kind {spec.kind!r}: a model of pixels weighs '
            "every coefficient"
        )
    pipeline = classification_eval(spec, exif_orientation=exif_orientation, tolerance=tolerance)
    if not isinstance(pipeline, Compose):
        raise TypeError(f"expected the evaluation as a Compose, got {type(pipeline).__name__}")
    _, *steps, last = pipeline.transforms
    if not isinstance(last, ToFrequencyTensor):
        raise TypeError(f"expected the evaluation to end with ToFrequencyTensor, got {type(last).__name__}")
    return steps, last
