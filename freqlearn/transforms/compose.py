"""Compose that notices torchvision transforms which would silently do nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from torchvision.transforms import v2

import freqlearn.transforms as own
from freqlearn.transforms.base import Transform
from freqlearn.transforms.frequency import ToFrequencyTensor
from freqlearn.transforms.reading import ReadDCT

_CONTAINERS = (v2.Compose, v2.RandomApply, v2.RandomChoice, v2.RandomOrder)
# torchvision's transforms that do the same to whatever they are given.
_ANYTHING = (v2.Lambda, v2.Identity)


class Compose(v2.Compose):
    """`torchvision.transforms.v2.Compose`, with a check.

    torchvision's own transforms pass what they do not know through unchanged, so a `v2.Resize` before
    ToFrequencyTensor would silently do nothing to a DCTImage. That is an error here.

    Args:
        transforms: in the order in which they apply.

    Raises:
        TypeError: if a torchvision transform would be given a DCTImage.
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__(transforms)
        for step in _given_an_image(list(_flat(self.transforms))):
            if type(step).__module__.startswith("torchvision.") and not isinstance(step, _ANYTHING):
                name = type(step).__name__
                way_out = (
                    f"use freqlearn.transforms.{name}"
                    if hasattr(own, name)
                    else "put it before ReadDCT (on pixels) or after ToFrequencyTensor (on the tensor)"
                )
                raise TypeError(f"torchvision's {name} would leave a DCTImage as it is: {way_out}")


def _flat(transforms: Iterable[Any]) -> Iterator[Any]:
    for step in transforms:
        if isinstance(step, _CONTAINERS):
            yield from _flat(step.transforms)
        else:
            yield step


def _given_an_image(steps: list[Any]) -> list[Any]:
    """The steps that get a DCTImage: from ReadDCT (or our first transform, or the start) to ToFrequencyTensor."""
    end = next((i for i, step in enumerate(steps) if isinstance(step, ToFrequencyTensor)), None)
    reader = next((i for i, step in enumerate(steps) if isinstance(step, ReadDCT)), None)
    if end is not None:
        return steps[0 if reader is None else reader + 1 : end]
    first = next((i for i, step in enumerate(steps) if isinstance(step, (ReadDCT, Transform))), len(steps))
    return steps[first:]
