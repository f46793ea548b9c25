"""A small folder of all kinds of files that a data set may hold, and a way to prune it."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folder_contents import contents
from PIL import Image

from freqlearn.pipelines.pruning.options import PruneOptions
from freqlearn.pipelines.pruning.report import PruneReport
from freqlearn.pipelines.pruning.running import prune

ASSETS = Path(__file__).parents[2] / "assets"
_JPEGS = ("photos/cat/a.jpg", "photos/cat/größe 大.jpg", "photos/dog/b.JPEG", "photos/dog/gray.jpg", "misnamed.png")


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, make_jpeg: Callable[..., bytes]) -> Path:
    """Five JPEG files, one of them turned, one named as a PNG; a CMYK file, PNG files, labels."""
    root = tmp_path_factory.mktemp("source")
    png = io.BytesIO()
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(png, "PNG")
    files = {
        "photos/cat/a.jpg": make_jpeg(50, 70, seed=1, exif=_exif(6)),
        "photos/cat/größe 大.jpg": make_jpeg(33, 41, seed=2, sampling="4:4:4"),
        "photos/dog/b.JPEG": make_jpeg(64, 48, seed=3, progressive=True, optimise=True),
        "photos/dog/gray.jpg": make_jpeg(40, 40, seed=4, sampling="gray"),
        "misnamed.png": make_jpeg(24, 24, seed=5, sampling="4:2:2"),
        "photos/dog/a PNG.jpg": png.getvalue(),
        "photos/dog/cmyk.jpg": (ASSETS / "cmyk_adobe.jpg").read_bytes(),
        "photos/dog/real.png": png.getvalue(),
        "labels.csv": b"file,label\na.jpg,0\n",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture(scope="session")
def jpegs() -> tuple[str, ...]:
    """What is pruned of the source."""
    return _JPEGS


@pytest.fixture(scope="session", name="prune")
def _prune() -> Callable[..., PruneReport]:
    """`prune(source, output=None, ...)` with the channels of DCT-24, unless something else is kept."""

    def run(source: object, output: Path | None = None, **options: object) -> PruneReport:
        if "for_" not in options:
            options.setdefault("channels", "24")
        options.setdefault("progress", False)
        return prune(PruneOptions(source=str(source), output=output, **options))

    return run


@pytest.fixture(scope="session", name="contents")
def _contents() -> Callable[[Path], dict[str, bytes]]:
    """`contents(root)`: every file below a folder."""
    return contents
