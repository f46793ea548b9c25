"""Carry out a plan: from coefficients straight to the wanted channels of the cropped, resized, recoloured picture.

`output = L X R^T` for each component (`freqlearn.bands`), then colour (`freqlearn.color`); exactly what decoding to
float pixels, cropping, antialiased bilinear resizing and a forward 8x8 DCT give, without the pixels. This is the
readable form; it fixes what the native one (`freqlearn.native_operator`) must compute.

A subsampled component goes from its own grid to the output's in one step, and its crop box uses the samples between
the box's floor and ceiling only. So a crop that is never resized shows slightly other chroma in its outermost pixels
than a decoder that interpolates the whole picture first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqlearn.bands import Axis, Band, Real, band
from freqlearn.color import ColorMap, LumaMean, compose
from freqlearn.dct import BLOCK
from freqlearn.geometry import Geometry
from freqlearn.plan import Plan

if TYPE_CHECKING:
    from freqlearn.image import DCTImage


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One component's coefficients and how its samples lie over the picture.

    Attributes:
        blocks: (rows, cols, 8, 8), natural order: dequantised, or to be multiplied by `quant_table`; None for a
            component that is zero everywhere.
        size_px: (height, width) of the component's true picture, in its samples.
        density: samples per pixel of the picture, (vertical, horizontal): its sampling factors divided by the
            largest of all components.
        quant_table: (8, 8), natural order; None where `blocks` are dequantised already.
    """

    blocks: NDArray[Any] | None
    size_px: tuple[int, int]
    density: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1))
    quant_table: NDArray[np.uint16] | None = None


def planes_of(img: DCTImage) -> tuple[Plane, Plane, Plane]:
    """Y, Cb and Cr of an image, whatever its plan."""
    stored = img.color_space == "YCbCr" or img.color_space == "gray"
    # Dequantising waits for what the plan needs of a plane, but for RGB, whose Y needs all of all planes.
    blocks: tuple[NDArray[Any] | None, ...] = img.planes if stored else img.dequantised()
    tables: tuple[NDArray[np.uint16] | None, ...] = img.quant_tables if stored else (None, None, None)
    sampling = img.sampling
    if len(blocks) == 1:
        blocks, tables, sampling = (*blocks, None, None), tables * 3, sampling * 3
    highest, widest = max(v for _, v in sampling), max(h for h, _ in sampling)
    y, cb, cr = (
        Plane(
            blocks=blocks[component],
            size_px=img.component_size_px(component),
            density=(Fraction(v, highest), Fraction(h, widest)),
            quant_table=tables[component],
        )
        for component, (h, v) in enumerate(sampling)
    )
    return y, cb, cr


def compute(
    planes: Sequence[Plane], plan: Plan, channels: Sequence[int], *, dtype: Real = "float32"
) -> NDArray[np.floating]:
    """Carry out a plan on three planes.

    Args:
        planes: Y, Cb, Cr.
        plan: whose output is a multiple of 8 px high and wide.
        channels: indices 64*component + 8*v + u.
        dtype: "float32", or "float64" for reference values.

    Returns:
        (C, H/8, W/8) of `dtype`, dequantised.

    Raises:
        ValueError: if the output's size is not a multiple of 8.
    """
    rows, cols = plan.output_blocks
    color = compose(plan.colors, lambda stage: _luma_mean(planes[0], stage))
    output = np.empty((len(channels), rows, cols), dtype)
    for component in range(3):
        places = [i for i, channel in enumerate(channels) if channel // 64 == component]
        if places:
            wanted = [divmod(channels[i] % 64, BLOCK) for i in places]
            output[places] = _component(planes, plan, color, component, wanted, dtype)
    return output


def _component(
    planes: Sequence[Plane],
    plan: Plan,
    color: ColorMap,
    component: int,
    wanted: list[tuple[int, int]],
    dtype: Real,
) -> NDArray[np.floating]:
    """(len(wanted), H/8, W/8): the maps (v, u) of one component of the output, colour included."""
    # Everything is computed in the stored picture's frame; the transposition precedes the flips.
    flips = (plan.flip_vertical, plan.flip_horizontal)
    if plan.transposed:
        wanted, flips = [(u, v) for v, u in wanted], flips[::-1]
    height, width = plan.window.size_px
    maps = np.zeros((len(wanted), height // BLOCK, width // BLOCK), dtype)
    for source in color.inputs(component):
        if planes[source].blocks is not None:
            picture = _picture(planes[source], plan.geometry, flips, wanted, dtype)
            share = float(color.matrix[component, source])
            maps += picture if share == 1.0 else picture * share

    offset, outside = float(color.offset[component]), float(color.outside[component])
    if plan.geometry.is_padded:
        # offset where the picture is, outside elsewhere: (offset - outside) * coverage + outside.
        maps += _coverage(planes[component], plan.geometry, flips, wanted, dtype) * (offset - outside)
        offset = outside
    if (0, 0) in wanted:
        maps[wanted.index((0, 0))] += BLOCK * offset  # a constant is a DC of 8 times its value
    return maps.transpose(0, 2, 1) if plan.transposed else maps


def _picture(
    plane: Plane,
    geometry: Geometry,
    flips: tuple[bool, bool],
    wanted: list[tuple[int, int]],
    dtype: Real,
) -> NDArray[np.floating]:
    """(len(wanted), H/8, W/8): L X R^T of one plane, in the stored frame, zero in the padding."""
    rows, cols = axes(plane, geometry)
    top, left = rows.aligned_block, cols.aligned_block
    if top is not None and left is not None:
        return _select(plane, slice(top, top + rows.blocks), slice(left, left + cols.blocks), flips, wanted, dtype)
    (row_band, v_place), (col_band, u_place) = _bands((rows, cols), flips, wanted, dtype)
    return _apply(plane, row_band, col_band, dtype).transpose(3, 1, 2, 0)[v_place, u_place]


def _coverage(
    plane: Plane,
    geometry: Geometry,
    flips: tuple[bool, bool],
    wanted: list[tuple[int, int]],
    dtype: Real,
) -> NDArray[np.floating]:
    """(len(wanted), H/8, W/8): the channels of "1 where the picture is, 0 in the padding"."""
    (row_band, v_place), (col_band, u_place) = _bands(axes(plane, geometry), flips, wanted, dtype)
    down = row_band.coverage[:, v_place].T  # (C, H/8)
    across = col_band.coverage[:, u_place].T  # (C, W/8)
    product: NDArray[np.floating] = down[:, :, None] * across[:, None, :]
    return product


def _bands(
    both: tuple[Axis, Axis], flips: tuple[bool, bool], wanted: list[tuple[int, int]], dtype: Real
) -> tuple[tuple[Band, list[int]], tuple[Band, list[int]]]:
    """For rows and for columns: the band of the distinct frequencies in `wanted`, and the place of each wanted one."""
    v_side, u_side = (
        _band_of(axis, list(frequencies), flipped, dtype)
        for axis, flipped, frequencies in zip(both, flips, zip(*wanted, strict=True), strict=True)
    )
    return v_side, u_side


def _band_of(axis: Axis, frequencies: list[int], flipped: bool, dtype: Real) -> tuple[Band, list[int]]:
    distinct = sorted(set(frequencies))
    places = [distinct.index(frequency) for frequency in frequencies]
    return band(axis, tuple(distinct), flipped=flipped, dtype=dtype), places


def axes(plane: Plane, geometry: Geometry) -> tuple[Axis, Axis]:
    """Rows and columns of one component's geometry, the window rounded up to whole blocks (what is added: padding)."""
    box, window, visible = geometry.box, geometry.window, geometry.visible
    (height, width), (down, across) = geometry.scaled_px, plane.density
    rows = Axis(
        start=box.top * down,
        stop=box.bottom * down,
        samples=plane.size_px[0],
        scaled_px=height,
        window_start=window.top,
        blocks=-(-window.height // BLOCK),
        visible_start=visible.top - window.top,
        visible_stop=visible.bottom - window.top,
    )
    cols = Axis(
        start=box.left * across,
        stop=box.right * across,
        samples=plane.size_px[1],
        scaled_px=width,
        window_start=window.left,
        blocks=-(-window.width // BLOCK),
        visible_start=visible.left - window.left,
        visible_stop=visible.right - window.left,
    )
    return rows, cols


def _dequantised(plane: Plane, rows: slice, cols: slice, dtype: Real) -> NDArray[np.floating]:
    """(rows, cols, 8, 8) of `dtype`: some blocks of a plane that is not zero everywhere."""
    if plane.blocks is None:
        raise ValueError("expected a component with coefficients, got one that is zero everywhere")
    part = plane.blocks[rows, cols]
    table = 1 if plane.quant_table is None else plane.quant_table
    product: NDArray[np.floating] = np.multiply(part, table, dtype=dtype)
    return product


def _select(
    plane: Plane,
    rows: slice,
    cols: slice,
    flips: tuple[bool, bool],
    wanted: list[tuple[int, int]],
    dtype: Real,
) -> NDArray[np.floating]:
    """(len(wanted), rows, cols): whole blocks' coefficients (v, u), mirrored; no arithmetic but signs."""
    blocks = _dequantised(plane, rows, cols, dtype)[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]
    v, u = np.array(wanted).T
    maps: NDArray[np.floating] = blocks.transpose(2, 3, 0, 1)[v, u]
    maps[(flips[0] * v + flips[1] * u) % 2 == 1] *= -1
    return maps


def _apply(plane: Plane, rows: Band, cols: Band, dtype: Real) -> NDArray[np.floating]:
    """(W/8, U, H/8, V): L X R^T, one product with gathered input blocks an axis."""
    x = _dequantised(plane, rows.span, cols.span, dtype)
    block_rows, block_cols = x.shape[:2]
    # Rows: (block_rows, 8 v, block_cols * 8 u) -> (H/8, V, block_cols * 8 u).
    x = _gather(x.transpose(0, 2, 1, 3).reshape(block_rows, BLOCK, block_cols * BLOCK), rows)
    height, v_count, _ = x.shape
    # Columns: (block_cols, 8 u, H/8 * V) -> (W/8, U, H/8 * V).
    x = _gather(x.reshape(height * v_count, block_cols * BLOCK).T.reshape(block_cols, BLOCK, -1), cols)
    return x.reshape(*x.shape[:2], height, v_count)


def _gather(x: NDArray[np.floating], side: Band) -> NDArray[np.floating]:
    """(B, F, n): a band's product with its span of input blocks, (blocks, 8, n)."""
    gathered = x[side.blocks_of_span].reshape(len(side.weights), -1, x.shape[2])
    product: NDArray[np.floating] = side.weights @ gathered  # (B, F, 8*K) @ (B, 8*K, n)
    return product


def _luma_mean(luma: Plane, stage: Geometry) -> LumaMean:
    """Mean of Y - 128 over the picture's part of a stage, from the DC rows of L and R."""
    pixels = stage.visible.height * stage.visible.width
    share = pixels / (stage.window.height * stage.window.width)
    if luma.blocks is None or pixels == 0:
        return LumaMean(value=0.0, share=share)
    rows, cols = (band(axis, (0,), dtype="float64") for axis in axes(luma, stage))
    x = _dequantised(luma, rows.span, cols.span, "float32")
    total = np.einsum("rv,rcvu,cu", _dc_sum(rows), x, _dc_sum(cols), optimize=True)
    # A block's DC is the sum of its 64 pixels divided by 8.
    return LumaMean(value=float(BLOCK * total / pixels), share=share)


def _dc_sum(side: Band) -> NDArray[np.float64]:
    """(blocks of the span, 8): the sum of a band's DC rows over the output blocks."""
    total = np.zeros((side.span.stop - side.span.start, BLOCK))
    np.add.at(total, side.blocks_of_span.ravel(), side.weights[:, 0].reshape(-1, BLOCK))
    return total
