"""Pictures for torchvision's own pipelines: any source to a PIL image."""

from typing import Any

import numpy as np
from PIL import Image, ImageOps
from torch import nn

from freqlearn import pixels, sources
from freqlearn.errors import naming
from freqlearn.image import DCTImage
from freqlearn.plan import Plan
from freqlearn.transforms.targets import carry_out_within


class ReadRGB(nn.Module):
    """Any source that `freqlearn.read_dct` takes, or a DCTImage, to a PIL image in RGB, decoded by Pillow.

    With several arguments (a torchvision dataset's `transforms=`) the first one is read and the others pass through,
    but for boxes, masks and key points, which are turned with the picture.

    Args:
        exif_orientation: whether to turn pictures upright.
    """

    def __init__(self, *, exif_orientation: bool) -> None:
        super().__init__()
        self.exif_orientation = exif_orientation

    def forward(self, source: Any, *others: Any) -> Any:
        """Decode `source`."""
        image, plan = self._read(source)
        if not others:
            return image
        return image, *carry_out_within(plan, others)

    def _read(self, source: Any) -> tuple[Image.Image, Plan]:
        """The picture, and what was done to it."""
        if isinstance(source, DCTImage):
            img = source.with_plan(source.plan.orient(source.orientation)) if self.exif_orientation else source
            return Image.fromarray(img.to_rgb()), img.plan
        content, path = sources.load(source)
        with naming(path):
            if isinstance(content, bytes):
                with pixels.open_image(content) as image:
                    return self._decoded(image)
            return self._decoded(Image.fromarray(content) if isinstance(content, np.ndarray) else content)

    def _decoded(self, image: Image.Image) -> tuple[Image.Image, Plan]:
        with pixels.pillow_errors(image):
            image.load()  # before its orientation is asked for, as `freqlearn.pixels` does
            plan = Plan.identity(image.size[::-1])
            if self.exif_orientation:
                plan = plan.orient(pixels.orientation_of(image))
                image = ImageOps.exif_transpose(image)
            return image.convert("RGB"), plan

    def extra_repr(self) -> str:
        """The option."""
        return f"exif_orientation={self.exif_orientation}"
