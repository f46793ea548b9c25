"""Bars of what a model's layers cost; of two models, side by side."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from freqlearn.pipelines.profiling.layers import Layer, Line, Profile
from freqlearn.pipelines.profiling.text import pairs

_COLORS = ("#2a5d8f", "#b5542a")
_PANELS: tuple[tuple[str, Callable[[Layer], float]], ...] = (
    ("million multiply-accumulates", lambda layer: layer.macs / 1e6),
    ("million parameters", lambda layer: layer.parameters / 1e6),
    ("activations, MB", lambda layer: layer.activation_bytes / 1e6),
)


def figure(profiles: Sequence[Profile], *, depth: int | None = None) -> Figure:
    """Draw one or two profiles: a bar a layer, whose lengths sum to the model's cost.

    Args:
        profiles: One or two.
        depth: How deep to go; by default deep enough for each.
    """
    if len(profiles) not in (1, 2):
        raise ValueError(f"expected one or two profiles to draw, got {len(profiles)}")
    depth = max(profile.usual_depth for profile in profiles) if depth is None else depth
    rows: list[tuple[Line | None, ...]]
    if len(profiles) == 1:
        rows = [(line,) for line in profiles[0].lines(depth)]
    else:
        rows = list(pairs(profiles[0], profiles[1], depth))
    # Only what sums to the whole; and no layer that costs nothing by any measure.
    rows = [tuple(line if line and line.part else None for line in row) for row in rows]
    rows = [row for row in rows if any(line and any(cost(line.layer) for _, cost in _PANELS) for line in row)]
    picture = Figure(figsize=(11, 1.4 + 0.26 * len(rows) + 0.2 * len(profiles)), layout="constrained")
    FigureCanvasAgg(picture)  # no pyplot: it keeps global state and looks for a display
    axes: Sequence[Axes] = picture.subplots(1, len(_PANELS), sharey=True)
    for panel, (title, cost) in zip(axes, _PANELS, strict=True):
        for position, color in enumerate(_COLORS[: len(profiles)]):
            height = 0.8 / len(profiles)
            panel.barh(
                [place + (position - (len(profiles) - 1) / 2) * height for place in range(len(rows))],
                [cost(line.layer) if (line := row[position]) else 0 for row in rows],
                height=height,
                color=color,
            )
        panel.set_title(
            f"{title}\n{' / '.join(f'{cost(profile.total):,.1f}' for profile in profiles)} in all", fontsize=9
        )
        panel.grid(axis="x", alpha=0.25)
        panel.tick_params(labelsize=8)
    names = [next(line for line in row if line) for row in rows]
    axes[0].set_yticks(range(len(rows)), [_name(line) for line in names])
    axes[0].invert_yaxis()
    if len(profiles) == 1:
        picture.suptitle(profiles[0].title, fontsize=10)
    else:
        handles = [Patch(color=color) for color in _COLORS]
        titles = [profile.title for profile in profiles]
        picture.legend(handles, titles, loc="outside upper center", fontsize=9, frameon=False)
    return picture


def _name(line: Line) -> str:
    name = line.layer.name or line.layer.type
    return f"{name} (itself)" if line.itself else name
