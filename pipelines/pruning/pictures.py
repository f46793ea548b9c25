"""One encoded picture, pruned."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from torchvision.datasets.folder import IMG_EXTENSIONS

from freqlearn.fidelity import luma_psnr
from freqlearn.image import DCTImage
from freqlearn.metadata import Metadata
from freqlearn.reading import read_dct
from freqlearn.writing import write_jpeg

JPEG_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif")
PICTURE_EXTENSIONS = tuple(sorted({*IMG_EXTENSIONS, *JPEG_EXTENSIONS}))
_START = b"\xff\xd8\xff"  # SOI, and the first byte of the marker that follows it


class Pruned(NamedTuple):
    """A picture's new file.

    Attributes:
        data: The JPEG file's bytes.
        psnr_db: Luma PSNR against the original, in dB; infinite if Y is the same.
    """

    data: bytes
    psnr_db: float


class Kept(NamedTuple):
    """A picture that stays as it is.

    Attributes:
        jpeg: Whether it is a JPEG file nevertheless, of a kind without coefficients of Y, Cb and Cr.
    """

    jpeg: bool


def is_picture(name: str) -> bool:
    """Whether a file may be a JPEG file, by its name's extension: that of any image, as many files are misnamed."""
    return PurePosixPath(name).suffix.lower() in PICTURE_EXTENSIONS


@dataclass(frozen=True)
class Pruner:
    """From an encoded picture to a smaller one. Safe to use from many threads.

    Attributes:
        keep: Image -> the same with fewer coefficients.
        color_spaces: Of images that it takes; others stay as they are.
        psnr_blocks: Which blocks the PSNR is over, see `freqlearn.fidelity.luma_psnr`.
        metadata: What stays of the file's other contents, see `freqlearn.write_jpeg`.
        progressive: Whether to write progressive files.
    """

    keep: Callable[[DCTImage], DCTImage]
    color_spaces: Collection[str]
    psnr_blocks: Literal["all", "left"]
    metadata: Metadata
    progressive: bool

    def __call__(self, data: bytes, name: str) -> Pruned | Kept:
        """Prune a picture.

        Args:
            data: The encoded picture.
            name: Its file's name.

        Raises:
            ValueError: If it is damaged, or no picture at all though its name is that of a JPEG file.
        """
        jpeg = data.startswith(_START)
        if not jpeg and PurePosixPath(name).suffix.lower() not in JPEG_EXTENSIONS:
            return Kept(jpeg=False)
        img = read_dct(data)
        if img.source == "pixels" or img.color_space not in self.color_spaces:
            return Kept(jpeg=jpeg)
        pruned = self.keep(img)
        written = write_jpeg(pruned, metadata=self.metadata, progressive=self.progressive)
        return Pruned(written, luma_psnr(pruned, img, blocks=self.psnr_blocks))
