"""The plot of a sweep: accuracy against the number of channels, and against the bytes of an image."""

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

from freqlearn.pipelines.figures import save_figure
from freqlearn.pipelines.sweep_points import Point, Summary

_FREQUENCY, _PIXELS = "#2a5d8f", "#b5542a"


def draw(
    entries: Sequence[Summary], folder: str | PathLike[str], *, points: Sequence[Point] = (), title: str = ""
) -> tuple[Path, Path]:
    """Write sweep.png and sweep.svg.

    Args:
        entries: One for each number of channels, and at most one of input "rgb".
        folder: Folder to write to.
        points: The single trainings, drawn as dots.
        title: Line above the plot.

    Returns:
        The two files.
    """
    return save_figure(figure(entries, points=points, title=title), Path(folder), "sweep")


def figure(entries: Sequence[Summary], *, points: Sequence[Point] = (), title: str = "") -> Figure:
    """Return the plot as a figure; arguments as of `draw`."""
    picture = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    axes: Axes = picture.subplots()
    frequency = [entry for entry in entries if entry.input == "dct"]
    for entry in entries:
        if entry.input == "rgb":
            _baseline(axes, entry)
    if frequency:
        _curve(axes, frequency)
    singles = [point for point in points if point.input == "dct"]
    if len(singles) > len(frequency):
        axes.plot(
            [point.channels for point in singles],
            [point.accuracy for point in singles],
            linestyle="",
            marker=".",
            color=_FREQUENCY,
            alpha=0.4,
            label="single trainings",
        )
    axes.set_ylabel("accuracy on validation images")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    axes.grid(alpha=0.25)
    axes.legend(loc="best", frameon=False)
    axes.set_title(title, fontsize=10)
    return picture


def _curve(axes: Axes, entries: Sequence[Summary]) -> None:
    channels = [entry.channels for entry in entries]
    axes.errorbar(
        channels,
        [entry.accuracy for entry in entries],
        yerr=[entry.standard_error for entry in entries],
        marker="o",
        capsize=3,
        color=_FREQUENCY,
        label="frequency channels, ± standard error of the validation images",
    )
    axes.set_xscale("log")
    _ticks(axes, channels, [str(count) for count in channels])
    axes.set_xlabel("channels")
    each = entries[0].bytes_per_image / entries[0].channels
    above = axes.secondary_xaxis("top", functions=(partial(np.multiply, each), partial(np.multiply, 1 / each)))
    above.set_xscale("log")
    _ticks(above, [count * each for count in channels], [_size(count * each) for count in channels])
    above.set_xlabel("bytes per image")


def _ticks(axes: Axes | SecondaryAxis, places: Sequence[float], labels: Sequence[str]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.xaxis.set_minor_locator(NullLocator())


def _baseline(axes: Axes, entry: Summary) -> None:
    axes.axhline(entry.accuracy, color=_PIXELS, linestyle="--", label=f"RGB, {_size(entry.bytes_per_image)} per image")
    axes.axhspan(
        entry.accuracy - entry.standard_error, entry.accuracy + entry.standard_error, color=_PIXELS, alpha=0.12, lw=0
    )


def _size(number: float) -> str:
    return f"{number / 1e6:.3g} MB" if number >= 1e6 else f"{number / 1e3:.3g} kB"
