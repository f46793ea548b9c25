import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freqlearn.pipelines import cli
from freqlearn.pipelines.spectrum_figure import figure

pytestmark = pytest.mark.usefixtures("fresh_logging")


def amplified(title: str) -> int:
    found = re.search(r", (\d+) times", title)
    return int(found[1]) if found else 1


@pytest.mark.parametrize("mask", ["sharp", "gaussian"])
def test_what_is_shown_sums_to_the_picture(mask: str, photo_like: Callable[..., np.ndarray]) -> None:
    pixels = photo_like(44, 60)
    whole, low, band, high, *_ = figure(pixels, low=0.1, high=0.25, mask=mask, title="a photo").axes
    np.testing.assert_array_equal(whole.images[0].get_array(), pixels)
    total = low.images[0].get_array().astype(float)
    fits = (total > 0) & (total < 255)
    rounding = 0.5
    for axes in (band, high):
        shown, times = axes.images[0].get_array().astype(float), amplified(axes.get_title())
        total += (shown - 128) / times
        fits &= (shown > 0) & (shown < 255)
        rounding += 0.5 / times
    assert fits.mean() > 0.9  # little is clipped
    assert np.abs(total - pixels)[fits].max() <= rounding + 1e-3
    assert np.abs(low.images[0].get_array().astype(float) - pixels).max() > 5


def test_the_spectra_are_of_luma(photo_like: Callable[..., np.ndarray]) -> None:
    pixels = np.tile(photo_like(32, 40)[..., :1], 3)  # gray: Y is the pixels
    *_, magnitudes, blocks, energies, profile = figure(pixels, low=0.1, high=0.25).axes
    gray = pixels[..., 0].astype(float)
    expected = np.abs(np.fft.fftshift(np.fft.fft2(gray - gray.mean(), norm="ortho")))
    np.testing.assert_allclose(magnitudes.images[0].get_array(), expected, atol=0.02)
    assert blocks.images[0].get_array().shape == (32, 40)
    # Parseval: a block's 64 energies sum to its 64 pixels' squares.
    squares = 64 * np.square(gray - 128).mean()
    assert energies.images[0].get_array().sum() == pytest.approx(squares, rel=1e-4)
    assert profile.lines[0].get_xdata().max() <= 0.5


def test_command_writes_the_same_file_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], make_jpeg: Callable[..., bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(make_jpeg(41, 50))
    assert cli.main(["spectrum", "photo.jpg"]) == 0
    assert capsys.readouterr().out == "photo.spectrum.png\n"
    assert cli.main(["spectrum", "photo.jpg", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("photo.spectrum.png").read_bytes()
    with Image.open("again.png") as drawn:
        assert min(drawn.size) > 500
    assert cli.main(["spectrum", "photo.jpg", "-o", "vector.svg", "--mask", "butterworth", "--low", "0.1"]) == 0
    assert "below 0.1 cycles/px" in Path("vector.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.xyz"], "out.xyz: expected a suffix of "),
        (
            ["--low", "0.3"],
            "expected 0 < low < high < 0.707 cycles per pixel, the highest that pixels hold, got low 0.3",
        ),
        (["--high", "0.8"], "got low 0.0625 and high 0.8"),
    ],
    ids=["suffix", "falling", "beyond"],
)
def test_says_what_cannot_be(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_jpeg: Callable[..., bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(make_jpeg(16, 24))
    assert cli.main(["spectrum", "photo.jpg", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg"]


def test_too_small_a_picture() -> None:
    with pytest.raises(ValueError, match=r"at least 8x8 px, got 7x20 \(height x width\)"):
        figure(np.zeros((7, 20, 3), np.uint8), low=0.1, high=0.2)
    # One colour everywhere: nothing but a mean, and no scale to make of it.
    assert figure(np.full((8, 8, 3), 77, np.uint8), low=0.1, high=0.2).axes
