"""The native operator's output beside the readable one's, for its tests."""

from collections.abc import Sequence

import numpy as np
import torch
from jpeg_builder import block_counts

import freqlearn as fl
from freqlearn import native_operator
from freqlearn.operator import compute, planes_of
from freqlearn.plan import Plan

# Values up to some thousand, sums of a few hundred products in float32.
FLOAT32 = 2e-3


def reference(img: fl.DCTImage, channels: Sequence[int]) -> np.ndarray:
    """(C, H/8, W/8) float64, dequantised."""
    return compute(planes_of(img), img.plan, channels, dtype="float64")


def unwritten(img: fl.DCTImage, count: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(count, H/8, W/8), all NaN."""
    height, width = img.plan.output_size
    return torch.full((count, height // 8, width // 8), float("nan"), dtype=dtype)


def native(img: fl.DCTImage, channels: Sequence[int], *, tolerance: float = 0.0, **options) -> np.ndarray:
    """(C, H/8, W/8) float32, from the image's planes."""
    plain = native_operator.target(channels, [0.0] * len(channels), [1.0] * len(channels), tolerance=tolerance)
    out = unwritten(img, len(channels))
    native_operator.execute_planes(img, plain, out, **options)
    return out.numpy()


def make_image(
    size_px: tuple[int, int],
    sampling: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    quantised: bool = True,
    color_space: str | None = None,
) -> fl.DCTImage:
    """An image of smooth-ish noise: large low frequencies, small high ones."""
    rng = np.random.default_rng(seed)
    falling = 400.0 / (1 + np.add.outer(np.arange(8), np.arange(8))) ** 1.5
    planes, tables = [], []
    for rows, cols in block_counts(size_px, sampling):
        values = rng.normal(0, falling, (rows, cols, 8, 8))
        table = rng.integers(1, 40, (8, 8)).astype(np.uint16)
        planes.append(np.round(values / table).astype(np.int16) if quantised else values.astype(np.float32))
        tables.append(table)
    return fl.DCTImage.from_planes(
        planes, tables if quantised else None, size_px=size_px, sampling=sampling, color_space=color_space
    )


def with_steps(img: fl.DCTImage, steps: Sequence[str], rng: np.random.Generator) -> fl.DCTImage:
    """The image with a plan of these steps, their numbers drawn."""
    plan = img.plan
    for step in steps:
        plan = _step(plan, step, rng)
    height, width = plan.output_size
    if height % 8 or width % 8:
        h, w = (int(8 * rng.integers(1, max(2, side // 8 + 1))) for side in (height, width))
        plan = plan.crop(
            top=int(rng.integers(min(0, height - h), max(0, height - h) + 1)),
            left=int(rng.integers(min(0, width - w), max(0, width - w) + 1)),
            height=h,
            width=w,
            fill=_fill_of(plan),
        )
    return img.with_plan(plan)


def _fill_of(plan: Plan) -> tuple[float, float, float]:
    fills = [step.rgb for step in plan.colors if hasattr(step, "rgb")]
    return fills[-1] if fills else (0.0, 0.0, 0.0)


def _step(plan: Plan, step: str, rng: np.random.Generator) -> Plan:
    height, width = plan.output_size
    match step:
        case "crop":
            h, w = int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))
            top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
            return plan.crop(top=top, left=left, height=h, width=w)
        case "resize":
            h, w = (int(rng.integers(1, 90)) for _ in range(2))
            return plan.resize(h, w)
        case "pad":
            top, left, below, right = (int(side) for side in rng.integers(0, 20, 4))
            fill = (float(rng.integers(0, 256)), 10.0, 200.0)
            return plan.crop(top=-top, left=-left, height=height + top + below, width=width + left + right, fill=fill)
        case "hue":
            return plan.hue(float(rng.uniform(-0.5, 0.5)))
        case "brightness" | "contrast" | "saturation":
            return getattr(plan, step)(float(rng.uniform(0, 2)))
        case _:
            return getattr(plan, step)()


def dc_alone(img: fl.DCTImage) -> fl.DCTImage:
    """The image, each block as flat as its mean."""
    only = np.zeros((8, 8), np.int16)
    only[0, 0] = 1
    planes = [plane * only for plane in img.planes]
    flat = fl.DCTImage.from_planes(
        planes, img.quant_tables, size_px=img.size_px, sampling=img.sampling, color_space=img.color_space
    )
    return flat.with_plan(img.plan)
