"""The error in a model's channels when it looks at packed pictures: in evaluation, and in random resized crops."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

import freqlearn as fl
from freqlearn.indexing import label
from freqlearn.repacking import Repacking

CARRIED = {
    "24": fl.ChannelSet.square(24),
    "48": fl.ChannelSet.square(48),
    "64": fl.ChannelSet.square(64),
    "96": fl.ChannelSet.zigzag(64, 16, 16),
    "192": fl.ChannelSet.all(),
}
"""What packed files may carry: DCTNet's sets; all of Y with the 16 lowest of Cb and of Cr; everything."""

UNROUNDED = [np.ones((8, 8), np.uint16)] * 3
"""Quantisation tables that round to whole numbers only: an error of 0.3 where photos have steps of 3 to 99."""


class Errors:
    """Sums up how far one tensor is from another, channel by channel."""

    def __init__(self) -> None:
        self._apart: Any = 0.0
        self._sum: Any = 0.0
        self._square: Any = 0.0
        self._count = 0

    def add(self, found: torch.Tensor, expected: torch.Tensor) -> None:
        """Add a picture's (C, h, w), the one measured and the one that it should be."""
        expected = expected.double().flatten(1)
        self._apart = self._apart + (found.double().flatten(1) - expected).square().sum(dim=1)
        self._sum = self._sum + expected.sum(dim=1)
        self._square = self._square + expected.square().sum(dim=1)
        self._count += expected.shape[1]

    @property
    def relative(self) -> np.ndarray:
        """(C,) root mean square of the difference, over the standard deviation of what was expected."""
        variance = self._square / self._count - (self._sum / self._count).square()
        relative: np.ndarray = (self._apart / self._count / variance).sqrt().numpy()
        return relative

    def columns(self, channels: Sequence[int]) -> dict[str, str]:
        """For a table: over all channels, the luma channel (0, 3), and the worst channel."""
        each = self.relative
        worst = int(each.argmax())
        return {
            "relative error, all channels": f"{np.sqrt(np.mean(each**2)):.1%}",
            "Y(0,3)": f"{each[list(channels).index(3)]:.1%}",
            "worst channel": f"{each[worst]:.1%} in {label(channels[worst])}",
        }


def crop_errors(
    photos: Iterable[bytes],
    spec: fl.InputSpec,
    packings: dict[str, Repacking],
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    crops: int = 2,
    seed: int = 0,
) -> dict[str, Errors]:
    """Random resized crops of packed pictures against the same crops of the resized, unrounded pictures.

    So this is what the channels that are left out, and the rounding, do to a crop. What resizing first does to its
    sharpness is in neither.

    Args:
        photos: The files.
        spec: Of the model; packed at its sizes.
        packings: By name.
        scale: Share of the picture that a crop takes, least and most.
        crops: A photo.
        seed: Of the boxes.
    """
    train = fl.presets.classification_train(spec, scale=scale, hflip=0.0)
    whole = Repacking(spec.resize_px or spec.size_px, spec.size_px, quant_tables=UNROUNDED)
    found = {name: Errors() for name in packings}
    for number, data in enumerate(photos):
        img = fl.read_dct(data)
        reference, packed = whole(img), {name: packing(img) for name, packing in packings.items()}
        for crop in range(crops):
            draw = seeded(train, seed + crops * number + crop)
            expected = draw(reference)
            for name, picture in packed.items():
                found[name].add(draw(picture), expected)
    return found


def eval_errors(photos: Iterable[bytes], spec: fl.InputSpec, packings: dict[str, Repacking]) -> dict[str, Errors]:
    """Evaluation of packed pictures against evaluation of the photos themselves."""
    evaluate = fl.presets.classification_eval(spec)
    found = {name: Errors() for name in packings}
    for data in photos:
        expected = evaluate(data)
        for name, packing in packings.items():
            found[name].add(evaluate(packing(fl.read_dct(data))), expected)
    return found


def seeded(transform: Callable[[Any], torch.Tensor], seed: int) -> Callable[[Any], torch.Tensor]:
    """A random transform that draws the same each time."""

    def run(picture: Any) -> torch.Tensor:
        torch.manual_seed(seed)
        return transform(picture)

    return run
