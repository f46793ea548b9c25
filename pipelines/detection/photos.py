"""Photos as a detector is given them and as they are drawn on, which must agree."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import ExifTags, Image, ImageOps
from torchvision import tv_tensors

from freqlearn.cores import available_cores
from freqlearn.detection_presets import DetectionTransform
from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.data import naming_file
from freqlearn.pipelines.detection.loading import picture_transform
from freqlearn.reading import read_bytes, read_dct
from freqlearn.reading_rgb import ReadRGB


@dataclass(frozen=True)
class Photo:
    """A photo as it is drawn on, and what the detector is given.

    Attributes:
        photo: Mode RGB.
        maps: (C, h, w) float32.
        picture_size: (height, width) of the resized picture that the maps are of, in px.
    """

    photo: Image.Image
    maps: torch.Tensor
    picture_size: tuple[int, int]

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the photo."""
        return self.photo.height, self.photo.width


class PhotoReader:
    """Reads photos for a detector."""

    def __init__(self, header: Header, *, upright: bool) -> None:
        """Read for the detector that a checkpoint's header describes.

        Args:
            header: What it says.
            upright: Whether photos are turned upright.
        """
        self.rgb = header.spec.kind == "rgb"
        self.upright = upright
        self.read = ReadRGB(exif_orientation=upright and self.rgb)
        # Pixels are turned where they are read.
        self.transform: DetectionTransform = picture_transform(header, exif_orientation=upright and not self.rgb)

    def __call__(self, path: Path) -> Photo | str:
        """A photo, or why it cannot be read."""
        try:
            content = read_bytes(path)
            photo: Image.Image = self.read(content)
            source: Any = photo
            stored = photo.height, photo.width
            if not self.rgb:
                source = read_dct(content)
                stored = source.size_px
                if self.upright:
                    # What our reader says: Pillow takes an orientation from other places too.
                    photo.getexif()[ExifTags.Base.Orientation] = source.orientation
                    photo = ImageOps.exif_transpose(photo)
            boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=stored)
            maps, target = self.transform(source, {"boxes": boxes})
        except (ValueError, OSError) as error:
            return naming_file(path, error)
        height, width = target["boxes"].canvas_size
        return Photo(photo, maps, (int(height), int(width)))

    def ahead(self, files: Sequence[Path], size: int) -> Iterator[list[Photo | str]]:
        """What these files give, in groups of `size`, while those that follow are being read."""
        with ThreadPoolExecutor(available_cores()) as pool:
            futures: deque[Future[Photo | str]] = deque()
            waiting = iter(files)
            try:
                for first in range(0, len(files), size):
                    room = size + available_cores() - len(futures)
                    futures += [pool.submit(self, path) for path in islice(waiting, room)]
                    yield [futures.popleft().result() for _ in files[first : first + size]]
            finally:
                for future in futures:
                    future.cancel()
