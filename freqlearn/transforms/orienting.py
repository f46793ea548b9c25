"""EXIF orientation, exact on coefficients."""

from typing import Any

from freqlearn.image import DCTImage
from freqlearn.transforms.base import Transform


class ExifOrient(Transform):
    """Turn the picture upright by its EXIF orientation, as `PIL.ImageOps.exif_transpose` does; once a picture.

    Put it right after ReadDCT. Without it the orientation is ignored, as torchvision's ImageFolder ignores it.
    """

    def transform(self, img: DCTImage, params: dict[str, Any]) -> DCTImage:
        """The image, turned."""
        return img.with_plan(img.plan.orient(img.orientation))
