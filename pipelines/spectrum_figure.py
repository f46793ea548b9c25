"""`freqlearn spectrum`: a picture beside its low, middle and high frequencies, its spectra, and its power."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from freqlearn.color import LEVEL_SHIFT, RGB_TO_YCBCR
from freqlearn.dct import BLOCK
from freqlearn.pipelines.figures import check_suffix, save_picture
from freqlearn.reading import read_dct
from freqlearn.spectrum import Mask, block_dct, block_energies, magnitude_spectrum, radial_profile, split_bands

# Below four decades under the highest there is little but the rounding of pixels.
_DECADES = 4
_COLOURS = "cividis"
_EDGE: dict[str, Any] = {"color": "#d1495b", "linewidth": 1.0}


def draw_file(file: str | Path, output: str | Path | None, *, low: float, high: float, mask: Mask = "sharp") -> Path:
    """Draw an image file; arguments as of `figure`.

    Args:
        file: An image that `freqlearn.read_dct` reads.
        output: Picture to write, its kind after its suffix; None for NAME.spectrum.png in the current folder.
        low: See `figure`.
        high: See `figure`.
        mask: See `figure`.

    Returns:
        What was written.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the file is no image, the picture too small, or an option out of range.
    """
    target = Path(f"{Path(file).stem}.spectrum.png" if output is None else output)
    check_suffix(target)
    pixels = read_dct(file).to_rgb()
    save_picture(figure(pixels, low=low, high=high, mask=mask, title=Path(file).name), target)
    return target


def figure(
    pixels: NDArray[np.uint8], *, low: float, high: float, mask: Mask = "sharp", title: str = "picture"
) -> Figure:
    """Draw a picture and its frequencies.

    Above: the picture, and its parts below `low`, from there to `high`, and from there on, which sum to it. Below, of
    Y: the magnitudes of the FFT; the magnitudes of the block DCT, place by place; each place's mean energy; and the
    power against radial frequency.

    Args:
        pixels: (H, W, 3) uint8, RGB, at least 8 x 8.
        low: Where low frequencies end, in cycles per pixel.
        high: Where high frequencies begin, in cycles per pixel.
        mask: How the parts go over into each other.
        title: What to call the picture.

    Raises:
        ValueError: If the picture is too small, or the frequencies do not rise.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < BLOCK:
        raise ValueError(f"expected a picture of at least 8x8 px, got {height}x{width} (height x width)")
    if not 0 < low < high < math.sqrt(0.5):
        raise ValueError(
            f"expected 0 < low < high < 0.707 cycles per pixel, the highest that pixels hold, got low {low:g} and "
            f"high {high:g}"
        )
    # One colour at a time: the transform of a large photo takes ten times its memory.
    planes = torch.from_numpy(np.moveaxis(pixels, -1, 0).astype(np.float32))
    parts = torch.stack([split_bands(plane, [low, high], mask=mask) for plane in planes], dim=-1)  # (3, H, W, 3)
    luma = _luma(pixels)
    shape = min(max(height / width, 0.4), 2.5)
    picture = Figure(figsize=(13, 3.1 * (shape + 1) + 0.8), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    axes = picture.subplots(2, 4, height_ratios=(shape, 1))
    _show(axes[0, 0], pixels, title)
    _show(axes[0, 1], _visible(parts[0].numpy(), around=0.0, times=1), f"below {low:.3g} cycles/px")
    for place, part, name in ((2, parts[1], f"{low:.3g} to {high:.3g}"), (3, parts[2], f"{high:.3g} and more")):
        times = _amplification(part)
        amplified = f", {times} times" if times > 1 else ""
        _show(axes[0, place], _visible(part.numpy(), around=128.0, times=times), f"{name}{amplified}")
    _draw_magnitudes(axes[1, 0], luma, low, high)
    whole = luma[: height // BLOCK * BLOCK, : width // BLOCK * BLOCK]
    _draw_blocks(axes[1, 1], whole)
    _draw_energies(axes[1, 2], whole)
    _draw_profile(axes[1, 3], luma, low, high)
    return picture


def _luma(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """(H, W) float32: Y - 128."""
    y = pixels.astype(np.float32) @ RGB_TO_YCBCR[0].astype(np.float32) - np.float32(LEVEL_SHIFT[0])
    return torch.from_numpy(y)


def _amplification(part: torch.Tensor) -> int:
    """The power of two that makes nearly all of a part's values fill the range of a display."""
    largest = float(np.quantile(part.abs().numpy(), 0.995))
    return 1 if largest < 1e-3 else int(2 ** min(max(math.floor(math.log2(128 / largest)), 0), 6))


def _visible(part: NDArray[np.float32], *, around: float, times: int) -> NDArray[np.uint8]:
    levels: NDArray[np.float32] = np.clip(np.rint(around + times * part), 0, 255)
    return levels.astype(np.uint8)


def _show(axes: Axes, pixels: NDArray[np.uint8], title: str) -> None:
    axes.imshow(pixels)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def _logarithmic(values: NDArray[np.floating]) -> LogNorm:
    highest = float(values.max()) or 1.0
    return LogNorm(vmin=highest * 10.0**-_DECADES, vmax=highest, clip=True)


def _draw_magnitudes(axes: Axes, luma: torch.Tensor, low: float, high: float) -> None:
    magnitudes = magnitude_spectrum(luma - luma.mean()).numpy()
    axes.imshow(magnitudes, norm=_logarithmic(magnitudes), cmap=_COLOURS, extent=(-0.5, 0.5, 0.5, -0.5))
    for frequency in (low, high):
        axes.add_patch(Circle((0, 0), frequency, fill=False, **_EDGE))
    axes.set(xlim=(-0.5, 0.5), ylim=(0.5, -0.5))
    axes.set_title("FFT of Y, magnitudes", fontsize=9)
    axes.set_xlabel("horizontal cycles/px", fontsize=8)
    axes.set_ylabel("vertical cycles/px", fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_blocks(axes: Axes, luma: torch.Tensor) -> None:
    maps = block_dct(luma).abs()  # (64, rows, cols)
    _, rows, cols = maps.shape
    mosaic = maps.reshape(BLOCK, BLOCK, rows, cols).permute(0, 2, 1, 3).reshape(BLOCK * rows, BLOCK * cols).numpy()
    axes.imshow(mosaic, norm=_logarithmic(mosaic), cmap=_COLOURS, interpolation="antialiased")
    for place in range(1, BLOCK):
        axes.axhline(place * rows - 0.5, color="white", linewidth=0.4)
        axes.axvline(place * cols - 0.5, color="white", linewidth=0.4)
    axes.set_title("block DCT of Y: a map for each cosine", fontsize=9)
    axes.set_axis_off()


def _draw_energies(axes: Axes, luma: torch.Tensor) -> None:
    energies = block_energies(luma).numpy()
    axes.imshow(energies, norm=_logarithmic(energies), cmap=_COLOURS)
    axes.set_title("mean energy of each cosine, v down, u across", fontsize=9)
    axes.set_xticks(range(BLOCK))
    axes.set_yticks(range(BLOCK))
    axes.tick_params(labelsize=7)


def _draw_profile(axes: Axes, luma: torch.Tensor, low: float, high: float) -> None:
    profile = radial_profile(luma - luma.mean())
    # Rings that hold nothing but rounding errors would stretch the scale.
    inside = (profile.frequency <= 0.5).numpy() & (profile.power > 1e-10 * profile.power.max()).numpy()
    axes.loglog(profile.frequency.numpy()[inside], profile.power.numpy()[inside], color="#2a5d8f", linewidth=1.2)
    for frequency in (low, high):
        axes.axvline(frequency, **_EDGE)
    axes.set_title("power of Y", fontsize=9)
    axes.set_xlabel("cycles/px", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.set_box_aspect(1)
