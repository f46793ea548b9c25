"""What an installed freqlearn must do at least: python tests/smoke.py, without network, pytest or the sources.

Turns tests/assets/420_restart.jpg into tensors, on every instruction set of this processor, and compares them with the
float64 operator and the picture's brightness with Pillow's.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

import freqlearn as fl
from freqlearn import _native, native_operator, operator

JPEG = Path(__file__).parent / "assets" / "420_restart.jpg"
# float32: seven decimal digits of values up to some 1000 dequantised units, a few dozen terms a coefficient.
FLOAT32 = 1e-3
# Pillow rounds and clamps pixels.
PIXELS = 1.0


def compare(what: str, got: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Ends the program where they differ by more."""
    if got.shape != expected.shape:
        raise SystemExit(f"{what}: expected shape {expected.shape}, got {got.shape}")
    difference = float(np.abs(got - expected).max())
    if not difference < tolerance:
        raise SystemExit(f"{what}: expected a difference below {tolerance}, got {difference}")


def check_plan() -> None:
    """A crop, resized and mirrored: all 192 channels against the float64 operator."""
    img = fl.read_dct(JPEG)
    img = img.with_plan(img.plan.crop(top=3, left=5, height=20, width=30).resize(32, 24).hflip())
    tensor = fl.transforms.ToFrequencyTensor(fl.ChannelSet.all())(img).numpy()
    expected = operator.compute(operator.planes_of(img), img.plan, range(192), dtype="float64")
    compare("ToFrequencyTensor", tensor, expected, FLOAT32)

    target = native_operator.target(range(192), [0.0] * 192, [1.0] * 192)
    for name in _native.instruction_sets():
        out = torch.full((192, 4, 3), float("nan"))
        native_operator.execute(JPEG.read_bytes(), img.plan, target, out, max_pixels=10_000, instruction_set=name)
        compare(name, out.numpy(), expected, FLOAT32)


def check_pixels() -> None:
    """The mean of Y against Pillow's."""
    img = fl.read_dct(JPEG)
    with Image.open(JPEG) as picture:
        height, width = picture.height // 8 * 8, picture.width // 8 * 8
        picture.draft("YCbCr", picture.size)
        luma = np.asarray(picture)[:height, :width, 0].mean() - 128
    img = img.with_plan(img.plan.crop(top=0, left=0, height=height, width=width))
    dc = fl.transforms.ToFrequencyTensor(fl.ChannelSet.of([0]))(img).numpy()
    # A block's DC is 8 times its mean.
    compare("brightness", np.asarray(dc.mean() / 8), np.asarray(luma), PIXELS)


if __name__ == "__main__":
    check_plan()
    check_pixels()
