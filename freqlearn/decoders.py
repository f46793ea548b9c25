"""The decoders that read JPEG files' coefficients, behind one record: native and, for comparison, jpeg2dct."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from freqlearn import _native, jpeg2dct_adapter
from freqlearn.errors import TruncatedJpegError, naming
from freqlearn.info import ColorSpace, ImageInfo, Process

if TYPE_CHECKING:
    from freqlearn._native import JpegInfo

JpegDecoder: TypeAlias = Literal["native", "jpeg2dct"]
# Where Pillow raises its decompression bomb error: half a gigabyte of RGB.
DEFAULT_MAX_PIXELS = 178_956_970
_MISSING_EOI = "missing EOI"


class JpegFile(NamedTuple):
    """A JPEG file and how to read it: enough to do it again in another process.

    Attributes:
        data: The whole file.
        decoder: Which decoder reads it.
        strict: Whether missing or damaged data is an error.
        max_pixels: Largest accepted width times height.
        path: Where it came from, for messages.
    """

    data: bytes
    decoder: JpegDecoder
    strict: bool
    max_pixels: int
    path: str | None


class Decoded(NamedTuple):
    """What a decoder gives.

    Attributes:
        planes: (rows, cols, 8, 8) int16 quantised, or float32, natural order, read-only; one per component.
        quant_tables: (8, 8) uint16 per component, natural order, read-only.
        complete: False if data was missing or damaged.
        warnings: What a person should know of the file.
    """

    planes: tuple[NDArray[Any], ...]
    quant_tables: tuple[NDArray[np.uint16], ...]
    complete: bool
    warnings: tuple[str, ...]


def read_headers(file: JpegFile) -> ImageInfo:
    """Read a file's headers, without a look at the data.

    Raises:
        JpegError: If they cannot be read; its kind says why.
    """
    with naming(file.path):
        return _image_info(_native.read_info(file.data, file.max_pixels))


def check(file: JpegFile) -> tuple[ImageInfo, bool]:
    """Read a file's headers and walk through its segments, without decoding.

    Returns:
        The headers, and whether the end of the image was found: where it was not, data may be missing.

    Raises:
        JpegError: If the headers cannot be read or the segments are damaged; its kind says why.
    """
    with naming(file.path):
        info = _image_info(_native.check(file.data, file.max_pixels))
    return info, not any(_MISSING_EOI in warning for warning in info.warnings)


def decode(file: JpegFile) -> Decoded:
    """Decode a whole file.

    Raises:
        JpegError: If it cannot be read; its kind says why.
        ImportError: If its decoder's package is missing.
    """
    with naming(file.path):
        return _decode_native(file) if file.decoder == "native" else _decode_jpeg2dct(file)


def _decode_native(file: JpegFile) -> Decoded:
    native = _native.decode(file.data, strict=file.strict, max_pixels=file.max_pixels)
    return Decoded(
        planes=tuple(frozen(plane) for plane in native.planes),
        quant_tables=tuple(frozen(table) for table in native.quant_tables),
        complete=native.complete,
        warnings=tuple(native.warnings),
    )


def _decode_jpeg2dct(file: JpegFile) -> Decoded:
    # Our own walk through the file first: jpeg2dct says nothing of missing data.
    info, ended = check(file)
    jpeg2dct_adapter.refuse_reencoding(info)
    warnings = info.warnings
    if not ended:
        doubt = "no end of image: jpeg2dct cannot tell whether data is missing"
        if file.strict:
            raise TruncatedJpegError(f"{doubt}; use decoder='native', or strict=False to read it all the same")
        warnings = (*warnings, doubt)
    return Decoded(
        planes=tuple(frozen(plane) for plane in jpeg2dct_adapter.read_planes(file.data, len(info.sampling))),
        quant_tables=info.quant_tables,
        complete=ended,
        warnings=warnings,
    )


def _image_info(native: "JpegInfo") -> ImageInfo:
    return ImageInfo(
        size_px=(native.height, native.width),
        color_space=cast(ColorSpace, native.color_space),
        sampling=tuple(native.sampling),
        process=cast(Process, native.process),
        restart_interval=native.restart_interval,
        orientation=native.orientation,
        quant_tables=tuple([frozen(table) for table in native.quant_tables]),
        warnings=tuple(native.warnings),
    )


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array, made read-only."""
    array.flags.writeable = False
    return array
