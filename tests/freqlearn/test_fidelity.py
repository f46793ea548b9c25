"""luma_psnr against pixels that SciPy and Pillow make of the coefficients."""

import io
import math

import numpy as np
import pytest
import scipy.fft
from operator_checks import make_image
from PIL import Image

import freqlearn as fl
from freqlearn.fidelity import luma_psnr

DCT_24 = fl.ChannelSet.square(24)
YCBCR = ((2, 2), (1, 1), (1, 1))


def samples(img):
    """Y's samples, those of whole blocks, as they come out of the IDCT."""
    luma = img.dequantised()[0].astype(np.float64)
    blocks = scipy.fft.idctn(luma, axes=(2, 3), norm="ortho")
    return blocks.swapaxes(1, 2).reshape(8 * luma.shape[0], 8 * luma.shape[1])


@pytest.mark.parametrize("quantised", [True, False], ids=["quantised", "dequantised"])
@pytest.mark.parametrize(
    ("sampling", "color_space"),
    [(((1, 1),), "gray"), (YCBCR, "YCbCr"), (((1, 1),) * 3, "RGB")],
    ids=["gray", "YCbCr", "RGB"],
)
def test_the_psnr_of_the_samples(sampling, color_space, quantised):
    original, other = (
        make_image((45, 67), sampling, seed=seed, color_space=color_space, quantised=quantised) for seed in (0, 1)
    )
    error = np.mean((samples(original) - samples(other)) ** 2)
    # Dequantising is in float32: 2^-24 of each value.
    assert luma_psnr(other, original) == pytest.approx(10 * math.log10(255**2 / error), abs=1e-5)


def test_of_decoded_files_up_to_the_decoders_rounding(photo_like):
    # Little contrast, so that no decoder clamps.
    pixels = (photo_like(64, 96)[..., 1] // 2 + 64).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    original = fl.read_dct(file.getvalue())
    kept = original.keep(DCT_24)
    decoded = [np.asarray(Image.open(io.BytesIO(fl.write_jpeg(img))), np.float64) for img in (kept, original)]
    # Each decoder's rounding adds an error of variance 1/12.
    error = np.mean((decoded[0] - decoded[1]) ** 2) - 2 / 12
    assert luma_psnr(kept, original) == pytest.approx(10 * math.log10(255**2 / error), abs=0.05)


def test_the_same_picture_is_infinitely_good(make_jpeg):
    img = fl.read_dct(make_jpeg(20, 30))
    assert luma_psnr(img, img) == math.inf
    assert luma_psnr(img.keep([*range(64), 64]), img) == math.inf  # chroma does not count


@pytest.mark.parametrize("quantised", [True, False], ids=["quantised", "dequantised"])
def test_of_the_blocks_that_are_left(quantised):
    original = make_image((64, 96), YCBCR, quantised=quantised)
    planes = [plane.copy() for plane in original.planes]
    planes[0][..., 5, 6] += 3
    planes[0][:2] = planes[0][:, 7:] = 0
    tables = original.quant_tables
    img = fl.DCTImage.from_planes(planes, tables, size_px=(64, 96), sampling=YCBCR)
    error = (samples(img) - samples(original)) ** 2
    for blocks, part in (("all", error), ("left", error[16:, :56])):
        psnr = 10 * math.log10(255**2 / np.mean(part))
        assert luma_psnr(img, original, blocks=blocks) == pytest.approx(psnr, abs=1e-5)


def test_with_nothing_left_all_blocks_count():
    original = make_image((64, 96), YCBCR)
    img = original.keep([64])
    assert luma_psnr(img, original, blocks="left") == luma_psnr(img, original) < 30


def test_what_a_crop_cuts_off_need_not_count():
    original = make_image((64, 96), YCBCR)
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 32)
    kept = original.keep_visible(spec)
    assert luma_psnr(kept, original) < 30
    assert luma_psnr(kept, original, blocks="left") == math.inf


def test_one_step_of_one_coefficient():
    plane = np.zeros((2, 3, 8, 8), np.int16)
    changed = plane.copy()
    changed[1, 2, 3, 4] = -1
    table = np.full((8, 8), 12, np.uint16)
    a, b = (fl.DCTImage.from_planes([p], [table], size_px=(16, 24)) for p in (plane, changed))
    assert luma_psnr(b, a) == pytest.approx(10 * math.log10(255**2 * 16 * 24 / 12**2))


def test_other_tables_are_dequantised_first():
    planes = [np.full((1, 1, 8, 8), value, np.int16) for value in (6, 4)]
    tables = [np.full((8, 8), step, np.uint16) for step in (2, 3)]
    a, b = (fl.DCTImage.from_planes([p], [t], size_px=(8, 8)) for p, t in zip(planes, tables, strict=True))
    assert luma_psnr(a, b) == math.inf


def test_the_largest_differences_are_exact():
    low, high = (np.full((3, 3, 8, 8), value, np.int16) for value in (-32768, 32767))
    table = np.full((8, 8), 65535, np.uint16)
    a, b = (fl.DCTImage.from_planes([p], [table], size_px=(24, 24)) for p in (low, high))
    assert luma_psnr(a, b) == pytest.approx(20 * math.log10(255 / (65535 * 65535)), rel=1e-12)


@pytest.mark.parametrize(
    "other",
    [make_image((45, 68), YCBCR), make_image((45, 67), ((1, 1),) * 3), make_image((45, 67), ((1, 1),))],
    ids=["size", "sampling", "colours"],
)
def test_images_of_other_layouts_are_refused(other):
    with pytest.raises(ValueError, match=r"expected two images of the same .* \(45, 67\)"):
        luma_psnr(make_image((45, 67), YCBCR), other)


def test_other_blocks_are_refused():
    img = make_image((45, 67), YCBCR)
    with pytest.raises(ValueError, match=r'expected blocks as "all" or "left", got \'some\''):
        luma_psnr(img, img, blocks="some")


def test_images_without_luma_are_refused():
    img = fl.DCTImage.from_planes([np.zeros((1, 1, 8, 8), np.int16)] * 4, size_px=(8, 8), color_space="CMYK")
    with pytest.raises(ValueError, match="got CMYK"):
        luma_psnr(img, img)
