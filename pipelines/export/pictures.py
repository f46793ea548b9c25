"""Pictures to compare an exported model on: real photos where there are any."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.choosing import by_hash
from freqlearn.pipelines.listing import find_images


@dataclass(frozen=True)
class Pictures:
    """Pictures, and what to call them.

    Attributes:
        sources: Files, or the bytes of some.
        name: For people: "photos of FOLDER" or "generated pictures".
    """

    sources: tuple[Path | bytes, ...]
    name: str


def choose_pictures(folder: Path | None, header: Header, *, count: int) -> Pictures:
    """Choose pictures of a folder, else of the validation or training files, else generate some.

    Args:
        folder: Photos, at any depth; None if the user named none.
        header: Of the checkpoint; it knows where the training data were.
        count: How many at most, chosen by a hash of their names.

    Raises:
        ValueError: If the folder is missing or holds no image.
    """
    if folder is not None:
        return _of_folder(folder, count)
    data = header.training.get("data")
    if data is not None:
        parts = [Path(data, part) for part in ("val", "train")]
        known = next((part for part in parts if part.is_dir()), Path(data))
        try:
            return _of_folder(known, count)
        except (OSError, ValueError):
            pass  # moved since, or tar shards
    spec = header.spec
    size_px = max(spec.size_px, spec.resize_px or 0)
    return Pictures(tuple(_generated(size_px, count)), "generated pictures")


def _of_folder(folder: Path, count: int) -> Pictures:
    files = find_images(folder)
    chosen = by_hash([file.relative_to(folder).as_posix() for file in files], seed=0)[:count]
    return Pictures(tuple(files[position] for position in chosen), f"photos of {folder}")


def _generated(size_px: int, count: int) -> Iterator[bytes]:
    """JPEG files of coloured patches at several scales, somewhat like photos: their spectrum falls off."""
    rng = np.random.default_rng(0)
    shape = (size_px, size_px * 4 // 3)
    for _ in range(count):
        picture = np.full((*shape, 3), 128.0)
        for patches in (2, 5, 13, 34):
            coarse = Image.fromarray(rng.integers(0, 256, (patches, patches, 3), dtype=np.uint8))
            layer = np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC), dtype=np.float64)
            picture += (layer - 128) / patches**0.5
        file = io.BytesIO()
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        yield file.getvalue()
