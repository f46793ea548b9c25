"""The package jpeg2dct as a decoder, for comparison, on the files that it reads without changing them.

jpeg2dct 0.2.4 re-encodes every file that is neither gray nor 4:2:0 at quality 100 and reads the result; for damaged
files it prints to stderr and returns what it has. Both are refused here instead.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from freqlearn.errors import UnsupportedJpegError
from freqlearn.info import ImageInfo

_READ_AS_STORED = ((2, 2), (1, 1), (1, 1))


def refuse_reencoding(info: ImageInfo) -> None:
    """Raise for a file that jpeg2dct would re-encode.

    Raises:
        UnsupportedJpegError: If the file is neither gray nor 4:2:0 with sampling factors 2x2, 1x1, 1x1.
    """
    if len(info.sampling) != 1 and info.sampling != _READ_AS_STORED:
        factors = ",".join(f"{h}x{v}" for h, v in info.sampling)
        raise UnsupportedJpegError(
            "decoder='jpeg2dct' expected a gray file or one with sampling factors 2x2,1x1,1x1 (4:2:0), got "
            f"{factors}: jpeg2dct would re-encode it at quality 100 first; use decoder='native'"
        )


def read_planes(data: bytes, components: int) -> list[NDArray[np.int16]]:
    """Quantised planes of a file, read by jpeg2dct.

    Args:
        data: The file's bytes.
        components: 1 or 3, as in the file.

    Returns:
        (rows, cols, 8, 8) int16 per component, natural order.

    Raises:
        ImportError: If the package is missing.
        UnsupportedJpegError: If jpeg2dct fails.
    """
    loads = load_package()
    try:
        bands = loads(bytes(data), normalized=False, channels=components)
    except RuntimeError as error:
        raise UnsupportedJpegError(f"jpeg2dct refused the file: {error}; use decoder='native'") from error
    return [band.astype(np.int16, copy=False).reshape(*band.shape[:2], 8, 8) for band in bands]


def load_package() -> Callable[..., list[NDArray[Any]]]:
    """The package's `loads`.

    Raises:
        ImportError: If the package is missing, in one line that says what to install.
    """
    try:
        from jpeg2dct.numpy import loads
    except ImportError as error:
        raise ImportError(
            f"decoder='jpeg2dct' needs the package jpeg2dct ({error}): pip install freqlearn[jpeg2dct]"
        ) from None
    return cast(Callable[..., list[NDArray[Any]]], loads)
