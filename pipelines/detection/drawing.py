"""Detections drawn on a photo: boxes, translucent masks, and labels that can be read."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont
from torchvision.transforms.v2 import functional
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from freqlearn.pipelines.detection.run_lengths import mask_of

_LEAST_SIDE_PX = 320
_MASK_ALPHA = 0.45
_GOLDEN_RATIO = 0.618034
_FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # Latin, Greek, Cyrillic and more

# Without annotations in torchvision.
_to_tensor: Any = functional.pil_to_tensor
_to_picture: Any = functional.to_pil_image

Color = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What to draw of one object.

    Attributes:
        label: Index of its class, for its colour.
        text: What to write beside it.
        box: Left, top, right, bottom in px of the photo.
        mask: Its mask as compressed run lengths, or None.
    """

    label: int
    text: str
    box: tuple[float, float, float, float]
    mask: dict[str, Any] | None = None


def draw_detections(photo: Image.Image, objects: Sequence[Drawn]) -> Image.Image:
    """Draw objects on a photo, the first ones on top.

    Args:
        photo: Of mode RGB.
        objects: In px of the photo, the most certain first.

    Returns:
        A picture of the photo's size; a photo whose shorter side is below 320 px is enlarged by a whole number, so that
        text has room.
    """
    masked = _with_masks(_to_tensor(photo), objects)
    factor = _enlargement(photo.size)
    picture: Image.Image = _to_picture(masked)
    if factor > 1:
        picture = picture.resize((photo.width * factor, photo.height * factor), Image.Resampling.BICUBIC)
    short_side = min(picture.size)
    line = max(2, round(short_side / 250))
    boxes = [_inside(entry.box, factor, picture.size) for entry in reversed(objects)]
    colors = [class_color(entry.label) for entry in reversed(objects)]
    if not boxes:
        return picture
    boxed = draw_bounding_boxes(_to_tensor(picture), torch.tensor(boxes), colors=[*colors], width=line)
    picture = _to_picture(boxed)
    for entry, box, color in zip(reversed(objects), boxes, colors, strict=True):
        _write(picture, entry.text, box, color, line)
    return picture


def class_color(label: int) -> Color:
    """A colour of a class, the same in all pictures; classes with numbers near each other get very different ones."""
    hue = (label * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.9, 0.65)[label // 8 % 2], 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _with_masks(photo: torch.Tensor, objects: Sequence[Drawn]) -> torch.Tensor:
    """The (3, H, W) uint8 photo with translucent masks.

    One after another, where its box is: torchvision blackens what several masks of one call cover, and works on the
    whole picture.
    """
    height, width = photo.shape[-2:]
    for entry in reversed(objects):
        if entry.mask is None:
            continue
        mask = mask_of(entry.mask)
        rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
        if mask.shape != (height, width):
            raise ValueError(f"expected a mask of the photo's size {(height, width)}, got {tuple(mask.shape)}")
        if not len(rows):
            continue
        place = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        part = photo[:, *place]
        photo[:, *place] = draw_segmentation_masks(part, mask[place], _MASK_ALPHA, [class_color(entry.label)])
    return photo


def _enlargement(size: tuple[int, int]) -> int:
    """How many times larger a picture of that size is drawn."""
    wanted = -(-_LEAST_SIDE_PX // min(size))
    return max(1, min(wanted, 4 * _LEAST_SIDE_PX // max(size)))


def _inside(box: Sequence[float], factor: int, size: tuple[int, int]) -> list[float]:
    """A box in px of the drawn picture, its lines within it: the right and lower ones end on the last pixel."""
    limits = (size[0] - 1, size[1] - 1) * 2
    left, top, right, bottom = (min(max(value * factor, 0.0), limit) for value, limit in zip(box, limits, strict=True))
    return [left, top, max(left, right), max(top, bottom)]


def _write(picture: Image.Image, text: str, box: Sequence[float], color: Color, line: int) -> None:
    """Write a text above a box, or within it where there is no room, on its colour and wholly inside the picture."""
    draw = ImageDraw.Draw(picture)
    size = max(13, round(min(picture.size) / 36))
    font, margin = ImageFont.truetype(str(_FONT), size), max(2, size // 6)
    needed = draw.textlength(text, font=font) + 2 * margin
    if needed > picture.width:
        font = ImageFont.truetype(str(_FONT), max(8, int(size * picture.width / needed)))
    width, height = round(draw.textlength(text, font=font)) + 2 * margin, sum(font.getmetrics())
    x = max(0, min(int(box[0]), picture.width - width))
    y = int(box[1]) - height + line
    if y < 0:
        y = min(int(box[1]), picture.height - height)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
    brightness = (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) / 255  # BT.601
    draw.text((x + margin, y), text, fill="black" if brightness > 0.55 else "white", font=font)
