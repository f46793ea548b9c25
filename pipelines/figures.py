"""Writing figures to files whose bytes depend on what is drawn alone."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

_DPI = 160


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.png and NAME.svg; the same figure gives the same bytes.

    Args:
        figure: What to write.
        folder: Folder to write to.
        name: Of the files, without a suffix.

    Returns:
        The two files.
    """
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with mpl.rc_context({"svg.hashsalt": "freqlearn"}):  # a fixed salt, and no date
        figure.savefig(png, dpi=_DPI, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
    return png, svg
