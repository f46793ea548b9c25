"""What of a picture's coefficients a model's evaluation weighs: the rest may go, and the model sees the same.

To the bit, with one exception: of a file that defines a quantisation table only after its first scan, the operator
cannot know what a tolerance allows to leave out, and takes all. Here all tables are known.
"""

from functools import lru_cache
from typing import Any

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
    try:
        ranges = _weighed(DCTImage(coefficients), steps, last)
    except ValueError as error:
        if type(error) is not ValueError or coefficients.path is None:
            raise
        raise ValueError(f"{coefficients.path}: {error}") from error
    if whole_picture:
        planes = coefficients.decoded().planes
        ranges = [
            (0, len(plane), 0, plane.shape[1], places) for plane, (*_, places) in zip(planes, ranges, strict=True)
        ]
    return reduced(coefficients, ranges)


def _weighed(img: DCTImage, steps: list[Any], last: ToFrequencyTensor) -> list[Range]:
    """What of each plane the steps and the last one weigh."""
    for step in steps:
        img = step(img)
    plan = native_operator.plan_of(last.planned(img).plan)
    return _native.needed_blocks(img.planes, img.quant_tables, img.sampling, img.color_space, plan, last.target)


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
