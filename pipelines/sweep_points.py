"""The trainings of a sweep over the number of channels, one by one and over their seeds."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Point:
    """One training.

    Attributes:
        input: "dct", or "rgb" for the baseline.
        channels: Number of channels of the network's input.
        seed: Seed of the training.
        accuracy: Share of validation images classified correctly after the last epoch.
        images: Number of validation images.
        bytes_per_image: Size of one image's tensor as float32.
        macs: Multiply-accumulates of one image.
    """

    input: Literal["dct", "rgb"]
    channels: int
    seed: int
    accuracy: float
    images: int
    bytes_per_image: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All seeds of one input.

    Attributes:
        input: "dct" or "rgb".
        channels: Number of channels.
        seeds: Number of trainings.
        accuracy: Mean over them.
        std: Standard deviation over them; None of a single one.
        standard_error: Of one training's accuracy, for the validation images being a sample: sqrt(p (1 - p) / images).
            Other seeds see the same images, so that more of them do not make it smaller.
        bytes_per_image: Size of one image's tensor as float32.
        macs: Multiply-accumulates of one image.
    """

    input: Literal["dct", "rgb"]
    channels: int
    seeds: int
    accuracy: float
    std: float | None
    standard_error: float
    bytes_per_image: int
    macs: int

    @classmethod
    def of(cls, points: list[Point]) -> "Summary":
        """Summarise trainings that differ in nothing but the seed."""
        first, accuracies = points[0], [point.accuracy for point in points]
        mean = fmean(accuracies)
        return cls(
            input=first.input,
            channels=first.channels,
            seeds=len(points),
            accuracy=mean,
            std=stdev(accuracies) if len(points) > 1 else None,
            standard_error=math.sqrt(mean * (1 - mean) / first.images),
            bytes_per_image=first.bytes_per_image,
            macs=first.macs,
        )
