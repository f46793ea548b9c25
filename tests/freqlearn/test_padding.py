"""Enlarging by a whole factor, and what fills the last blocks; against pixels in float64, and files with stray ones."""

import io

import numpy as np
import pytest
import torch
from operator_checks import FLOAT32, make_image, native, reference
from PIL import Image
from scipy.fft import dctn, idctn

import freqlearn as fl
from freqlearn import transforms
from freqlearn.color import RGB_TO_YCBCR
from freqlearn.flat_color import flat_values
from freqlearn.geometry import Box
from freqlearn.reconstruction import to_ycbcr

ALL = fl.ChannelSet.all()
SPEC = fl.InputSpec.preset("imagenet-448")
COLORS = {"mean": SPEC.mean_color, "black": (0.0, 0.0, 0.0)}


def flat(color: tuple[float, float, float]) -> np.ndarray:
    """(3,) Y - 128, Cb, Cr."""
    return RGB_TO_YCBCR @ np.array(color) - [128, 0, 0]


def samples(plane: np.ndarray) -> np.ndarray:
    """(rows, cols, 8, 8) -> (8*rows, 8*cols) float64."""
    rows, cols = plane.shape[:2]
    blocks = idctn(plane.astype(np.float64), axes=(2, 3), norm="ortho")
    return blocks.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * cols)


def coefficients(pixels: np.ndarray) -> np.ndarray:
    """(8*rows, 8*cols) -> (64, rows, cols) float64."""
    rows, cols = (side // 8 for side in pixels.shape)
    blocks = pixels.reshape(rows, 8, cols, 8).transpose(0, 2, 1, 3)
    return dctn(blocks, axes=(2, 3), norm="ortho").transpose(2, 3, 0, 1).reshape(64, rows, cols)


@pytest.mark.parametrize("pad", COLORS)
@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("turned", ["", "hflip", "vflip", "transpose"])
def test_equals_the_pixels_enlarged_then_padded(pad, factor, turned):
    """4:4:4, cropped and resized to 27x43 px: torch's antialiased resize of the crop to the final size, in float64."""
    img = make_image((50, 61), [(1, 1)] * 3)
    plan = img.plan.crop(top=3, left=5, height=40, width=50).resize(27, 43)
    plan = getattr(plan, turned)() if turned else plan
    ycbcr = np.stack([samples(plane) for plane in img.dequantised()])[:, 3:43, 5:55]
    pixels = torch.nn.functional.interpolate(
        torch.from_numpy(ycbcr)[None], (27 * factor, 43 * factor), mode="bilinear", antialias=True
    )[0]
    pixels = {"": lambda p: p, "hflip": lambda p: p.flip(2), "vflip": lambda p: p.flip(1)}.get(
        turned, lambda p: p.transpose(1, 2)
    )(pixels)
    height, width = (-(-side // 8) * 8 for side in pixels.shape[1:])
    want = np.tile(flat(COLORS[pad])[:, None, None], (1, height, width))
    want[:, : pixels.shape[1], : pixels.shape[2]] = pixels
    want = np.concatenate([coefficients(component) for component in want])

    planned = transforms.ToFrequencyTensor(SPEC, upscale=factor, pad=pad).planned(img.with_plan(plan))
    np.testing.assert_allclose(reference(planned, ALL.indices), want, rtol=0, atol=1e-9)
    np.testing.assert_allclose(native(planned, ALL.indices), want, rtol=0, atol=FLOAT32)


def with_strays(stray: int) -> bytes:
    """A JPEG file of 60x90 px, the samples that fill up its last blocks all `stray` (as no encoder would)."""
    rng = np.random.default_rng(0)
    pixels = np.full((64, 96, 3), stray, np.uint8)
    pixels[:56, :88] = rng.integers(60, 200, (7, 11, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    pixels[56:60, :90], pixels[:60, 88:90] = 100, 100
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=100, subsampling="4:4:4")
    data = bytearray(file.getvalue())
    sof = data.index(b"\xff\xc0")
    data[sof + 5 : sof + 9] = (60).to_bytes(2, "big") + (90).to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("pad", COLORS)
@pytest.mark.parametrize("stray", [0, 255])
def test_the_border_is_the_colour_and_no_stray_samples_leak_in(stray, pad, factor):
    img = fl.read_dct(with_strays(stray))
    assert img.size_px == (60, 90)
    to_tensor = transforms.ToFrequencyTensor(SPEC, upscale=factor, pad=pad)
    maps = to_tensor(img)
    assert not img.is_decoded, "straight from the file"
    assert maps.shape == (192, -(-60 * factor // 8), -(-90 * factor // 8))
    mean, std = (torch.tensor(values)[:, None, None] for values in (SPEC.mean, SPEC.std))
    picture = to_ycbcr(maps * std + mean, ALL)
    # Y, Cb, Cr of a few hundred, from 192 products in float32.
    for border in (picture[60 * factor :], picture[:, 90 * factor :]):
        np.testing.assert_allclose(border, np.broadcast_to(flat(COLORS[pad]), border.shape), rtol=0, atol=0.01)
    inside = picture[: 60 * factor, : 90 * factor]
    # The gray edge of the picture is 100 up to its last pixel, but for what quality 100 rounds off; a stray sample's
    # share would be of 100 levels and more. Enlarged, its first pixels are interpolated with the colours beside it.
    np.testing.assert_allclose(inside[57 * factor :, :, 0], 100 - 128, rtol=0, atol=2)
    np.testing.assert_allclose(inside[: 56 * factor, 89 * factor :, 0], 100 - 128, rtol=0, atol=2)


def test_a_block_of_padding_alone_has_the_spec_s_flat_values():
    """33 px high and wide, doubled: 66 px in 9 blocks, of the last of which 6 of 8 samples are padding."""
    img = make_image((33, 33), [(1, 1)] * 3)
    plan = img.plan.crop(top=0, left=0, height=40, width=48, fill=SPEC.mean_color)
    maps = transforms.ToFrequencyTensor(SPEC, upscale=2, pad="mean")(img.with_plan(plan))
    assert maps.shape == (192, 10, 12)
    want = torch.tensor(flat_values(SPEC, SPEC.mean_color))
    torch.testing.assert_close(maps[:, -1, -1], want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps[:, :, -1], want[:, None].expand(-1, 10), rtol=1e-4, atol=1e-4)


def test_a_doubled_photo_of_800x1067():
    """A 427x570 photo, to a short side of 800: 2134 px doubled, no whole blocks."""
    plan = transforms.Resize(800, max_size=1333)(make_image((427, 570), [(1, 1)])).plan
    assert plan.output_size == (800, 1067)
    doubled = plan.upscale(2)
    assert doubled.output_size == (1600, 2134)
    assert (doubled.box, doubled.resized_px) == (Box(0, 0, 427, 570), (1600, 2134)), "one resampling, from the file"
    with pytest.raises(ValueError, match=r'got 1600x2134 px .*pad="mean"'):
        _ = doubled.output_blocks
    whole = doubled.to_whole_blocks(SPEC.mean_color)
    assert whole.output_size == (1600, 2136)
    assert whole.output_blocks == (200, 267)
    assert whole.geometry.visible == Box(0, 0, 1600, 2134)


def test_what_is_whole_blocks_already_stays_as_it_is(make_jpeg):
    img = fl.read_dct(make_jpeg(64, 40))
    plan = img.plan.crop(top=1, left=1, height=32, width=32)
    assert plan.upscale(1) is plan
    assert plan.to_whole_blocks(SPEC.mean_color) is plan
    plain = transforms.ToFrequencyTensor(SPEC)(img)
    assert torch.equal(transforms.ToFrequencyTensor(SPEC, pad="mean")(img), plain)
    padded = plan.crop(top=0, left=0, height=40, width=32, fill=(1.0, 2.0, 3.0))
    assert transforms.ToFrequencyTensor(SPEC, pad="mean")(img.with_plan(padded)).shape == (192, 5, 4)


def test_contrast_blends_with_the_mean_of_the_picture_as_it_was(make_jpeg):
    """Enlarging is no change of the picture: mean gray is that at the step, so the doubled picture has the same one."""
    img = fl.read_dct(make_jpeg(64, 96))
    plan = img.plan.crop(top=8, left=8, height=40, width=64).contrast(0.0)
    gray = transforms.ToFrequencyTensor(fl.ChannelSet.of([0]))(img.with_plan(plan))
    doubled = transforms.ToFrequencyTensor(fl.ChannelSet.of([0]), upscale=2)(img.with_plan(plan))
    torch.testing.assert_close(doubled, gray[0, 0, 0].expand(1, 10, 16))


def test_batches_are_enlarged_and_padded_too(make_jpeg):
    to_tensor = transforms.ToFrequencyTensor(SPEC, upscale=2, pad="mean")
    transform = transforms.Compose([transforms.ReadDCT(), transforms.RandomCrop((27, 38)), to_tensor])
    files = [make_jpeg(50, 60, seed=seed) for seed in range(3)]
    torch.manual_seed(1)
    want = torch.stack([transform(file) for file in files])
    torch.manual_seed(1)
    got = fl.BatchDecoder(transform, num_threads=2)(files)
    assert got.shape == (3, 192, 7, 10)
    assert torch.equal(got, want)


def test_padding_of_another_colour_is_refused(make_jpeg):
    img = fl.read_dct(make_jpeg(50, 60))
    img = img.with_plan(img.plan.crop(top=-1, left=0, height=51, width=60))
    with pytest.raises(ValueError, match="already padded, with another colour"):
        transforms.ToFrequencyTensor(SPEC, pad="mean")(img)
    assert transforms.ToFrequencyTensor(SPEC, pad="black")(img).shape == (192, 7, 8)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: transforms.ToFrequencyTensor(SPEC, upscale=0), ValueError, "upscale as a whole factor of at least 1"),
        (lambda: transforms.ToFrequencyTensor(SPEC, upscale=1.5), TypeError, "upscale"),
        (lambda: transforms.ToFrequencyTensor(SPEC, pad="gray"), ValueError, '"mean" or "black", got \'gray\''),
        (lambda: transforms.ToFrequencyTensor(ALL, pad="mean"), ValueError, 'InputSpec for pad="mean"'),
        (lambda: fl.Plan.identity((8, 8)).upscale(0), ValueError, "whole factor of at least 1"),
    ],
    ids=["no factor", "fraction", "colour", "no mean", "plan"],
)
def test_impossible_options(make, error, message):
    with pytest.raises(error, match=message):
        make()
