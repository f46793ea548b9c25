"""Peers that make RGB tensors, each in the way that its users do, and the fastest way that we could find for it."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from freqlearn.pipelines.bench.dali import dali
from freqlearn.pipelines.bench.geometry import MEAN, STD, Geometry, to_standardised
from freqlearn.pipelines.bench.peers import Pass, Peer, each, require

PILLOW, PILLOW_DRAFT = "Pillow", "Pillow with draft"
TORCHVISION, TORCHCODEC = "torchvision tensors", "TorchCodec"
SIMPLEJPEG, SIMPLEJPEG_SCALED = "simplejpeg + OpenCV", "simplejpeg scaled + OpenCV"
DALI = "DALI on the CPU"


def row(name: str, size_px: int) -> str:
    """What tables call a peer that makes RGB of that size."""
    return f"{name}, RGB {size_px}"


def _pillow(geometry: Geometry) -> Pass:
    transform = v2.Compose([*geometry.steps(), v2.PILToTensor(), *to_standardised()])
    return each(lambda photo: transform(Image.open(io.BytesIO(photo.data)).convert("RGB")))


def _pillow_draft(geometry: Geometry) -> Pass:
    """Let libjpeg decode at 1/2, 1/4 or 1/8 where the part that is wanted stays as large as the result."""
    to_tensor = v2.Compose([v2.PILToTensor(), *to_standardised()])

    def work(data: bytes) -> torch.Tensor:
        image = Image.open(io.BytesIO(data))
        width, height = image.size
        top, left, box_height, box_width = geometry.box((height, width))
        size = geometry.size_px
        image.draft("RGB", (-(-width * size // box_width), -(-height * size // box_height)))
        down, across = image.size[1] / height, image.size[0] / width
        box = (left * across, top * down, (left + box_width) * across, (top + box_height) * down)
        result = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box)
        if geometry.flipped():
            result = result.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor: torch.Tensor = to_tensor(result)
        return tensor

    return each(lambda photo: work(photo.data))


def _torchvision(geometry: Geometry) -> Pass:
    io_ = require("torchvision.io", "torchvision")
    transform = v2.Compose([*geometry.steps(), *to_standardised()])
    return each(lambda photo: transform(io_.decode_jpeg(photo.tensor, mode=io_.ImageReadMode.RGB)))


def _torchcodec(geometry: Geometry) -> Pass:
    decoders = require("torchcodec.decoders", "torchcodec")
    transform = v2.Compose([*geometry.steps(), *to_standardised()])
    return each(lambda photo: transform(decoders.decode_jpeg(photo.tensor, mode="RGB")))


def _simplejpeg(geometry: Geometry, *, scaled: bool = False) -> Pass:
    """Crop without a copy, resize by OpenCV without antialiasing (its fastest), standardise in place."""
    simplejpeg = require("simplejpeg", "simplejpeg")
    cv2 = require("cv2", "opencv-python-headless")
    scale = torch.tensor([1 / (255 * deviation) for deviation in STD])[:, None, None]
    offset = torch.tensor([-mean / deviation for mean, deviation in zip(MEAN, STD, strict=True)])[:, None, None]
    # libjpeg decodes at 1/2, 1/4 or 1/8 where that stays as large as asked.
    options = {"min_height": geometry.resize_px, "min_width": geometry.resize_px, "min_factor": 1} if scaled else {}

    def work(data: bytes) -> torch.Tensor:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", **options)
        top, left, height, width = geometry.box(pixels.shape[:2])
        part = pixels[top : top + height, left : left + width]
        resized: np.ndarray = cv2.resize(part, (geometry.size_px, geometry.size_px), interpolation=cv2.INTER_LINEAR)
        if geometry.flipped():
            resized = cv2.flip(resized, 1)
        maps = torch.from_numpy(resized).permute(2, 0, 1)
        return maps.to(torch.float32, memory_format=torch.contiguous_format).mul_(scale).add_(offset)

    return each(lambda photo: work(photo.data))


_BY_NAME: dict[str, Callable[[Geometry], Pass]] = {
    PILLOW: _pillow,
    PILLOW_DRAFT: _pillow_draft,
    TORCHVISION: _torchvision,
    TORCHCODEC: _torchcodec,
    SIMPLEJPEG: _simplejpeg,
    SIMPLEJPEG_SCALED: partial(_simplejpeg, scaled=True),
    DALI: dali,
}


def peer(name: str, geometry: Geometry) -> Peer:
    """One of the names above, doing this geometry; the size stands in the row's name."""
    return Peer(row(name, geometry.size_px), partial(_BY_NAME[name], geometry))
