"""Mean and standard deviation for a spec, measured on training files through a given geometry."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from freqlearn.pipelines.bad_images import list_bad_images
from freqlearn.pipelines.data import Transform
from freqlearn.pipelines.measuring import Measurement, Source, measure
from freqlearn.pipelines.options import OnBadImage
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics, Constant

_log = logging.getLogger(__name__)


def standardised(
    spec: InputSpec,
    sample: Iterable[Source],
    geometry: Callable[[InputSpec], Transform],
    *,
    files: int,
    of: int,
    constant: Constant = "refuse",
    on_bad_image: OnBadImage = "error",
    output: Path | None = None,
) -> tuple[InputSpec, ChannelStatistics]:
    """Measure mean and std on a sample of training files.

    Args:
        spec: Channels and sizes; of kind "dct".
        sample: The files to measure on.
        geometry: Makes the transform that the model's inputs go through, encoded file -> (C, h, w), of a spec; it is
            given one without mean and std.
        files: How many the sample has.
        of: How many it was chosen from.
        constant: What to do with a channel that never varies; see `ChannelStatistics.to_spec`.
        on_bad_image: "error" stops at a file that cannot be read, "skip" measures the others.
        output: Folder whose bad_images.csv gets the files that were skipped.

    Returns:
        The same spec with mean and std, and everything measured.

    Raises:
        ValueError: If a file cannot be read, or none can; or the spec is of kind "rgb".
    """
    if spec.channels is None:
        raise ValueError("only frequency channels are measured; the spec is of kind rgb")
    _log.info("Measuring mean and standard deviation of %s on %d training files", spec.channels, files)
    measurement = Measurement(ChannelStatistics(len(spec.channels)))
    transform = geometry(InputSpec.unstandardised(spec.channels, spec.size_px, spec.resize_px))
    # Each measurement contains the one before; the last is of all files.
    for measurement in measure(sample, transform, measurement, on_bad_image=on_bad_image):  # noqa: B007, B020
        pass
    statistics, skipped = measurement.statistics, dict(measurement.skipped)
    if not statistics.images:
        name, why = next(iter(skipped.items()))
        raise ValueError(f"none of {files} training files can be read; the first: {name}: {why}")
    if skipped and output is not None:
        list_bad_images(output, skipped)
    source = f"{statistics.images} of {of} training files"
    measured = statistics.to_spec(spec.channels, spec.size_px, spec.resize_px, constant=constant, source=source)
    return measured, statistics
