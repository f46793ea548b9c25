"""jpeg2dct's `load` and `loads` on freqlearn's decoder.

Change `from jpeg2dct.numpy import load, loads` to `from freqlearn.compat.jpeg2dct import load, loads`. For gray and
4:2:0 files the numbers are the same, to the bit. What differs from jpeg2dct 0.2.4, on purpose:

- Files of other samplings are not re-encoded. Cb and Cr keep the size that they have in the file (all of Y's for
  4:4:4), where jpeg2dct re-encodes as 4:2:0 at quality 100, so that neither shapes nor numbers are the file's.
- RGB files come back as Y, Cb, Cr by the linear matrix, rounded, with `normalized=True` only: there is no
  quantisation table that would belong to them otherwise.
- Truncated and damaged files, and files that cannot be represented (CMYK, arithmetic coding), raise an error
  that says why, where jpeg2dct prints to stderr and returns what it has.
- Dequantised values beyond int16, which only damaged or hostile files hold, raise an error instead of wrapping around.
- `load` takes any path-like object; `loads` takes any bytes-like object.
"""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqlearn.image import DCTImage
from freqlearn.reading import read_dct

__all__ = ["load", "loads"]


def load(filename: str | os.PathLike[str], normalized: bool = True, channels: int = 3) -> list[NDArray[np.int16]]:
    """Read the DCT coefficients of a JPEG file.

    Args:
        filename: The file.
        normalized: If True, coefficients are dequantised (jpeg2dct's word; it standardises nothing). If False, as
            stored.
        channels: 3 for Y, Cb, Cr; 1 for Y alone.

    Returns:
        `channels` arrays (rows, cols, 64) int16, natural order. The chroma of gray files is zero, in half of Y's
        blocks (rounded up) each way.

    Raises:
        OSError: If the file cannot be read.
        JpegError: If it is not a JPEG file that can be read.
        ValueError: If `channels` is neither 3 nor 1, or the file cannot be given in this form.
    """
    return _bands(read_dct(os.fspath(filename), decoder="native"), normalized, channels)


def loads(
    buffer: bytes | bytearray | memoryview, normalized: bool = True, channels: int = 3
) -> list[NDArray[np.int16]]:
    """Read the DCT coefficients of a JPEG file's bytes; otherwise as `load`."""
    # bytes themselves may carry a path for messages (freqlearn.read_bytes); memoryview refuses what is no buffer.
    data = buffer if isinstance(buffer, bytes) else bytes(memoryview(buffer))
    return _bands(read_dct(data, decoder="native"), normalized, channels)


def _bands(image: DCTImage, normalized: bool, channels: int) -> list[NDArray[np.int16]]:
    if channels not in (1, 3):
        raise ValueError(f"channels should be 3 or 1, got {channels}")
    planes = _dequantised(image) if normalized else _stored(image)
    bands = [plane.reshape(*plane.shape[:2], 64) for plane in planes[:channels]]
    if len(bands) < channels:
        rows, cols = bands[0].shape[:2]
        bands += [np.zeros(((rows + 1) // 2, (cols + 1) // 2, 64), np.int16) for _ in range(2)]
    return bands


def _stored(image: DCTImage) -> list[NDArray[np.int16]]:
    if image.color_space not in ("gray", "YCbCr"):
        raise ValueError(
            f"expected a gray or YCbCr file, got {image.color_space}: its stored coefficients are not Y, Cb, Cr; "
            "normalized=True converts RGB, freqlearn.read_dct(..., decoder='pixels') reads anything"
        )
    return [plane.copy() for plane in image.planes]


def _dequantised(image: DCTImage) -> list[NDArray[np.int16]]:
    if image.color_space == "gray":
        exact: list[NDArray[Any]] = [image.planes[0].astype(np.int32) * image.quant_tables[0]]
    else:
        exact = [np.rint(plane) for plane in image.dequantised()]
    limits = np.iinfo(np.int16)
    for name, plane in zip(("Y", "Cb", "Cr"), exact, strict=False):
        low, high = plane.min(), plane.max()
        if low < limits.min or high > limits.max:
            raise ValueError(
                f"expected dequantised coefficients within int16, got {low} to {high} in {name}: "
                "freqlearn.read_dct(...).dequantised() gives them as float32"
            )
    return [plane.astype(np.int16) for plane in exact]
