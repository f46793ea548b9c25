"""From pixels to a JPEG file's quantised coefficients, computing only those that are wanted."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from freqlearn import _native
from freqlearn.coefficients import Coefficients, Layout
from freqlearn.decoders import Decoded, frozen
from freqlearn.indexing import integer
from freqlearn.info import Sampling
from freqlearn.keeping import EVERY_PLACE, named_places
from freqlearn.planes import checked_sampling, checked_table
from freqlearn.quality import quality_tables

Subsampling: TypeAlias = Literal["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0"]
_LUMA_FACTORS: dict[str, tuple[int, int]] = {
    "4:4:4": (1, 1),
    "4:2:2": (2, 1),
    "4:2:0": (2, 2),
    "4:4:0": (1, 2),
    "4:1:1": (4, 1),
    "4:1:0": (4, 2),
}
DEFAULT_QUALITY = 75
"""As libjpeg's."""


def encode(
    pixels: NDArray[np.uint8],
    *,
    quality: int | None,
    quant_tables: Sequence[NDArray[Any]] | None,
    sampling: Subsampling | Sequence[tuple[int, int]],
    channels: Iterable[int] | None,
) -> Coefficients:
    """Coefficients of pixels; the arguments are those of `DCTImage.from_rgb`.

    Raises:
        TypeError: If the pixels are not a uint8 array, or a number is not an integer.
        ValueError: If shapes do not agree, a value is out of range, or quality and tables are both given.
    """
    gray = _is_gray(pixels)
    count = 1 if gray else 3
    height, width = pixels.shape[:2]
    factors: Sampling = ((1, 1),) if gray else _factors(sampling)
    layout = Layout((height, width), factors, "gray" if gray else "YCbCr", 1)
    tables = chosen_tables(quality, quant_tables, count)
    wanted = [EVERY_PLACE] * count if channels is None else named_places(channels, count)
    planes = _native.encode_pixels(pixels, tables, factors, wanted)
    decoded = Decoded(planes=tuple(map(frozen, planes)), quant_tables=tables, complete=True, warnings=())
    return Coefficients(layout, "planes", decoded=decoded)


def _is_gray(pixels: Any) -> bool:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        what = f"an array of {pixels.dtype}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise TypeError(
            f"expected pixels as a uint8 NumPy array, got {what}: for a PIL image, np.asarray(image.convert('RGB'))"
        )
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise ValueError(f"expected (H, W, 3) RGB or (H, W) gray pixels, at least one, got shape {pixels.shape}")
    return pixels.ndim == 2


def _factors(sampling: Subsampling | Sequence[tuple[int, int]]) -> Sampling:
    """(h, v) per component."""
    if isinstance(sampling, str) or sampling is None:
        if sampling not in _LUMA_FACTORS:
            raise ValueError(
                f"expected sampling as one of {', '.join(get_args(Subsampling))}, or (h, v) per component, got "
                f"{sampling!r}"
            )
        return _LUMA_FACTORS[sampling], (1, 1), (1, 1)
    factors = checked_sampling(sampling, 3)
    h_max, v_max = (max(numbers) for numbers in zip(*factors, strict=True))
    if any(h_max % h or v_max % v for h, v in factors):
        raise ValueError(
            f"expected sampling factors that divide the largest, {h_max} and {v_max}, got {factors}: a box average "
            "needs whole numbers of pixels"
        )
    return factors


def chosen_tables(
    quality: int | None, quant_tables: Sequence[NDArray[Any]] | None, count: int
) -> tuple[NDArray[np.uint16], ...]:
    """The quantisation tables of so many components that a quality or tables mean; quality 75 if neither is given.

    Raises:
        TypeError: If the quality, or an entry, is not an integer.
        ValueError: If both are given, one is out of range, or there are not `count` tables.
    """
    if quant_tables is None:
        number = DEFAULT_QUALITY if quality is None else integer(quality, "quality")
        luminance, chrominance = quality_tables(number)
        return (luminance, chrominance, chrominance)[:count]
    if quality is not None:
        raise ValueError(f"expected quality or quant_tables, got both (quality {quality})")
    if len(quant_tables) != count:
        raise ValueError(f"expected one quantisation table per component, {count}, got {len(quant_tables)}")
    return tuple(checked_table(np.asarray(table), component) for component, table in enumerate(quant_tables))
