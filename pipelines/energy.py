"""Ranking by energy: each channel's share of the total variance of the dequantised coefficients."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.measuring import Measurement, measure
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

_log = logging.getLogger(__name__)


def share_of_variance(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each channel's share of the total variance, (C,) float64 that sums to 1.

    It knows nothing of the task: the baseline that a learned ranking has to beat.

    Args:
        variance: (C,) float64, of the dequantised coefficients.

    Raises:
        ValueError: If no channel varies.
    """
    total = variance.sum()
    if not total > 0:
        raise ValueError("expected pictures that vary, got only constant channels")
    shares: NDArray[np.float64] = variance / total
    return shares


def measure_all_channels(
    train: ClassFolder, *, size_px: int, resize_px: int | None, images: int, seed: int
) -> tuple[InputSpec, NDArray[np.float64]]:
    """Measure mean and variance of all 192 channels, those included that never vary (Cb and Cr of gray pictures).

    Args:
        train: Training files.
        size_px: Size of the picture that the model sees.
        resize_px: Short side before the centre crop; None for no resize.
        images: Measure on at most so many files, chosen at random.
        seed: Seed of that choice.

    Returns:
        The spec to standardise with (a constant channel keeps its scale), and (192,) float64 the variances.
    """
    sample = train.sample(images, seed=seed)
    everything = ChannelSet.all()
    _log.info("Measuring mean and standard deviation of 192 channels on %d training files", len(sample))
    spec = InputSpec.unstandardised(everything, size_px, resize_px)
    measurement = Measurement(ChannelStatistics(len(everything)))
    # Each measurement contains the one before; the last is of all files.
    for measurement in measure(sample.paths(), presets.classification_eval(spec), measurement):  # noqa: B007, B020
        pass
    statistics = measurement.statistics
    std = np.where(statistics.std > 0, statistics.std, 1.0)
    source = f"{len(sample)} of {len(train)} training files"
    spec = replace(spec, mean=tuple(statistics.mean.tolist()), std=tuple(std.tolist()), source=source)
    return spec, statistics.variance
