"""The picture of docs/spectrum.md: a generated scene beside its low, middle and high frequencies.

    python -m benchmarks.spectrum_picture [OUTPUT]

No photo, so that anybody may have it: clouds whose amplitude falls as 1/f, as a photo's does, some discs with sharp
edges, and a zone plate. That has another frequency at every place: x pixels from its middle there are x / 192 cycles
per pixel, so that its parts are rings. OUTPUT is docs/spectrum.png by default. `freqlearn spectrum FILE` draws the same
of any image.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freqlearn.pipelines.spectrum_figure import draw_file

HEIGHT, WIDTH = 256, 384
PLATE_PX = 192


def scene() -> NDArray[np.uint8]:
    """(256, 384, 3) uint8."""
    generator = np.random.default_rng(5)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH))
    amplitude = 1 / np.maximum(frequency, 1 / WIDTH)
    noise = np.fft.ifft2(np.fft.fft2(generator.standard_normal((3, HEIGHT, WIDTH))) * amplitude, axes=(1, 2)).real
    light, warm, green = noise / noise.std(axis=(1, 2), keepdims=True)
    levels = 125 + 35 * np.stack([light + 0.5 * warm, light + 0.4 * green, light - 0.5 * warm], axis=-1)
    for _ in range(12):
        top, left, radius = generator.uniform((0, 200, 8), (HEIGHT, WIDTH, 32))
        levels[np.hypot(down - top, across - left) < radius] = generator.uniform(40, 220, 3)
    y, x = down - HEIGHT / 2, across - 120
    plate = np.exp(-((np.hypot(y, x) / 80) ** 6)) * 90 * np.cos(np.pi / PLATE_PX * (y**2 + x**2))
    return np.clip(np.rint(levels + plate[..., None]), 0, 255).astype(np.uint8)


def main(arguments: list[str]) -> None:
    """Draw it, in 256 colours, which make a file of half the size."""
    output = Path(arguments[0] if arguments else "docs/spectrum.png")
    with tempfile.TemporaryDirectory() as folder:
        file, drawn = Path(folder, "scene.png"), Path(folder, "drawn.png")
        Image.fromarray(scene()).save(file)
        draw_file(file, drawn, low=1 / 16, high=1 / 4)
        with Image.open(drawn) as picture:
            picture.convert("RGB").quantize(256).save(output, optimize=True)
    print(output)


if __name__ == "__main__":
    main(sys.argv[1:])
