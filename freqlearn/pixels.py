"""The decoder for everything that is not a JPEG of Y, Cb and Cr: Pillow's pixels, then the forward DCT."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from freqlearn.coefficients import Coefficients, Layout
from freqlearn.dct import forward, pad_to_blocks
from freqlearn.decoders import Decoded, frozen
from freqlearn.errors import ImageDecodeError, ImageError, ImageTooLargeError
from freqlearn.ycbcr import rgb_to_ycbcr

_GRAY_MODES = {"1", "L", "LA", "La"}
_SIXTEEN_BIT_MODES = {"I;16", "I;16B", "I;16L", "I;16N"}
_ORIENTATION_TAG = 0x0112
_LENIENT = "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set: Pillow does not say whether data is missing"


def decode(content: bytes | Image.Image | NDArray[np.uint8], max_pixels: int, path: str | None) -> Coefficients:
    """Coefficients of a file of any format that Pillow knows (of several frames the first), or of pixels.

    Args:
        content: A file's bytes, a PIL image, or (H, W, 3) RGB or (H, W) gray uint8 pixels.
        max_pixels: Largest accepted width times height.
        path: Where it came from.

    Raises:
        ImageTooLargeError: If there are more than `max_pixels` pixels, or more than Pillow's own limit.
        ImageDecodeError: If Pillow cannot read it, or its mode has no meaning as 0..255.
    """
    if isinstance(content, bytes):
        with open_image(content) as image:
            return _decode_image(image, max_pixels, path)
    if isinstance(content, Image.Image):
        return _decode_image(content, max_pixels, path)
    _check_size(content.shape[0], content.shape[1], max_pixels)
    return _transformed(content, 1, (), path)


def open_image(data: bytes) -> Image.Image:
    """Let Pillow look at the headers of a file of any format that it knows.

    Raises:
        ImageTooLargeError: If there are more pixels than Pillow's own limit.
        ImageDecodeError: If Pillow cannot read the file.
    """
    try:
        image = Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(
            f"Pillow refused the size: {error}; PIL.Image.MAX_IMAGE_PIXELS sets its limit"
        ) from error
    except Exception as error:
        # Pillow's own words for a file of no format name a buffer's address.
        why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise ImageDecodeError(f"expected an image that Pillow can read, got {_start(data)}{why}") from error
    if image.format == "EPS":
        image.close()
        raise ImageDecodeError(
            "expected a picture, got an EPS file: it is a program, and Pillow would run it through Ghostscript; "
            "render it yourself and pass the pixels"
        )
    return image


def _decode_image(image: Image.Image, max_pixels: int, path: str | None) -> Coefficients:
    """Coefficients of a PIL image.

    Modes as torchvision's loader treats them (`convert("RGB")`): alpha is dropped, not composited; palettes are looked
    up; CMYK becomes RGB. Gray, with or without alpha, stays one plane. 16-bit gray keeps its precision: 65535 becomes
    255.
    """
    _check_size(image.height, image.width, max_pixels)
    with pillow_errors(image):
        image.load()
        # After load(): Pillow turns TIFF files upright itself and then forgets their orientation.
        orientation = orientation_of(image)
        samples = _samples(image)
    notes = (_LENIENT,) if ImageFile.LOAD_TRUNCATED_IMAGES and image.format else ()
    return _transformed(samples, orientation, notes, path)


@contextmanager
def pillow_errors(image: Image.Image) -> Iterator[None]:
    """Turn whatever Pillow raises while it decodes an image into an ImageDecodeError."""
    try:
        yield
    except (ImageError, MemoryError, RecursionError):
        raise
    except Exception as error:  # Pillow's plugins raise anything, from OSError to struct.error.
        raise ImageDecodeError(f"Pillow could not decode the {image.format or 'PIL'} image: {error}") from error


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise ImageDecodeError(f"expected at least one pixel, got an image of {width}x{height} px")
    if height * width > max_pixels:
        raise ImageTooLargeError(
            f"expected at most max_pixels={max_pixels} pixels, got {width}x{height} = {height * width}; "
            "if the image is trusted, pass a larger max_pixels"
        )


def _samples(image: Image.Image) -> NDArray[Any]:
    """(H, W) or (H, W, 3), uint8 or float32 in 0..255."""
    if image.mode in _SIXTEEN_BIT_MODES or (image.mode == "I" and image.format == "PNG"):
        return np.asarray(image, np.float32) * np.float32(255 / 65535)
    if image.mode in ("I", "F"):
        raise ImageDecodeError(
            f"expected samples with a known range, got Pillow mode {image.mode!r}: scale them to 0..255 and pass an "
            "(H, W) or (H, W, 3) uint8 array"
        )
    if image.mode in _GRAY_MODES:
        return np.asarray(image.convert("L"))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns of the transparency that is to be dropped
    return np.asarray(image.convert("RGB"))


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of a loaded PIL image, 1 to 8; 1 where it has none."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF data is as good as none; Pillow raises anything for it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _transformed(samples: NDArray[Any], orientation: int, notes: tuple[str, ...], path: str | None) -> Coefficients:
    height, width = samples.shape[:2]
    gray = samples.ndim == 2
    planes = [samples.astype(np.float32)] if gray else list(rgb_to_ycbcr(*np.moveaxis(samples, 2, 0)))
    planes[0] -= np.float32(128)
    count = len(planes)
    table = frozen(np.ones((8, 8), np.uint16))
    decoded = Decoded(
        planes=tuple(frozen(forward(pad_to_blocks(plane))) for plane in planes),
        quant_tables=(table,) * count,
        complete=True,
        warnings=notes,
    )
    layout = Layout((height, width), ((1, 1),) * count, "gray" if gray else "YCbCr", orientation)
    return Coefficients(layout, "pixels", decoded=decoded, path=path)


def _start(data: bytes) -> str:
    return f"{len(data)} bytes that start with {data[:8].hex(' ')}"
