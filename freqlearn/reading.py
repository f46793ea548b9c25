"""Reading images: from a source of any kind to a DCTImage or to what its headers say."""

import os
from typing import Literal, TypeAlias, get_args

from freqlearn import decoders, jpeg2dct_adapter, pixels, sources
from freqlearn.coefficients import Coefficients
from freqlearn.decoders import DEFAULT_MAX_PIXELS, JpegDecoder, JpegFile
from freqlearn.errors import ImageDecodeError, JpegError, NotJpegError, UnsupportedJpegError, naming
from freqlearn.image import DCTImage
from freqlearn.indexing import integer
from freqlearn.info import ImageInfo
from freqlearn.sources import Source, read_bytes

__all__ = ["DEFAULT_MAX_PIXELS", "Decoder", "read_bytes", "read_dct", "read_info"]

Decoder: TypeAlias = Literal["auto", "native", "jpeg2dct", "pixels"]
_DECODERS = get_args(Decoder)
# Most files' headers are shorter, and reading no more makes read_info cheap on large photos.
_HEAD_BYTES = 1 << 16


def read_dct(
    source: Source,
    *,
    decoder: Decoder = "auto",
    strict: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> DCTImage:
    """Read an image as DCT coefficients.

    JPEG files are only looked through, from the headers to the end of the image; they are decoded when planes are
    first asked for (or at once, where the end is missing, so that a truncated file is reported here). Pixels are
    transformed at once.

    Args:
        source: A path; bytes, bytearray, memoryview, one-dimensional uint8 array or tensor of a file's bytes; a
            binary file object, read from where it stands; a PIL image, or an (H, W, 3) RGB or (H, W) gray uint8 array
            of pixels.
        decoder: "native" reads JPEG coefficients exactly as stored. "pixels" lets Pillow decode (any format; alpha is
            dropped) and transforms the pixels. "auto" takes native where it can be represented as Y, Cb, Cr, and
            pixels for everything else: PNG, WebP, CMYK, unequally sampled RGB, arithmetic coding, PIL images, arrays;
            `source` of the result says which. "jpeg2dct" is for comparison.
        strict: Whether missing or damaged JPEG data is an error. If not, what can be read is, and `complete` and
            `warnings` say what happened. "pixels" is always strict.
        max_pixels: Largest accepted width times height, checked before anything is allocated.

    Returns:
        The image, with nothing pending.

    Raises:
        JpegError: If a JPEG file cannot be read; its kind says why. "auto" does not fall back to pixels for damaged
            files.
        ImageDecodeError: If Pillow cannot read the image, or the source is empty.
        TypeError: If the source is of another kind, or the decoder needs a file's bytes and got pixels.
        ValueError: If an argument is out of range.
        ImportError: If "jpeg2dct" is not installed.
        OSError: If a file cannot be read.
    """
    if decoder not in _DECODERS:
        raise ValueError(f"expected decoder to be one of {_DECODERS}, got {decoder!r}")
    _check_limit(max_pixels)
    content, path = sources.load(source)
    with naming(path):
        if decoder == "pixels" or not isinstance(content, bytes):
            if decoder in ("native", "jpeg2dct"):
                raise TypeError(
                    f"decoder={decoder!r} expected a JPEG file's bytes or path, got pixels ({type(content).__name__}): "
                    "pass the file itself, or use decoder='pixels'"
                )
            return DCTImage(pixels.decode(content, max_pixels, path))
        if decoder == "auto":
            return DCTImage(_auto(JpegFile(content, "native", strict, max_pixels, path)))
        return DCTImage(_open(JpegFile(content, decoder, strict, max_pixels, path)))


def read_info(source: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageInfo:
    """Read a JPEG file's headers, up to its first scan.

    Args:
        source: A path, or any other source of a JPEG file's bytes that `read_dct` takes.
        max_pixels: Largest accepted width times height.

    Returns:
        Size, colours, sampling, process, restart interval, orientation, estimated quality.

    Raises:
        JpegError: If it is no JPEG file (for others: PIL.Image.open), or its headers are damaged or beyond the native
            decoder.
        ImageDecodeError: If the source is empty.
        TypeError: If the source is of another kind.
        ValueError: If `max_pixels` is out of range.
        OSError: If a file cannot be read.
    """
    _check_limit(max_pixels)
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            head = file.read(_HEAD_BYTES)
        if len(head) == _HEAD_BYTES:
            try:
                return decoders.read_headers(JpegFile(head, "native", True, max_pixels, None))
            except JpegError:
                pass  # perhaps only because the headers are longer
    content, path = sources.load(source)
    if not isinstance(content, bytes):
        raise TypeError(f"expected a JPEG file's bytes or path, got pixels ({type(content).__name__})")
    return decoders.read_headers(JpegFile(content, "native", True, max_pixels, path))


def _check_limit(max_pixels: int) -> None:
    if not 1 <= integer(max_pixels, "max_pixels") < 2**63:
        raise ValueError(f"expected max_pixels as a positive integer below 2**63, got {max_pixels}")


def _auto(file: JpegFile) -> Coefficients:
    try:
        coefficients = _open(file)
        if _is_ycbcr(coefficients):
            return coefficients
        layout = coefficients.layout
        why_not_native = f"{layout.color_space} with sampling {layout.sampling} has no Y, Cb, Cr coefficients"
    except (NotJpegError, UnsupportedJpegError) as refusal:
        why_not_native = refusal.message.partition("; decoder=")[0]  # its way out is what comes next
    try:
        return pixels.decode(file.data, file.max_pixels, file.path)
    except ImageDecodeError as error:
        raise ImageDecodeError(f"{error.message}; the native decoder: {why_not_native}") from error


def _open(file: JpegFile) -> Coefficients:
    if not file.strict:
        return Coefficients.of_file(file, _checked(decoders.read_headers(file), file.decoder))
    info, ended = decoders.check(file)
    coefficients = Coefficients.of_file(file, _checked(info, file.decoder))
    if not ended:
        coefficients.decoded()
    return coefficients


def _checked(info: ImageInfo, decoder: JpegDecoder) -> ImageInfo:
    if decoder == "jpeg2dct":
        jpeg2dct_adapter.refuse_reencoding(info)
        jpeg2dct_adapter.load_package()
    return info


def _is_ycbcr(coefficients: Coefficients) -> bool:
    layout = coefficients.layout
    if layout.color_space == "RGB":
        return len(set(layout.sampling)) == 1
    return layout.color_space in ("gray", "YCbCr")
