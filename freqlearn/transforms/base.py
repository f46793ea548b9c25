"""What all transforms of a DCTImage share, in the manner of torchvision's v2 transforms."""

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from freqlearn.errors import ImageError
from freqlearn.image import DCTImage
from freqlearn.indexing import integer
from freqlearn.plan import Plan


class Transform(nn.Module):
    """Adds to the plan of every DCTImage in a sample, and passes everything else through.

    As in torchvision: randomness is drawn once for a sample in `make_params`, from torch's generator, and applied in
    `transform`. A sample is a DCTImage, or any nesting of tuples, lists and dicts with at least one.
    """

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw what is random; the images have one size."""
        return {}

    def transform(self, img: DCTImage, params: dict[str, Any]) -> Any:
        """Apply to one image what `make_params` drew."""
        raise NotImplementedError(f"{type(self).__name__} does not define transform()")

    def forward(self, *inputs: Any) -> Any:
        """Transform a sample.

        Raises:
            TypeError: if there is no DCTImage in it.
            ValueError: if it has images of different sizes.
        """
        sample = inputs if len(inputs) > 1 else inputs[0]
        if isinstance(sample, DCTImage):  # nearly always, and a loader's time is counted in microseconds
            return self._changed([sample], [sample])[0]
        leaves, structure = tree_flatten(sample)
        return tree_unflatten(self._changed(leaves, self._images(leaves)), structure)

    def _changed(self, leaves: list[Any], images: list[DCTImage]) -> list[Any]:
        try:
            params = self.make_params(images)
            return [self.transform(leaf, params) if isinstance(leaf, DCTImage) else leaf for leaf in leaves]
        except ValueError as error:
            if not isinstance(error, ImageError):  # those name their file themselves
                error.add_note(f"{type(self).__name__} of {', '.join(str(img.path or img) for img in images)}")
            raise

    def _images(self, leaves: list[Any]) -> list[DCTImage]:
        images = [leaf for leaf in leaves if isinstance(leaf, DCTImage)]
        if not images:
            got = ", ".join(sorted({type(leaf).__name__ for leaf in leaves})) or "an empty sample"
            raise TypeError(
                f"{type(self).__name__} expected a DCTImage, got {got}. "
                "Put freqlearn.transforms.ReadDCT() first; pixels and tensors are for torchvision's own transforms."
            )
        sizes = {img.plan.output_size for img in images}
        if len(sizes) > 1:
            raise ValueError(f"expected images of one size in a sample, got (height, width) = {sorted(sizes)}")
        return images

    def extra_repr(self) -> str:
        """List the options, as torchvision does."""
        shown = (bool, int, float, str, tuple, list, enum.Enum, torch.dtype)
        return ", ".join(
            f"{name}={value}"
            for name, value in self.__dict__.items()
            if not name.startswith("_") and name != "training" and isinstance(value, shown)
        )


class PlanTransform(Transform):
    """A transform that is a change of the plan."""

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """The plan with this transform's step added."""
        raise NotImplementedError(f"{type(self).__name__} does not define change()")

    def transform(self, img: DCTImage, params: dict[str, Any]) -> DCTImage:
        """The image with the longer plan; it shares the coefficients."""
        return img.with_plan(self.change(img.plan, params))


class RandomlyApplied(PlanTransform):
    """A transform that is applied with probability `p`, one draw a sample."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"expected a probability p of 0 to 1, got {p}")
        super().__init__()
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """Transform a sample, or return it as it is."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        if not isinstance(sample, DCTImage):
            self._images(tree_flatten(sample)[0])
        # The same draw as torchvision's, compared in float32 as it does, so that a seed flips the same samples.
        if torch.rand(1).item() >= float(np.float32(self.p)):
            return sample
        return super().forward(*inputs)


def as_size(size: Any) -> tuple[int, int]:
    """(height, width) from an int (square) or a sequence of one or two ints, as torchvision reads sizes."""
    values = list(size) if isinstance(size, Sequence) and not isinstance(size, str) else [size]
    if len(values) not in (1, 2):
        raise TypeError(f"expected size as an int or (height, width), got {size!r}")
    height, width = (integer(value, "size (an int or (height, width))") for value in (values[0], values[-1]))
    if height < 1 or width < 1:
        raise ValueError(f"expected a size of at least 1 px, got {size!r}")
    return height, width


def as_range(name: str, values: Sequence[float]) -> tuple[float, float]:
    """(smallest, largest) from two positive, increasing numbers."""
    if not isinstance(values, (list, tuple)) or len(values) != 2:
        raise TypeError(f"expected {name} as two floats (smallest, largest), got {values!r}")
    low, high = float(values[0]), float(values[1])
    if not 0 < low <= high < math.inf:
        raise ValueError(f"expected {name} as two positive, increasing numbers, got {values!r}")
    return low, high
