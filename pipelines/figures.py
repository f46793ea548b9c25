"""Writing figures to files whose bytes depend on what is drawn alone."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from freqlearn import atomic

_DPI = 160
# What would say when a file was written, or by what.
_LEFT_OUT = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


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


def save_picture(figure: Figure, path: Path) -> None:
    """Write one file, of the kind that its suffix says; the same figure gives the same bytes of a .png or .svg.

    Raises:
        OSError: If the file cannot be written; what was there before is then untouched.
        ValueError: If the suffix is unknown.
    """
    kind = check_suffix(path)
    with mpl.rc_context({"svg.hashsalt": "freqlearn"}):
        atomic.write_file(path, lambda file: figure.savefig(file, format=kind, dpi=_DPI, metadata=_LEFT_OUT.get(kind)))


def check_suffix(path: Path) -> str:
    """Return the kind of picture that a file's suffix names, such as "png".

    Raises:
        ValueError: If it names none.
    """
    kinds = FigureCanvasAgg.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in kinds:
        raise ValueError(f"{path}: expected a suffix of {', '.join(sorted(kinds))}, got {path.suffix!r}")
    return kind
