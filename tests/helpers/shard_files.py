"""Small tar shards, written by webdataset itself."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

CLASSES = ("cat", "dog", "fox")


def picture(number: int, *, format: str = "JPEG") -> bytes:
    """An encoded picture of 32x32 px that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def sample(number: int) -> dict[str, str | bytes]:
    """A sample whose label is its number modulo 3."""
    return {"__key__": f"{number:04}", "jpg": picture(number), "cls": str(number % 3)}


def write_shard(path: Path, samples: Sequence[Mapping[str, str | bytes]]) -> Path:
    """Write one shard."""
    with webdataset.TarWriter(str(path)) as writer:
        for one in samples:
            writer.write(dict(one))
    return path


def write_shards(folder: Path, sizes: Sequence[int], *, suffix: str = ".tar") -> Path:
    """Write shards of so many samples, and classes.txt; samples are numbered on."""
    folder.mkdir(parents=True)
    number = 0
    for shard, size in enumerate(sizes):
        write_shard(folder / f"{shard:02}{suffix}", [sample(number + i) for i in range(size)])
        number += size
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder
