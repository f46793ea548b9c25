"""From pixels to a JPEG file's quantised coefficients, computing only those that are wanted."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.coefficients import Coefficients, Layout
from freqlearn.component_samples import block_samples, ycbcr_samples
from freqlearn.dct import BLOCK, dct_matrix
from freqlearn.decoders import Decoded, frozen
from freqlearn.indexing import integer
from freqlearn.info import Sampling, component_size
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
_DEFAULT_QUALITY = 75
_PLACES = BLOCK * BLOCK
# The largest product that OpenBLAS computes without starting threads, which do not pay here (see freqlearn.dct).
_LARGEST_PRODUCT = 64**3


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
    wanted = _wanted(channels, count)
    components = [component for component in range(count) if wanted[component]]
    full = [pixels] if gray else ycbcr_samples(pixels, components)
    samples = dict(zip(components, full if components else [], strict=True))
    planes = []
    for component, (h, v) in enumerate(factors):
        rows, cols = (-(-side // BLOCK) for side in component_size(layout.size_px, factors, component))
        plane = np.zeros((rows * cols, _PLACES), np.int16)
        if component in samples:
            reduction = max(v for _, v in factors) // v, max(h for h, _ in factors) // h
            blocks = _blocks(block_samples(samples[component], *reduction, (rows, cols)))
            _transform(blocks, wanted[component], tables[component], plane)
        planes.append(frozen(plane.reshape(rows, cols, BLOCK, BLOCK)))
    decoded = Decoded(planes=tuple(planes), quant_tables=tables, complete=True, warnings=())
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
    if isinstance(sampling, str):
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
        number = _DEFAULT_QUALITY if quality is None else integer(quality, "quality")
        luminance, chrominance = quality_tables(number)
        return (luminance, chrominance, chrominance)[:count]
    if quality is not None:
        raise ValueError(f"expected quality or quant_tables, got both (quality {quality})")
    if len(quant_tables) != count:
        raise ValueError(f"expected one quantisation table per component, {count}, got {len(quant_tables)}")
    return tuple(checked_table(np.asarray(table), component) for component, table in enumerate(quant_tables))


def _wanted(channels: Iterable[int] | None, count: int) -> list[list[int]]:
    """Places 8*v + u that are wanted of each component."""
    if channels is None:
        return [list(range(_PLACES))] * count
    chosen = channels if isinstance(channels, ChannelSet) else ChannelSet.of(channels)
    return [sorted(chosen.component(component)) for component in range(count)]


def _blocks(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows*cols, 64): the samples of every block, one block a row."""
    height, width = samples.shape
    rows, cols = height // BLOCK, width // BLOCK
    # The 8 samples of a block's line as one number: moving them together takes a fifth of the time.
    lines = samples.view(np.uint64).reshape(rows, BLOCK, cols)
    return np.ascontiguousarray(lines.swapaxes(1, 2)).view(np.uint8).reshape(rows * cols, _PLACES)


@cache
def _exact_matrix() -> NDArray[np.float64]:
    """(64, 64): samples of a block -> coefficients, both in natural order; entries are multiples of 2^-40.

    Times samples of 8 bits every product and sum is a multiple of 2^-40 below 2^12, which float64 holds exactly. So a
    coefficient does not depend on the order in which BLAS adds, on its threads, nor on which others are computed: the
    wanted ones are those of the full encoder to the last bit. The rounding costs 10^-8 of a coefficient's unit.
    """
    matrix: NDArray[np.float64] = np.rint(np.kron(dct_matrix(), dct_matrix()) * 2.0**40) * 2.0**-40
    return matrix


def _transform(
    blocks: NDArray[np.uint8], wanted: list[int], table: NDArray[np.uint16], plane: NDArray[np.int16]
) -> None:
    """Write the wanted quantised coefficients of (N, 64) blocks into an (N, 64) plane."""
    matrix = np.ascontiguousarray(_exact_matrix()[wanted].T)
    # As libjpeg's float encoder: times the reciprocal, to the nearest whole number.
    factors = 1.0 / table.reshape(-1)[wanted]
    step = _LARGEST_PRODUCT // matrix.size
    for start in range(0, len(blocks), step):
        centred = np.subtract(blocks[start : start + step], 128, dtype=np.float64)
        values = centred @ matrix
        values *= factors
        np.rint(values, out=values)
        if len(wanted) == _PLACES:
            plane[start : start + step] = values
        else:
            plane[start : start + step, wanted] = values
