"""Accuracy against bytes, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from benchmarks.flowers.variants import SIZES_PX
from benchmarks.flowers_bytes.copies import Copy, Group
from benchmarks.flowers_bytes.results import Row
from freqlearn.pipelines.figures import save_picture

_LOOKS = {
    "original": ("s", "#222222", "original files"),
    "pruned": ("v", "#b5542a", "the files' own DCT-48 and DCT-24"),
    "visible": ("^", "#3f8f4f", "what the model weighs, by tolerance"),
    "negligible": ("<", "#7a9a2f", "that, without the negligible"),
    "packed 64": ("o", "#2a5d8f", "packed, DCT-64, by quality"),
    "packed 24": ("D", "#7b4fa3", "packed, DCT-24, by quality"),
}
"""Marker, colour and words of each way to fewer bytes."""

_SPAN = 10.0
"""Points that a panel shows: less would make much of what seeds differ by."""


def draw(found: Mapping[Group, Sequence[Row]], path: Path) -> Path:
    """Write one panel for each group of models: filled, trained on the originals; hollow, on the files themselves."""
    shown = {group: rows for group, rows in found.items() if rows}
    picture = Figure(figsize=(11, 5.4), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    panels: NDArray[np.object_] = picture.subplots(1, len(shown), squeeze=False)[0]
    for axes, (group, rows) in zip(panels, shown.items(), strict=True):
        _panel(axes, rows)
        axes.set_title(f"ResNet-18 on DCT-24, {SIZES_PX[group]} px")
    panels[0].set_ylabel("accuracy on validation photos, %")
    picture.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize=9)
    save_picture(picture, path)
    return path


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    first = rows[0]
    mean, spread = first.accuracies.mean(), first.accuracies.std(ddof=1) if len(first.seeds) > 1 else 0.0
    axes.axhspan(mean - spread, mean + spread, color="#222222", alpha=0.08, linewidth=0)
    axes.axhline(mean, color="#222222", linewidth=0.8, linestyle=":")
    for row in rows:
        if row.copy.kind == "optimised":  # the same pictures: a point beside the originals' would say nothing
            continue
        _point(axes, row.copy, row.bytes_per_image, row.accuracies, filled=True)
        if row.own_accuracies is not None and row.copy.kind != "original":
            _point(axes, row.copy, row.bytes_per_image, row.own_accuracies, filled=False)
    axes.set_ylim(mean - _SPAN / 2, mean + _SPAN / 2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g} kB"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("bytes per image (JPEG file)")
    axes.grid(alpha=0.25)


def _point(axes: Axes, copy: Copy, size: float, accuracies: NDArray[np.float64], *, filled: bool) -> None:
    marker, color, _ = _LOOKS[_look(copy)]
    axes.errorbar(
        size,
        accuracies.mean(),
        yerr=accuracies.std(ddof=1) if len(accuracies) > 1 else None,
        marker=marker,
        color=color,
        markerfacecolor=color if filled else "white",
        markersize=7,
        linestyle="",
        elinewidth=0.8,
        capsize=2,
    )
    if filled:
        # Where their neighbours' words are above.
        below = (copy.kind == "packed" and copy.channels == 24) or (copy.kind == "visible" and copy.tolerance == 0.3)
        axes.annotate(
            _short(copy),
            (size, accuracies.mean()),
            xytext=(4, -13 if below else 5),
            textcoords="offset points",
            fontsize=8,
            color=color,
        )


def _look(copy: Copy) -> str:
    if copy.kind == "packed":
        return f"packed {copy.channels}"
    return "negligible" if copy.negligible else copy.kind


def _short(copy: Copy) -> str:
    match copy.kind:
        case "pruned":
            return f"{copy.channels}"
        case "visible":
            return f"{copy.negligible or copy.tolerance:g}"
        case "packed":
            return f"q{copy.quality}"
        case _:
            return ""


def _legend() -> list[Line2D]:
    ways = [
        Line2D([], [], linestyle="", marker=marker, color=color, label=words)
        for marker, color, words in _LOOKS.values()
    ]
    black = {"linestyle": "", "marker": "o", "color": "#777777"}
    trained = [
        Line2D([], [], **black, label="filled: trained on the originals"),
        Line2D([], [], **black, markerfacecolor="white", label="hollow: trained on these files"),
    ]
    return [*ways, *trained]
