"""The heatmap: what is drawn where, on which scale. Read back from the figure, the PNG and the SVG."""

import math
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from PIL import Image

from freqlearn.channels import ChannelSet
from freqlearn.pipelines import heatmap
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.rank_options import Method


@pytest.fixture
def gate() -> Importance:
    values = np.random.default_rng(0).random(192)
    return Importance(values, "gate", {"folder": "some/photos/train", "images": 12})


def test_three_panels_on_one_scale(gate: Importance) -> None:
    axes = heatmap.figure(gate).axes
    panels, bar = axes[:3], axes[3]
    assert [axis.get_title().split(":")[0] for axis in panels] == ["Y", "Cb", "Cr"]
    images = [axis.images[0] for axis in panels]
    assert np.array_equal(np.stack([image.get_array() for image in images]).ravel(), gate.values)
    assert len({id(image.norm) for image in images}) == 1
    assert (images[0].norm.vmin, images[0].norm.vmax) == (0, 1)
    assert bar.get_ylabel() == "probability that the channel is on"
    assert panels[0].get_ylabel() == "vertical frequency v"
    assert {axis.get_xlabel() for axis in panels} == {"horizontal frequency u"}


def test_cells_are_where_v_and_u_say(gate: Importance, tmp_path: Path) -> None:
    values = np.zeros(192)
    values[8 * 5 + 2] = 1.0  # Y, v = 5 (down), u = 2 (right)
    importance = Importance(values, "gate")
    png, _ = heatmap.draw(importance, tmp_path, selected=ChannelSet.of([191]))
    pixels = np.asarray(Image.open(png).convert("RGB")).astype(int)
    figure = heatmap.figure(importance, selected=ChannelSet.of([191]))
    figure.canvas.draw()
    x, y = figure.axes[0].transData.transform((2, 5)) * (pixels.shape[1] / figure.bbox.width)
    brightest = (np.array(mpl.colormaps["cividis"](1.0)[:3]) * 255).round()
    assert np.abs(pixels[round(pixels.shape[0] - y), round(x)] - brightest).max() <= 2


def _outline(figure: mpl.figure.Figure, panel: int) -> set[tuple[tuple[float, float], tuple[float, float]]]:
    lines = [c for c in figure.axes[panel].collections if isinstance(c, LineCollection)]
    return {tuple(map(tuple, segment.tolist())) for segment in lines[-1].get_segments()}  # type: ignore[misc]


def test_outline_is_the_border_of_the_selection(gate: Importance) -> None:
    # Two neighbours, (v, u) = (0, 0) and (0, 1): six edges, none between them.
    figure = heatmap.figure(gate, selected=ChannelSet.of([64, 65]))
    assert _outline(figure, 0) == set()
    assert _outline(figure, 1) == {
        ((-0.5, -0.5), (-0.5, 0.5)),
        ((1.5, -0.5), (1.5, 0.5)),
        ((-0.5, -0.5), (0.5, -0.5)),
        ((0.5, -0.5), (1.5, -0.5)),
        ((-0.5, 0.5), (0.5, 0.5)),
        ((0.5, 0.5), (1.5, 0.5)),
    }


def test_24_most_important_are_outlined_by_default(gate: Importance) -> None:
    titles = [axis.get_title() for axis in heatmap.figure(gate).axes[:3]]
    counts = [int(title.split(": ")[1].split(" of 64")[0]) for title in titles]
    assert counts == [len(gate.top(24).component(c)) for c in range(3)]


def test_marked_channels_get_a_ring(gate: Importance) -> None:
    figure = heatmap.figure(gate, marked=ChannelSet.of([8 * 3 + 6, 128], name="planted"))
    rings = [[tuple(line.get_xydata()[0]) for line in axis.lines] for axis in figure.axes[:3]]
    assert rings == [[(6, 3)], [], [(0, 0)]]
    assert "planted (2 channels)" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("method", "values"),
    [
        pytest.param("gate", np.zeros(192), id="nothing on"),
        pytest.param("energy", np.eye(1, 192)[0], id="all energy in DC"),
        pytest.param("energy", np.full(192, 1 / 192), id="white"),
        pytest.param("energy", np.zeros(192), id="no energy"),
        pytest.param("ablation", np.linspace(-1, 1, 192), id="negative"),
        pytest.param("ablation", np.full(192, -0.1), id="all negative"),
    ],
)
def test_extremes_are_drawn(method: Method, values: np.ndarray, tmp_path: Path) -> None:
    png, svg = heatmap.draw(Importance(values, method), tmp_path)
    assert Image.open(png).size[0] > 1000
    ElementTree.parse(svg)


def test_energy_is_on_a_logarithmic_scale() -> None:
    shares = np.geomspace(1, 1e-12, 192)
    figure = heatmap.figure(Importance(shares / shares.sum(), "energy"))
    image = figure.axes[2].images[0]
    assert isinstance(image.norm, LogNorm)
    assert math.isclose(image.norm.vmax / image.norm.vmin, 1e5)
    assert not np.ma.getmaskarray(image.norm(image.get_array())).any(), "every cell has a colour"


def test_same_importance_same_bytes(gate: Importance, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in heatmap.draw(gate, tmp_path / "a")]
    assert first == [path.read_bytes() for path in heatmap.draw(gate, tmp_path / "b")]


def test_title_says_what_was_measured_on_what(gate: Importance) -> None:
    assert heatmap.figure(gate).get_suptitle() == "Channel importance, learned by the gate on photos/train (12 images)"
    assert heatmap.figure(gate, title="Mine").get_suptitle() == "Mine"
