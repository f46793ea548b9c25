"""The photos that are measured: bytes in memory, and mosaics of them in the size of a camera's pictures."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}
TILES = (8, 8)
TILE_PX = (500, 375)  # width, height: 4000x3000 in all, 12 megapixels


@dataclass(frozen=True, eq=False)
class Photo:
    """A JPEG file.

    Attributes:
        path: Where it lies, for libraries that read files only.
        data: Its bytes.
        tensor: The same bytes as (bytes,) uint8, for libraries that take a tensor.
    """

    path: Path
    data: bytes
    tensor: torch.Tensor

    @classmethod
    def read(cls, path: Path) -> "Photo":
        """Read a file into memory."""
        data = path.read_bytes()
        return cls(path, data, torch.frombuffer(bytearray(data), dtype=torch.uint8))


def jpeg_files(folder: Path) -> list[Path]:
    """All JPEG files of a folder and its folders, by name.

    Raises:
        ValueError: If there is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ValueError(f"{folder}: no JPEG file in it or its folders ({', '.join(sorted(SUFFIXES))})")
    return files


def load(folder: Path, *, count: int, max_bytes: int) -> list[Photo]:
    """Photos of a folder and its folders, evenly spread over their names.

    Args:
        folder: Where to look.
        count: How many at most.
        max_bytes: How many bytes in all at most; four photos are read whatever their size.

    Raises:
        ValueError: If there is no JPEG file.
    """
    chosen = _spread([path for path in jpeg_files(folder) if path.stat().st_size > 0], count)
    if not chosen:
        raise ValueError(f"{folder}: its JPEG files are all empty")
    mean_bytes = sum(path.stat().st_size for path in chosen) / len(chosen)
    return [Photo.read(path) for path in _spread(chosen, max(4, int(max_bytes / mean_bytes)))]


def mosaics(photos: Sequence[Photo], folder: Path, *, count: int, min_bytes: int, seed: int = 0) -> list[Photo]:
    """Write 12-megapixel JPEG files made of photos, 4000x3000 px, 4:2:0, as cameras do.

    Args:
        photos: What they are made of; those that Pillow cannot read are passed over.
        folder: Where to write them.
        count: How many.
        min_bytes: The quality is raised from 90 until a file has as many bytes, if it can.
        seed: Of the choice of photos.

    Returns:
        The files; none if Pillow reads none of the photos.
    """
    order = random.Random(seed)
    tiles = [tile for photo in order.sample(photos, len(photos)) if (tile := _tile(photo)) is not None]
    written = []
    for number in range(count if tiles else 0):
        mosaic = _mosaic(order.choices(tiles, k=TILES[0] * TILES[1]))
        path = folder / f"mosaic-{number}.jpg"
        for quality in range(90, 101, 2):
            file = io.BytesIO()
            mosaic.save(file, "JPEG", quality=quality, subsampling="4:2:0")
            if file.tell() >= min_bytes:
                break
        path.write_bytes(file.getvalue())
        written.append(Photo.read(path))
    return written


def _tile(photo: Photo) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(photo.data)) as image:
            return ImageOps.fit(image.convert("RGB"), TILE_PX)
    except (OSError, ValueError):
        return None


def _mosaic(tiles: Sequence[Image.Image]) -> Image.Image:
    width, height = TILE_PX
    picture = Image.new("RGB", (TILES[0] * width, TILES[1] * height))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, TILES[0])
        picture.paste(tile, (column * width, row * height))
    return picture


def _spread(paths: list[Path], count: int) -> list[Path]:
    if count >= len(paths):
        return paths
    return [paths[i] for i in np.linspace(0, len(paths) - 1, count).round().astype(int)]
