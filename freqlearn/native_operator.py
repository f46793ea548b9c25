"""The native operator: from a file's bytes, or from planes, to the finished tensor in one call without the GIL.

It computes what `freqlearn.operator.compute` does, in float32, and standardises; that is also its oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from numpy.typing import NDArray

from freqlearn import _native
from freqlearn.color import Brightness, Contrast, Fill, Hue, Saturation
from freqlearn.errors import naming
from freqlearn.geometry import Box, Geometry
from freqlearn.plan import Plan

if TYPE_CHECKING:
    from freqlearn.image import DCTImage

DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}
"""What the operator writes, and what C++ calls it."""
_Stage: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int]


def target(
    channels: Sequence[int], mean: Sequence[float], std: Sequence[float], *, tolerance: float = 0.0
) -> _native.Target:
    """What a model expects of a picture; made once, for all pictures and threads.

    Args:
        channels: indices 64*component + 8*v + u.
        mean: of each channel, dequantised units.
        std: of each channel, the same units, positive.
        tolerance: an AC coefficient may be left out of all blocks if one quantisation step in every block changes no
            output value by as much as this, in dequantised units; 0 is exact.
    """
    return _native.Target(list(channels), list(mean), list(std), tolerance)


def check_layout(dtype: Any, memory_format: Any) -> None:
    """Raise if a result cannot be of a dtype, or laid out like that.

    Raises:
        TypeError: if `dtype` is no torch.dtype.
        ValueError: if it is not floating point, or `memory_format` neither contiguous nor channels_last.
    """
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"expected dtype as a torch.dtype, such as torch.float16, got {dtype!r}")
    if not dtype.is_floating_point:
        raise ValueError(f"expected a floating point dtype, got {dtype}")
    if memory_format not in (torch.contiguous_format, torch.channels_last):
        raise ValueError(
            f"expected memory_format as torch.contiguous_format or torch.channels_last, got {memory_format!r}"
        )


def check_tolerance(tolerance: Any, name: str = "tolerance") -> None:
    """Raise a TypeError if a tolerance is no number, a ValueError if it is not finite or below 0."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real):
        raise TypeError(f"expected {name} as a number, got {tolerance!r}")
    if not 0 <= float(tolerance) < float("inf"):
        raise ValueError(f"expected a finite {name} of 0 or more, got {tolerance}")


def plan_of(plan: Plan) -> _native.Plan:
    """A plan for the native operator."""
    native = _native.Plan(
        plan.size_px, _stage(plan.geometry), plan.transposed, plan.flip_horizontal, plan.flip_vertical
    )
    for step in plan.colors:
        match step:
            case Brightness(factor):
                native.add_factor("brightness", factor)
            case Saturation(factor):
                native.add_factor("saturation", factor)
            case Hue(factor):
                native.add_factor("hue", factor)
            case Contrast(factor, geometry):
                native.add_contrast(factor, _stage(geometry))
            case Fill(rgb):
                native.add_fill(rgb)
    return native


def execute_image(
    img: DCTImage,
    target: _native.Target,
    *,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> torch.Tensor:
    """Carry out an image's plan: straight from the file's bytes, or from planes where there are planes already.

    Args:
        img: gray, YCbCr or equally sampled RGB; its plan's output a multiple of 8 px high and wide.
        target: the channels and how they are standardised.
        dtype: of the result; computed and, but for float16 and bfloat16, written as float32.
        memory_format: torch.contiguous_format or torch.channels_last.

    Returns:
        (C, H/8, W/8) of `dtype`.

    Raises:
        JpegError: if the file cannot be read.
        ValueError: if the plan's output is not whole blocks, or the planes have other colours.
    """
    rows, cols = img.plan.output_blocks
    written = dtype if dtype in DTYPES else torch.float32
    if memory_format == torch.channels_last:
        out = torch.empty((rows, cols, len(target)), dtype=written, device="cpu").permute(2, 0, 1)
    else:
        out = torch.empty((len(target), rows, cols), dtype=written, device="cpu")
    file = img.undecoded_file
    if file is None:
        execute_planes(img, target, out)
    else:
        with naming(file.path):
            execute(file.data, img.plan, target, out, max_pixels=file.max_pixels)
    return out.to(dtype)


def execute(
    data: bytes,
    plan: Plan,
    target: _native.Target,
    out: torch.Tensor,
    *,
    max_pixels: int,
    instruction_set: str | None = None,
) -> None:
    """Decode what the plan needs of a JPEG file and carry the plan out.

    Args:
        data: the file; any contiguous buffer of bytes.
        plan: for a picture of the file's size, its output a multiple of 8 px high and wide.
        target: the channels and how they are standardised.
        out: (C, H/8, W/8) float32, float16 or bfloat16 on the CPU, of any strides; undefined after an exception.
        max_pixels: largest accepted width times height.
        instruction_set: one of `freqlearn._native.instruction_sets()`; by default the best.

    Raises:
        JpegError: if the file cannot be read.
        ValueError: if the plan does not fit the picture, or `out` the plan; if the picture is not gray, YCbCr or
            equally sampled RGB.
        TypeError: if `out` is not such a tensor.
    """
    _native.execute(
        data,
        plan_of(plan),
        target,
        pointer=out.data_ptr(),
        dtype=_dtype(out),
        shape=_three(out.shape),
        strides=_three(out.stride()),
        max_pixels=max_pixels,
        instruction_set=instruction_set,
    )


def execute_planes(
    img: DCTImage, target: _native.Target, out: torch.Tensor, *, instruction_set: str | None = None
) -> None:
    """Carry out an image's plan on its planes, which are decoded if they are not yet.

    Args:
        img: gray, YCbCr or equally sampled RGB; its plan's output a multiple of 8 px high and wide.
        target: the channels and how they are standardised.
        out: (C, H/8, W/8) float32, float16 or bfloat16 on the CPU, of any strides; undefined after an exception.
        instruction_set: one of `freqlearn._native.instruction_sets()`; by default the best.

    Raises:
        JpegError: if the file cannot be read.
        ValueError: if the planes have other colours, or `out` does not fit the plan.
        TypeError: if `out` is not such a tensor.
    """
    planes: list[NDArray[Any]] = list(img.planes)
    _native.execute_planes(
        planes,
        list(img.quant_tables),
        img.sampling,
        img.color_space,
        plan_of(img.plan),
        target,
        pointer=out.data_ptr(),
        dtype=_dtype(out),
        shape=_three(out.shape),
        strides=_three(out.stride()),
        instruction_set=instruction_set,
    )


def _dtype(out: torch.Tensor) -> str:
    if out.device.type != "cpu" or out.dtype not in DTYPES or out.requires_grad:
        raise TypeError(
            f"expected a tensor of {', '.join(DTYPES.values())} on the CPU that needs no gradient, got {out.dtype} on "
            f"{out.device}" + (" with requires_grad" if out.requires_grad else "")
        )
    return DTYPES[out.dtype]


def _three(values: Sequence[int]) -> tuple[int, int, int]:
    if len(values) != 3:
        raise ValueError(f"expected a tensor (C, H/8, W/8), got {len(values)} dimensions")
    return values[0], values[1], values[2]


def _stage(geometry: Geometry) -> _Stage:
    box, window, visible = geometry.box, geometry.window, geometry.visible
    return (*_four(box), *geometry.scaled_px, *_four(window), *_four(visible))


def _four(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.left, box.height, box.width
