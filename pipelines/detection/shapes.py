"""A small generated dataset in COCO's format: JPEG scenes of shapes, for tests and for trying things out."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from freqlearn import atomic
from freqlearn.indexing import integer
from freqlearn.pipelines.data import derived_seed

# With gaps, as COCO's own.
CATEGORIES = {1: "rectangle", 3: "ellipse", 4: "triangle"}
"""Category id to name."""

_COLORS = ((214, 64, 48), (52, 150, 74), (44, 92, 200), (226, 176, 44), (150, 72, 168))
_MOST_SHAPES = 4
_SMALLEST, _LARGEST = 0.18, 0.5  # of the picture's short side
_ELLIPSE_POINTS = 24
_TRIES = 20
# Drawn so many times larger, then averaged: edges like a photo's.
_SUPERSAMPLING = 2


def write_shapes(folder: str | Path, *, images: int = 16, size_px: int = 160, seed: int = 0) -> Path:
    """Write JPEG scenes of one to four rectangles, ellipses and triangles, and a COCO JSON file of them.

    The shapes have five colours, plain, striped or checked, on soft noise, and do not overlap. Masks are polygons; the
    first scene also has a crowd of dots, as uncompressed run lengths. Scenes are upright or lying, with a long side of
    `size_px` and a short side from 3/4 of that. The same arguments give the same scenes and annotations.

    Args:
        folder: Gets images/ and instances.json; made if it is not there.
        images: How many scenes.
        size_px: Their long side, at least 32 px.
        seed: Another seed gives other scenes.

    Returns:
        The folder.

    Raises:
        OSError: If something cannot be written.
        ValueError: If a number is out of range.
    """
    if integer(images, "images") < 1 or not 32 <= integer(size_px, "size_px") <= 4096:
        raise ValueError(f"expected at least one image of 32 to 4096 px, got {images} of {size_px} px")
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": category, "name": name} for category, name in CATEGORIES.items()],
    }
    for image_id in range(1, images + 1):
        scene = _Scene(size_px, seed, image_id)
        if image_id == 1:
            scene.add_crowd()
        scene.add_shapes()
        name = f"{image_id:06}.jpg"
        scene.image().save(folder / "images" / name, "JPEG", quality=90)
        document["images"].append({"id": image_id, "file_name": name, "width": scene.width, "height": scene.height})
        for annotation in scene.annotations:
            number = len(document["annotations"]) + 1
            document["annotations"].append({"id": number, "image_id": image_id, **annotation})
    atomic.write_text(folder / "instances.json", json.dumps(document) + "\n")
    return folder


class _Scene:
    """One picture, drawn shape by shape."""

    def __init__(self, size_px: int, seed: int, image_id: int) -> None:
        self._random = torch.Generator().manual_seed(derived_seed(seed, image_id))
        short = self._integer(size_px * 3 // 4, size_px)
        self.height, self.width = (size_px, short) if self._number() < 0.5 else (short, size_px)
        self.annotations: list[dict[str, Any]] = []
        self._taken: list[tuple[float, float, float, float]] = []
        self._pixels = self._background()  # (height, width, 3) float32, 0 to 255

    def image(self) -> Image.Image:
        """The picture as drawn so far."""
        return Image.fromarray(self._pixels.clip(0, 255).round().astype(np.uint8))

    def add_shapes(self) -> None:
        """Draw one to four shapes in places that are free."""
        for _ in range(self._integer(1, _MOST_SHAPES)):
            box = self._free_box()
            if box is None:
                return
            category = list(CATEGORIES)[self._integer(0, len(CATEGORIES) - 1)]
            points = self._outline(category, box)
            self._fill(self._cover(points), self._texture())
            xs, ys = points[:, 0], points[:, 1]
            left, top = xs.min(), ys.min()
            self.annotations.append(
                {
                    "category_id": category,
                    "bbox": [round(float(value), 2) for value in (left, top, xs.max() - left, ys.max() - top)],
                    "area": round(_polygon_area(points), 2),
                    "iscrowd": 0,
                    "segmentation": [points.reshape(-1).tolist()],
                }
            )

    def add_crowd(self) -> None:
        """Draw a group of dots, too many to list, in the upper left corner: small ellipses that count as a crowd."""
        side = min(self.height, self.width) // 4
        ys, xs = np.mgrid[: self.height, : self.width]
        dots = ((xs % 6 - 2.5) ** 2 + (ys % 6 - 2.5) ** 2 < 5) & (xs < side) & (ys < side)
        self._fill(dots.astype(np.float32), np.broadcast_to(np.array(_COLORS[0], dtype=np.float32), self._pixels.shape))
        self._taken.append((0, 0, side, side))
        rows, columns = np.nonzero(dots.any(axis=1))[0], np.nonzero(dots.any(axis=0))[0]
        box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
        self.annotations.append(
            {
                "category_id": 3,
                "bbox": [float(value) for value in box],
                "area": float(dots.sum()),
                "iscrowd": 1,
                "segmentation": {"size": [self.height, self.width], "counts": _run_lengths(dots)},
            }
        )

    def _free_box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right, bottom of a place that touches no other; None if none was found."""
        short = min(self.height, self.width)
        for _ in range(_TRIES):
            width, height = (short * (_SMALLEST + (_LARGEST - _SMALLEST) * self._number()) for _ in range(2))
            left, top = self._number() * (self.width - width), self._number() * (self.height - height)
            box = (left, top, left + width, top + height)
            if all(
                box[0] > other[2] or box[2] < other[0] or box[1] > other[3] or box[3] < other[1]
                for other in self._taken
            ):
                self._taken.append(box)
                return box
        return None

    def _outline(self, category: int, box: tuple[float, float, float, float]) -> np.ndarray:
        """(points, 2) float64, x and y, to hundredths of a pixel."""
        left, top, right, bottom = box
        if CATEGORIES[category] == "rectangle":
            points = [(left, top), (right, top), (right, bottom), (left, bottom)]
        elif CATEGORIES[category] == "triangle":
            points = [(left + (right - left) * self._number(), top), (right, bottom), (left, bottom)]
        else:
            turns = [2 * math.pi * step / _ELLIPSE_POINTS for step in range(_ELLIPSE_POINTS)]
            points = [
                (
                    (left + right) / 2 + (right - left) / 2 * math.cos(turn),
                    (top + bottom) / 2 + (bottom - top) / 2 * math.sin(turn),
                )
                for turn in turns
            ]
        return np.array(points).round(2)

    def _cover(self, points: np.ndarray) -> np.ndarray:
        """(height, width) float32, how much of each pixel a polygon covers."""
        scale = _SUPERSAMPLING
        drawing = Image.new("L", (self.width * scale, self.height * scale))
        # Pillow's coordinates are of pixels' centres, COCO's of their corners.
        ImageDraw.Draw(drawing).polygon([(x * scale - 0.5, y * scale - 0.5) for x, y in points], fill=255)
        return np.asarray(drawing.reduce(scale), dtype=np.float32) / 255

    def _texture(self) -> np.ndarray:
        """(height, width, 3) float32, a colour that is plain, striped or checked."""
        color = np.array(_COLORS[self._integer(0, len(_COLORS) - 1)], dtype=np.float32)
        ys, xs = np.mgrid[: self.height, : self.width]
        period = self._integer(6, 12)
        patterns = (
            np.zeros((self.height, self.width)),
            xs // (period // 2) % 2,
            (xs // (period // 2) + ys // (period // 2)) % 2,
        )
        light = 1 - 0.4 * patterns[self._integer(0, len(patterns) - 1)]
        return color * light[..., None].astype(np.float32)

    def _fill(self, cover: np.ndarray, texture: np.ndarray) -> None:
        self._pixels += cover[..., None] * (texture - self._pixels)

    def _background(self) -> np.ndarray:
        """Soft noise around a gray of its own."""
        coarse = torch.rand(1, 3, 6, 6, generator=self._random) * 60
        soft = torch.nn.functional.interpolate(coarse, (self.height, self.width), mode="bicubic")
        fine = torch.randn(1, 3, self.height, self.width, generator=self._random) * 5
        gray = 90 + 60 * self._number()
        pixels: np.ndarray = (soft + fine + gray)[0].permute(1, 2, 0).contiguous().numpy()
        return pixels

    def _number(self) -> float:
        return float(torch.rand((), generator=self._random))

    def _integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self._random))


def _polygon_area(points: np.ndarray) -> float:
    """The shoelace formula."""
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run lengths of a (height, width) mask: column by column, beginning with zeros."""
    flat = np.concatenate([[False], mask.reshape(-1, order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(np.concatenate([[0], changes, [mask.size]]))]
