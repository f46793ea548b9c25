"""What tests of writing check of a file: it reads back as what was written, by us and by libjpeg."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import freqlearn as fl

ASSETS = Path(__file__).parents[1] / "assets"
REFUSED_ASSETS = {"arithmetic.jpg", "arithmetic_progressive.jpg"}
READABLE_ASSETS = sorted(
    p.name for p in ASSETS.iterdir() if p.suffix in {".jpg", ".mpo"} and p.name not in REFUSED_ASSETS
)


def read(jpeg: bytes | Path) -> fl.DCTImage:
    """A file's own coefficients, whatever its colours."""
    return fl.read_dct(jpeg, decoder="native")


def assert_read_back(jpeg: bytes, image: fl.DCTImage) -> fl.DCTImage:
    """Our reader finds exactly the image in the file, and nothing odd about it."""
    back = read(jpeg)
    assert back.complete
    assert back.warnings == ()
    assert back.size_px == image.size_px
    assert back.sampling == image.sampling
    assert back.color_space == image.color_space
    assert len(back.planes) == len(image.planes)
    for ours, theirs in zip(back.planes, image.planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(back.quant_tables, image.quant_tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return back


def assert_libjpeg_reads(jpeg: bytes, image: fl.DCTImage, read_planes: Callable[..., tuple[list, list]]) -> None:
    """The image's coefficients are those that libjpeg finds in the file, and its tables those that Pillow finds."""
    planes, tables = read_planes(jpeg)
    assert len(planes) == len(image.planes)
    for ours, theirs in zip(image.planes, planes, strict=True):
        rows, cols = ours.shape[:2]  # libjpeg gives padding blocks as well
        np.testing.assert_array_equal(ours, theirs[:rows, :cols])
    for ours, theirs in zip(image.quant_tables, tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
