"""Datasets of other libraries that hold encoded images: bytes or paths, in pairs or in dicts."""

import os
from collections.abc import Mapping
from typing import Any

from PIL import Image

from freqlearn.pipelines.data import EncodedDataset, Transform
from freqlearn.reading import read_bytes
from freqlearn.sources import FileBytes


class BytesDataset(EncodedDataset):
    """Any dataset with a length and an index whose samples hold an image as a file's bytes, or its path.

    A sample is a pair (image, label), or a dict that has both. An image may also be a dict of `bytes` and `path`, as
    Hugging Face `datasets` gives it for `Image(decode=False)`.
    """

    def __init__(
        self,
        dataset: Any,
        transform: Transform,
        *,
        seed: int = 0,
        image_key: str = "image",
        label_key: str = "label",
    ) -> None:
        """Wrap a dataset.

        Args:
            dataset: Index -> sample.
            transform: Encoded file -> (C, h, w) float32; draws its randomness from torch's default generator.
            seed: Root of all randomness.
            image_key: Where the image is in samples that are dicts.
            label_key: Where the label is in them.

        Raises:
            ValueError: If the first sample holds no encoded image.
        """
        super().__init__(dataset, transform, seed=seed)
        self.image_key = image_key
        self.label_key = label_key
        if len(dataset):
            self.encoded(0)

    def encoded(self, index: int) -> tuple[bytes, Any]:
        """Bytes and label of the sample at `index`.

        Raises:
            ValueError: If it has none; the message says what was found instead.
            OSError: If its file cannot be read.
        """
        sample = self.dataset[index]
        if isinstance(sample, Mapping):
            missing = [key for key in (self.image_key, self.label_key) if key not in sample]
            if missing:
                raise ValueError(
                    f"expected samples with the keys {self.image_key!r} and {self.label_key!r}, got "
                    f"{', '.join(map(repr, sample))}: image_key and label_key say where image and label are"
                )
            return self._bytes(sample[self.image_key], index), sample[self.label_key]
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise ValueError(f"expected samples that are pairs (image, label) or dicts, got {type(sample).__name__}")
        return self._bytes(sample[0], index), sample[1]

    def _bytes(self, image: Any, index: int) -> bytes:
        path = None
        if isinstance(image, Mapping) and "bytes" in image:
            path = image.get("path")
            image = path if image["bytes"] is None else image["bytes"]
        if isinstance(image, str | os.PathLike):
            return read_bytes(image)
        if isinstance(image, bytes | bytearray | memoryview):
            # Named, so that whatever goes wrong later says which sample it was.
            return FileBytes(bytes(image), f"{self.name(index)} ({path})" if path else self.name(index))
        raise ValueError(_not_encoded(type(self.dataset).__name__, image))


def _not_encoded(dataset: str, image: Any) -> str:
    if isinstance(image, Image.Image):
        return (
            f"{dataset} decodes its images to pixels, and the transform needs the files: with Hugging Face datasets, "
            'cast_column("image", datasets.Image(decode=False)) gives their bytes'
        )
    return (
        f"{dataset} gives finished images ({type(image).__name__}), and the transform needs a file's bytes or path: "
        "give the transform to it, or pass its folder here"
    )
