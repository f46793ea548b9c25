"""What `benchmarks.boxes` compares: pictures with boxes and masks, and pairs of pipelines that should agree."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from torchvision import tv_tensors
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets, transforms
from freqlearn.detection_presets import UPSCALE

CHANNELS = fl.ChannelSet.all()
DCT = fl.InputSpec.unstandardised(CHANNELS, 800)
RGB = fl.InputSpec("rgb", None, (0.0,) * 3, (1.0,) * 3, 800)
# As far apart in Y (90 levels) as in Cb (90).
INSIDE, FRAME = (230, 120, 40), (20, 60, 110)
RECTANGLE, OUTER = 0, 1  # places in a target's boxes
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Scene:
    """A JPEG file with a rectangle in a frame drawn into it, and more boxes, each with a mask.

    Attributes:
        jpeg: the file.
        size_px: (height, width) as stored.
        boxes: (K, 4) float32 XYXY; the rectangle, the frame's outer border, others.
        masks: (K, H, W) uint8.
    """

    jpeg: bytes
    size_px: tuple[int, int]
    boxes: torch.Tensor
    masks: torch.Tensor

    def target(self) -> dict[str, Any]:
        """What goes through a pipeline; labels say which box is which."""
        boxes = tv_tensors.BoundingBoxes(self.boxes.clone(), format="XYXY", canvas_size=self.size_px)
        return {"boxes": boxes, "masks": tv_tensors.Mask(self.masks), "labels": torch.arange(len(self.boxes))}


def scene(picture: Image.Image, rng: np.random.Generator, *, orientation: int = 1) -> Scene:
    """Draw a rectangle into a picture, and boxes with elliptical masks (which need not lie on whole px) around it."""
    width, height = picture.size
    frame = int(0.12 * min(width, height))
    w, h = (int(side * rng.uniform(0.25, 0.45)) for side in picture.size)
    x, y = int(rng.integers(frame, width - w - frame)), int(rng.integers(frame, height - h - frame))
    inner, outer = (x, y, x + w, y + h), (x - frame, y - frame, x + w + frame, y + h + frame)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((outer[0], outer[1], outer[2] - 1, outer[3] - 1), fill=FRAME)
    draw.rectangle((inner[0], inner[1], inner[2] - 1, inner[3] - 1), fill=INSIDE)
    corners = np.sort(rng.uniform(0, 1, (3, 2, 2)), axis=1) * [width, height]
    boxes = np.concatenate([[inner, outer], corners.reshape(3, 4)])
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    out = io.BytesIO()
    sampling = str(rng.choice(["4:4:4", "4:2:2", "4:2:0"]))
    picture.save(out, "JPEG", quality=100, subsampling=sampling, exif=exif.tobytes())
    masks = torch.from_numpy(np.stack([_ellipse(box, (height, width)) for box in boxes]))
    return Scene(out.getvalue(), (height, width), torch.tensor(boxes, dtype=torch.float32), masks)


def _ellipse(box: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    y, x = np.mgrid[: size_px[0], : size_px[1]] + 0.5
    x1, y1, x2, y2 = box
    inside = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1
    return inside.astype(np.uint8)


def generated(rng: np.random.Generator) -> Image.Image:
    """A picture of coloured blotches, of odd sizes too."""
    height, width = (int(side) for side in rng.integers(180, 520, 2))
    coarse = rng.integers(0, 256, (height // 24 + 2, width // 24 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def annotated(folder: Path) -> Iterator[tuple[Image.Image, torch.Tensor, torch.Tensor]]:
    """The pictures of a COCO-format folder with their boxes (K, 4) XYXY and masks (K, H, W), without crowds."""
    from pycocotools import mask as coco_mask

    content = json.loads((folder / "instances.json").read_text())
    for image in content["images"]:
        height, width = image["height"], image["width"]
        found = [a for a in content["annotations"] if a["image_id"] == image["id"] and not a.get("iscrowd")]
        if found:
            x, y, w, h = torch.tensor([a["bbox"] for a in found], dtype=torch.float32).T
            rle = [coco_mask.merge(coco_mask.frPyObjects(a["segmentation"], height, width)) for a in found]
            masks = torch.from_numpy(np.stack([coco_mask.decode(r) for r in rle]))
            with Image.open(folder / "images" / image["file_name"]) as opened:
                yield opened.convert("RGB"), torch.stack([x, y, x + w, y + h], dim=1), masks


Run = Callable[[bytes, dict[str, Any]], tuple[torch.Tensor, dict[str, Any]]]


@dataclass(frozen=True)
class Case:
    """Two pipelines that should do the same with the same seed.

    Attributes:
        name: what they do.
        ours: to all 192 channels, dequantised, of the picture enlarged by two.
        theirs: torchvision's, to (3, H, W) in 0..1.
        exif: whether the pictures are turned by their EXIF orientation.
    """

    name: str
    ours: Run
    theirs: Run
    exif: bool = False


def _preset(name: str, **options: Any) -> Case:
    ours, theirs = (presets.detection_train(spec, **options) for spec in (DCT, RGB))
    return Case(name, ours, theirs)


def _chain(name: str, steps: Callable[[Any], list[Any]], *, exif: bool = False) -> Case:
    """The same steps of freqlearn.transforms and of torchvision.transforms.v2."""
    upright = [transforms.ExifOrient()] if exif else []
    last = transforms.ToFrequencyTensor(CHANNELS, upscale=UPSCALE, pad="black")
    ours = transforms.Compose([transforms.ReadDCT(), *upright, *steps(transforms), last])
    theirs = v2.Compose([*steps(v2), v2.PILToTensor()])

    def run(jpeg: bytes, target: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
        with Image.open(io.BytesIO(jpeg)) as opened:
            image = opened.convert("RGB")
            if exif:
                image, target = _upright(opened, target)
        picture, target = theirs(image, target)
        return picture / 255, target

    return Case(name, ours, run, exif=exif)


def _upright(opened: Image.Image, target: dict[str, Any]) -> tuple[Image.Image, dict[str, Any]]:
    """A picture and its target turned by Pillow: the boxes by where it moves three of the picture's corner pixels."""
    image = ImageOps.exif_transpose(opened).convert("RGB")
    orientation = opened.getexif().get(_ORIENTATION, 1)

    def turned(array: NDArray[Any]) -> NDArray[Any]:
        picture = Image.fromarray(array)
        picture.getexif()[_ORIENTATION] = orientation
        return np.array(ImageOps.exif_transpose(picture))

    # x and y of every pixel's middle in the stored picture, looked up where Pillow moved the pixel to.
    height, width = target["boxes"].canvas_size
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    x, y = turned(x), turned(y)
    rows, cols = np.array([0, 0, x.shape[0] - 1]), np.array([0, x.shape[1] - 1, 0])
    new = np.stack([cols + 0.5, rows + 0.5, np.ones(3)], axis=1)
    # The affine map from stored to turned coordinates, from three pixels.
    stored = np.stack([x[rows, cols], y[rows, cols], np.ones(3)], axis=1)
    affine = np.linalg.solve(stored, new)
    corners = target["boxes"].numpy().reshape(-1, 2, 2).astype(np.float64)
    corners = np.sort(np.concatenate([corners, np.ones((len(corners), 2, 1))], axis=2) @ affine, axis=1)
    boxes = torch.tensor(corners[..., :2].reshape(-1, 4), dtype=torch.float32)
    return image, target | {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.size[::-1]),
        "masks": tv_tensors.Mask(torch.from_numpy(np.stack([turned(mask.numpy()) for mask in target["masks"]]))),
    }


def cases(rng: np.random.Generator) -> list[Case]:
    """One of each kind, its sizes drawn."""
    small = int(rng.integers(150, 420))
    limit = int(small * rng.uniform(1.05, 1.9))
    odd = [int(side) for side in rng.integers(120, 400, 2)]
    sides = [int(side) for side in np.sort(rng.integers(120, 400, 4))]
    return [
        _preset("resize (evaluation)", augment="none", min_size=small, max_size=limit),
        _preset("resize, flip", augment="flip", min_size=small, max_size=limit),
        _preset("one of several sizes, flip", augment="multiscale", min_size=sides, max_size=limit + 300),
        _preset("800 px, at most 1333, flip", augment="flip"),
        _preset("scale jitter, padded crop, flip", augment="jitter", min_size=small, max_size=limit),
        _chain(
            "random resized crop, both flips",
            lambda make: [
                make.RandomResizedCrop(odd, scale=(0.4, 1.0)),
                make.RandomHorizontalFlip(),
                make.RandomVerticalFlip(),
            ],
        ),
        _chain(
            "crop, resize to (height, width), flip",
            lambda make: [make.RandomCrop((150, 161)), make.Resize(odd), make.RandomHorizontalFlip()],
        ),
        _chain(
            "resize, padded crop, flip",
            lambda make: [
                make.Resize(small),
                make.RandomCrop(odd, padding=(13, 7, 40, 25), pad_if_needed=True),
                make.RandomHorizontalFlip(),
            ],
        ),
        _chain(
            "EXIF orientation, resize, flip",
            lambda make: [make.Resize(small), make.RandomHorizontalFlip()],
            exif=True,
        ),
        _chain(
            "both flips, then resize, centre crop",
            lambda make: [
                make.RandomHorizontalFlip(),
                make.RandomVerticalFlip(),
                make.Resize(small),
                # Inside the picture: where torchvision's CenterCrop pads by an odd number, its boxes are 1 px off.
                make.CenterCrop([min(side, small) for side in odd]),
            ],
        ),
    ]
