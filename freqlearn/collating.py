"""Samples of a data set: where the picture is in them, and how they become a batch."""

import copy
from collections.abc import MutableMapping, Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

from freqlearn.plan import Plan
from freqlearn.transforms.targets import carry_out_within

Key = int | str


class Samples:
    """A batch's items: pictures alone, or samples (tuples, lists, dicts) that hold one each.

    Attributes:
        sources: The pictures, in order.
    """

    def __init__(self, items: Sequence[Any], image_key: Key) -> None:
        """Find the pictures.

        Args:
            items: At least one; all pictures, or all samples.
            image_key: Index or key of the picture in a sample.

        Raises:
            TypeError: If it is no sequence of items, or has pictures and samples in it.
            ValueError: If it is empty, or a sample has no such index or key.
        """
        if isinstance(items, str | bytes | bytearray | memoryview) or not isinstance(items, Sequence):
            raise TypeError(
                f"expected a list of images or samples, got {type(items).__name__}: one image is [image], "
                "anything else that can be iterated over list(...)"
            )
        if not items:
            raise ValueError("expected at least one image, got an empty list")
        self._items = list(items)
        self._image_key = image_key
        self._nested = _is_sample(items[0])
        self.sources = [self._source(index, item) for index, item in enumerate(items)]

    def carry_out(self, index: int, plan: Plan) -> None:
        """Take the boxes, masks and key points of the sample at `index` through its picture's plan.

        Raises:
            ValueError: If they belong to a picture of another size.
        """
        if self._nested:
            self._items[index] = carry_out_within(plan, self._items[index])

    def collated(self, images: torch.Tensor, origins: Sequence[int]) -> Any:
        """The batch.

        Args:
            images: (N, ...), in the place of the pictures.
            origins: For each place of the batch, which item is to stand there.

        Returns:
            `images` where the items are pictures alone; otherwise what `torch.utils.data.default_collate` makes of
            the samples, with `images` for their pictures.
        """
        if not self._nested:
            return images
        # A number holds the pictures' place meanwhile: default_collate does not know what they are.
        batch = default_collate([_with(self._items[origin], self._image_key, 0) for origin in origins])
        return _with(batch, self._image_key, images)

    def _source(self, index: int, item: Any) -> Any:
        if _is_sample(item) != self._nested:
            raise TypeError(
                f"expected all items to be images, or all samples, got {type(self._items[0]).__name__} at index 0 and "
                f"{type(item).__name__} at index {index}"
            )
        if not self._nested:
            return item
        try:
            return item[self._image_key]
        except (IndexError, KeyError, TypeError) as error:
            got = f"{type(item).__name__} of {len(item)}"
            got = f"{type(item).__name__} with the keys {list(item)}" if isinstance(item, MutableMapping) else got
            raise ValueError(
                f"expected samples with an image at {self._image_key!r}, got a {got} at index {index}: image_key says "
                "where the image is"
            ) from error


def _is_sample(item: Any) -> bool:
    return isinstance(item, tuple | list | MutableMapping)


def _with(sample: Any, key: Any, value: Any) -> Any:
    """The sample, of the same type, with another value at `key`."""
    if isinstance(sample, tuple):
        values = list(sample)
        values[key] = value
        return type(sample)(*values) if hasattr(sample, "_fields") else tuple(values)
    changed = copy.copy(sample)
    changed[key] = value
    return changed
