"""The channel-importance heatmap: three 8x8 panels, Y, Cb and Cr, on one scale."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.indexing import COMPONENTS
from freqlearn.pipelines.figures import save_figure
from freqlearn.pipelines.importance import Importance

DEFAULT_TOP = 24

# cividis reads the same with and without red-green colour blindness (Nuñez, Anderton, Renslow, PLOS ONE 2018).
_COLOURS = "cividis"
# Shares of variance span seven decades between DC and the highest frequencies; the lowest two share the darkest colour.
_ENERGY_DECADES = 5
# White lines with a dark rim stand out from every colour of the map.
_LINE_WIDTH = 2.0
_RIM = [patheffects.withStroke(linewidth=_LINE_WIDTH + 2, foreground="black")]
_RING: dict[str, Any] = {
    "marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": "white", "markeredgewidth": 1.5,
    "path_effects": [patheffects.withStroke(linewidth=3.5, foreground="black")],
}  # fmt: skip

_QUANTITY = {
    "gate": "probability that the channel is on",
    "energy": "share of the total variance",
    "ablation": "loss increase without the channel (nats)",
}
_METHOD = {"gate": "learned by the gate", "energy": "by energy", "ablation": "by ablation"}


def draw(
    importance: Importance,
    folder: str | PathLike[str],
    *,
    selected: ChannelSet | None = None,
    marked: ChannelSet | None = None,
    title: str | None = None,
) -> tuple[Path, Path]:
    """Write heatmap.png and heatmap.svg.

    Args:
        importance: What to draw.
        folder: Folder to write to; made if need be.
        selected: Channels to outline; the 24 most important by default.
        marked: Channels to mark with a ring, for instance those known to matter.
        title: First line above the panels; by default it says what was measured on what.

    Returns:
        The two files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return save_figure(figure(importance, selected=selected, marked=marked, title=title), folder, "heatmap")


def figure(
    importance: Importance,
    *,
    selected: ChannelSet | None = None,
    marked: ChannelSet | None = None,
    title: str | None = None,
) -> Figure:
    """Return the heatmap as a figure, for a notebook or another file format; arguments as of `draw`."""
    selected = importance.top(DEFAULT_TOP) if selected is None else selected
    picture = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    scale = _scale(importance)
    panels: list[Axes] = list(picture.subplots(1, 3))
    # Not below the scale: a logarithm has no colour for zero.
    grids = np.maximum(importance.values, scale.vmin if scale.vmin is not None else 0.0).reshape(3, 8, 8)
    chosen = selected.mask().reshape(3, 8, 8)
    share = importance.summary()
    for number, (axes, name) in enumerate(zip(panels, COMPONENTS, strict=True)):
        image = axes.imshow(grids[number], norm=scale, cmap=_COLOURS)
        _outline(axes, chosen[number])
        if marked is not None:
            _ring(axes, marked.component(number))
        axes.set_title(
            f"{name}: {chosen[number].sum()} of 64 selected, {share[name]:.0%} of the importance", fontsize=9.5
        )
        axes.set_xlabel("horizontal frequency u")
        axes.set_xticks(range(8))
        axes.set_yticks(range(8))
        axes.tick_params(length=0)
    panels[0].set_ylabel("vertical frequency v")
    bar = picture.colorbar(
        image, ax=panels, shrink=0.82, pad=0.015, extend="min" if importance.method == "energy" else "neither"
    )
    bar.set_label(_QUANTITY[importance.method])
    picture.suptitle(title or _title(importance), fontsize=12)
    _legend(picture, selected, marked)
    return picture


def _scale(importance: Importance) -> Normalize:
    values = importance.values
    if importance.method == "gate":
        return Normalize(0.0, 1.0)
    highest = float(values.max())
    if importance.method == "energy" and highest > 0:
        return LogNorm(highest * 10.0**-_ENERGY_DECADES, highest, clip=True)
    return Normalize(min(0.0, float(values.min())), highest)


def _outline(axes: Axes, chosen: NDArray[np.bool_]) -> None:
    """Draw the border between chosen and other cells of one panel."""
    padded = np.pad(chosen, 1)
    edges = [  # vertical ones at x = u - 0.5, then horizontal ones at y = v - 0.5
        *([(u - 0.5, v - 1.5), (u - 0.5, v - 0.5)] for v, u in np.argwhere(padded[:, 1:] != padded[:, :-1])),
        *([(u - 1.5, v - 0.5), (u - 0.5, v - 0.5)] for v, u in np.argwhere(padded[1:, :] != padded[:-1, :])),
    ]
    # All of the rim under all of the white, so that the joints do not show.
    for colour, width in (("black", _LINE_WIDTH + 2), ("white", _LINE_WIDTH)):
        axes.add_collection(
            LineCollection(edges, colors=colour, linewidths=width, capstyle="projecting", clip_on=False, zorder=3)
        )
    axes.set_xlim(-0.5, 7.5)
    axes.set_ylim(7.5, -0.5)


def _ring(axes: Axes, naturals: tuple[int, ...]) -> None:
    for natural in naturals:
        v, u = divmod(natural, 8)
        axes.plot(u, v, **_RING)


def _legend(picture: Figure, selected: ChannelSet, marked: ChannelSet | None) -> None:
    outline = Line2D([], [], color="white", linewidth=_LINE_WIDTH, path_effects=_RIM, label=f"selected: {selected}")
    handles = [outline]
    if marked is not None:
        handles.append(Line2D([], [], linestyle="", label=str(marked), **_RING))
    picture.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _title(importance: Importance) -> str:
    where = importance.measured_on
    parts = [f"Channel importance, {_METHOD[importance.method]}"]
    if "folder" in where:
        parts.append("on " + "/".join(Path(str(where["folder"])).parts[-2:]))
    if "images" in where:
        parts.append(f"({where['images']} images)")
    return " ".join(parts)
