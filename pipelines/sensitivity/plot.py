"""The plot of sensitivities: accuracy against what is taken out of the pictures."""

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

from freqlearn.pipelines.figures import save_figure
from freqlearn.pipelines.sensitivity.removals import Removal, Remove
from freqlearn.pipelines.sensitivity.result import ModelSensitivity, Sensitivity
from freqlearn.spectrum import HIGHEST

_AXIS = {
    "band": "cycles per picture, taken out band by band",
    "above": "cycles per picture from which on everything is taken out",
    "below": "cycles per picture below which everything is taken out",
}


def draw(found: Sensitivity, folder: Path) -> tuple[Path, Path]:
    """Write sensitivity.png and sensitivity.svg."""
    return save_figure(figure(found), folder, "sensitivity")


def figure(found: Sensitivity) -> Figure:
    """The plot as a figure."""
    picture = Figure(figsize=(7.5, 4.8), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    axes: Axes = picture.subplots()
    removals = found.removals()
    edges = sorted({edge for removed in removals for edge in (removed.low, removed.high) if 0 < edge < math.inf})
    largest = max(model.size_px for model in found.models)
    # An axis of logarithms has no 0: the lowest band is drawn as an octave.
    ends = (edges[0] / 2, max(HIGHEST * largest, edges[-1] * math.sqrt(2)))
    for number, model in enumerate(found.models):
        _model(axes, model, found, f"C{number}", ends, shift=number - (len(found.models) - 1) / 2)
    for size_px in sorted({model.size_px for model in found.models}):
        axes.axvline(size_px / 2, color="0.6", linestyle=":", linewidth=1)
        axes.text(
            size_px / 2, 0.01, f" Nyquist of {size_px} px", transform=axes.get_xaxis_transform(), rotation=90,
            ha="right", va="bottom", fontsize=7, color="0.4",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xlim(*ends)
    axes.xaxis.set_major_locator(FixedLocator(edges))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{edge:.3g}" for edge in edges]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_AXIS[found.remove])
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    axes.grid(alpha=0.25)
    images = max(model.images for model in found.models)
    axes.set_title(f"{images} images of {'/'.join(Path(found.data).parts[-2:])}", fontsize=10)
    picture.legend(loc="outside lower center", ncols=min(len(found.models), 3), frameon=False, fontsize=8)
    return picture


def _model(
    axes: Axes,
    model: ModelSensitivity,
    found: Sensitivity,
    color: str,
    ends: tuple[float, float],
    *,
    shift: float,
) -> None:
    """One model: its accuracy as a line, and a point with its error for everything taken out."""
    label = f"{model.name} ({model.input}, {model.size_px} px)"
    axes.axhline(model.top1, color=color, linestyle="--", linewidth=1, alpha=0.6)
    points = sorted(model.points, key=lambda point: (point.removed.low, point.removed.high))
    # Models stand a little beside each other, so that their error bars do not hide one another.
    places = [_place(point.removed, found.remove, ends) * 2 ** (0.08 * shift) for point in points]
    axes.errorbar(
        places,
        [point.top1 for point in points],
        yerr=[point.standard_error for point in points],
        color=color,
        marker="o",
        markersize=4,
        capsize=3,
        linewidth=1,
        label=label,
    )


def _place(removed: Removal, remove: Remove, ends: tuple[float, float]) -> float:
    """Where it is drawn: a band at its middle, in octaves; what has one edge there."""
    if remove == "above":
        return removed.low
    if remove == "below":
        return removed.high
    return math.sqrt(max(removed.low, ends[0]) * min(removed.high, ends[1]))
