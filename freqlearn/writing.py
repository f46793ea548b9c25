"""Writing coefficients as JPEG files: nothing is decoded to pixels and nothing is lost."""

import os

import numpy as np

from freqlearn import _native, atomic
from freqlearn.image import DCTImage
from freqlearn.indexing import integer
from freqlearn.metadata import Metadata, marker_segments

__all__ = ["Metadata", "write_jpeg"]

_MAX_RESTART_INTERVAL = 65535


def write_jpeg(
    img: DCTImage,
    path: str | os.PathLike[str] | None = None,
    *,
    optimise: bool = True,
    progressive: bool = False,
    restart_interval: int = 0,
    metadata: Metadata = "keep",
) -> bytes:
    """Write an image's coefficients as a JPEG file, without loss.

    What is read from the file again has the same coefficients, quantisation tables, sampling factors, size, colours
    and, unless metadata="none", orientation. Baseline where it can be, extended where a quantisation table needs 16
    bits. Sides of 65,501 to 65,535 px are the format's, but libjpeg, and so Pillow, opens none above 65,500.

    Args:
        img: Image of quantised coefficients, with nothing pending.
        path: File to write as well, in one step: its readers see the old content or the new one, never half of it.
        optimise: Make Huffman tables for this picture, in a first pass over it. Otherwise those of the standard's
            annex K.3, which take no such pass and more bytes.
        progressive: Write a progressive file: smaller still, and slower to read.
        restart_interval: MCUs between restart markers, up to 65,535; 0: none. A damaged file loses less with them.
        metadata: "keep": the segments of the image's own file (EXIF, ICC profile, comments, ...) as they are; an image
            that comes from no file gets those of "orientation". "orientation": colours and EXIF orientation alone.
            "none": colours alone; where the picture was to be turned, it no longer is.

    Returns:
        The file's bytes.

    Raises:
        TypeError: If it is not an image.
        ValueError: If transforms are pending, the coefficients are not quantised, or there is something that a JPEG
            file cannot hold: a coefficient out of range, a side above 65,535 px.
        JpegError: If the image's file turns out to be damaged.
        OSError: If the path cannot be written; what was there before is then untouched.
    """
    if not isinstance(img, DCTImage):
        raise TypeError(f"expected a DCTImage, got {type(img).__name__}: freqlearn.read_dct gives one")
    if not 0 <= integer(restart_interval, "restart_interval") <= _MAX_RESTART_INTERVAL:
        raise ValueError(f"expected a restart_interval of 0 to {_MAX_RESTART_INTERVAL} MCUs, got {restart_interval}")
    try:
        data = _encoded(img, optimise, progressive, restart_interval, metadata)
    except ValueError as error:
        if type(error) is not ValueError or img.path is None:
            raise
        raise ValueError(f"{img.path}: {error}") from error
    if path is not None:
        atomic.write_file(path, lambda file: file.write(data))
    return data


def _encoded(img: DCTImage, optimise: bool, progressive: bool, restart_interval: int, kept: Metadata) -> bytes:
    if not img.plan.is_identity:
        raise ValueError(
            f"expected an image with nothing pending, got {img.plan}: img.with_plan(Plan.identity(img.size_px)) writes "
            "the picture without it, DCTImage.from_rgb(img.to_rgb(), ...) what it makes of the picture"
        )
    if any(plane.dtype != np.int16 for plane in img.planes):
        raise ValueError(
            f"expected quantised coefficients (int16), got {img.planes[0].dtype} ones from {img.source}: "
            "DCTImage.from_rgb(img.to_rgb(), ...) quantises them"
        )
    return _native.encode(
        [np.ascontiguousarray(plane) for plane in img.planes],
        [np.ascontiguousarray(table) for table in img.quant_tables],
        img.size_px,
        img.sampling,
        img.color_space,
        optimise=optimise,
        progressive=progressive,
        restart_interval=restart_interval,
        segments=marker_segments(img, kept),
    )
