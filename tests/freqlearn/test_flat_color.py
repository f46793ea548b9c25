"""The spec's mean colour, and the values of a flat picture: against what the decoder makes of flat pictures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import freqlearn as fl
from freqlearn import presets

RGB = fl.InputSpec.preset("imagenet-rgb")
DCT = fl.InputSpec.preset("imagenet-448")


def flat_png(color: tuple[int, int, int], side: int = 16) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), color).save(out, "png")
    return out.getvalue()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 90)], ids=str)
@pytest.mark.parametrize("kind", ["dct", "rgb"])
def test_flat_values_are_what_the_pipeline_gives_a_flat_picture(color: tuple[int, int, int], kind: str) -> None:
    if kind == "dct":
        spec = fl.InputSpec("dct", DCT.channels, DCT.mean, DCT.std, size_px=16)
    else:
        spec = fl.InputSpec("rgb", None, RGB.mean, RGB.std, size_px=16)
    got = presets.classification_eval(spec)(flat_png(color))
    expected = torch.tensor(spec.flat_values(color))[:, None, None].expand_as(got)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=2e-4)  # float32 sums of 64 samples, up to 7 deviations


def test_mean_color_of_pixels() -> None:
    assert RGB.mean_color == pytest.approx((0.485 * 255, 0.456 * 255, 0.406 * 255))
    assert RGB.flat_values(RGB.mean_color) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)


def test_mean_color_of_channels_is_the_colour_of_their_mean_dc() -> None:
    spec = DCT.select(fl.ChannelSet.square(24))
    # ImageNet's mean pixel as others measured it; the mean of our 400 photos has a standard error of 2 levels.
    assert spec.mean_color == pytest.approx(RGB.mean_color, abs=8)
    values = dict(zip(spec.channels, spec.flat_values(spec.mean_color), strict=True))
    assert [values[c] for c in (0, 64, 128)] == pytest.approx([0, 0, 0], abs=1e-12)
    position = spec.channels.indices.index(9)
    assert values[9] == pytest.approx(-spec.mean[position] / spec.std[position])


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        pytest.param({0: 0.0}, (128.0, 128.0, 128.0), id="no chroma: gray"),
        pytest.param({0: -1024.0, 64: 0.0, 128: 0.0}, (0.0, 0.0, 0.0), id="black"),
        # Pillow: YCbCr (128, 128, 148) is RGB (156, 114, 128).
        pytest.param({0: 0.0, 64: 0.0, 128: 160.0}, (156.04, 113.72, 128.0), id="reddish"),
        pytest.param({1: 3.0, 64: 0.0}, (DCT.mean[0] / 8 + 128,) * 3, id="no DC of Y: ImageNet's"),
    ],
)
def test_mean_color_where_components_are_missing(mean: dict[int, float], expected: tuple[float, float, float]) -> None:
    count = len(mean)
    spec = fl.InputSpec("dct", fl.ChannelSet.of(list(mean)), tuple(mean.values()), (1.0,) * count, size_px=448)
    assert spec.mean_color == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("color", [(1, 2), (1, 2, float("nan")), 3], ids=str)
def test_what_is_no_colour(color: object) -> None:
    with pytest.raises(ValueError, match="expected a colour as three finite numbers"):
        RGB.flat_values(color)  # type: ignore[arg-type]


def test_a_measured_mean_color_is_the_mean_pixel() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    maps = fl.transforms.ToFrequencyTensor(fl.ChannelSet.all())(fl.read_dct(out.getvalue()))
    mean = tuple(maps.mean(dim=(1, 2)).tolist())
    spec = fl.InputSpec("dct", fl.ChannelSet.all(), mean, (1.0,) * 192, size_px=64)
    assert spec.mean_color == pytest.approx(tuple(pixels.mean(axis=(0, 1))), abs=0.01)
