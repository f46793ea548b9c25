"""DCTImage.from_rgb: libjpeg's coefficients, and with some channels the same ones."""

import platform
import shutil
import subprocess

import numpy as np
import pytest
import scipy.fft
from jpeg_builder import NAMED_SAMPLINGS
from PIL import Image
from pixel_encoding import block_samples, ycbcr_samples

import freqlearn as fl
from freqlearn.dct import dct_matrix
from freqlearn.quality import quality_tables
from freqlearn.writing import write_jpeg

COLOR_SAMPLINGS = [name for name in NAMED_SAMPLINGS if name != "gray"]


@pytest.fixture(scope="module")
def libjpeg(tmp_path_factory):
    """`libjpeg(rgb, quality, sampling)`: what libjpeg's float encoder makes of pixels, through jpeglib."""
    jpeglib = pytest.importorskip("jpeglib")
    path = tmp_path_factory.mktemp("libjpeg") / "written.jpg"

    def encode(rgb, quality, sampling):
        image = jpeglib.from_spatial(rgb)
        image.samp_factor = tuple((v, h) for h, v in NAMED_SAMPLINGS[sampling])
        image.write_spatial(str(path), qt=quality, dct_method=jpeglib.JDCT_FLOAT)
        return fl.read_dct(path.read_bytes())

    return encode


def coefficients(ours, theirs):
    """All coefficients of two images, which must have the same shape."""
    assert ours.sampling == theirs.sampling
    assert ours.size_px == theirs.size_px
    assert [plane.shape for plane in ours.planes] == [plane.shape for plane in theirs.planes]
    return (np.concatenate([plane.ravel().astype(int) for plane in image.planes]) for image in (ours, theirs))


def unrounded(rgb, image):
    """What a YCbCr image's coefficients would be without the last rounding, by SciPy's DCT."""
    values = []
    largest = np.max(image.sampling, axis=0)
    full = ycbcr_samples(rgb)
    for samples, plane, table, factors in zip(full, image.planes, image.quant_tables, image.sampling, strict=True):
        h, v = (largest // factors).tolist()
        samples = block_samples(samples, v, h, plane.shape[:2]).astype(float) - 128
        tiles = samples.reshape(plane.shape[0], 8, plane.shape[1], 8).swapaxes(1, 2)
        values.append((scipy.fft.dctn(tiles, axes=(2, 3), norm="ortho") / table).ravel())
    return np.concatenate(values)


def assert_libjpeg_s(ours, theirs, rgb):
    a, b = coefficients(ours, theirs)
    assert np.abs(a - b).max() <= 1
    # Wherever they differ, the value lies halfway between the two. Many do: at v and u of 0 and 4 the DCT's entries are
    # 1/8. We take the even number, libjpeg's C code the upper one: it adds 16384.5 in float32 and drops the fraction,
    # so that halfway means to within 2^-10. Float32 itself is off by some 2^-24 of 8 * 255 (times at most 1, here).
    exact = unrounded(rgb, ours)
    assert np.abs(b - exact).max() <= 0.5 + 2**-10 + 5e-4
    assert np.abs(a - exact).max() <= 0.5 + 5e-4
    assert (a == b).mean() >= (0.99 if a.size > 5000 else 0.95)


@pytest.mark.parametrize("sampling", COLOR_SAMPLINGS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 16), (45, 67), (130, 113)], ids=str)
def test_coefficients_are_libjpeg_s(sampling, size, libjpeg, photo_like):
    rgb = photo_like(*size, seed=2)
    for quality in (40, 100):
        ours = fl.DCTImage.from_rgb(rgb, quality=quality, sampling=NAMED_SAMPLINGS[sampling])
        theirs = libjpeg(rgb, quality, sampling)
        assert_libjpeg_s(ours, theirs, rgb)
        for a, b in zip(ours.quant_tables, theirs.quant_tables, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_extreme_colours_are_libjpeg_s(sampling, libjpeg):
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (64, 80, 3), np.uint8)
    rgb[:32] = rng.choice(np.array([0, 255], np.uint8), (32, 80, 3))
    assert_libjpeg_s(fl.DCTImage.from_rgb(rgb, quality=100, sampling=sampling), libjpeg(rgb, 100, sampling), rgb)


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0"])
def test_coefficients_are_libjpeg_turbo_s_with_vector_code(sampling, photo_like, tmp_path):
    if platform.machine() != "x86_64" or not shutil.which("cjpeg"):
        pytest.skip("needs cjpeg on x86, whose SSE2 code rounds to even")
    rgb = photo_like(203, 301, seed=4)
    Image.fromarray(rgb).save(tmp_path / "a.ppm")
    (h, v), *_ = NAMED_SAMPLINGS[sampling]
    command = ["cjpeg", "-dct", "float", "-quality", "95", "-sample", f"{h}x{v}", str(tmp_path / "a.ppm")]
    theirs = fl.read_dct(subprocess.run(command, check=True, capture_output=True).stdout)
    a, b = coefficients(fl.DCTImage.from_rgb(rgb, quality=95, sampling=sampling), theirs)
    np.testing.assert_array_equal(a, b)


def test_coefficients_are_nearly_pillow_s(photo_like, make_jpeg):
    # Pillow's encoder uses the integer DCT, which rounds in between.
    rgb = photo_like(120, 161, seed=5)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        theirs = fl.read_dct(make_jpeg(120, 161, pixels=rgb, quality=90, sampling=sampling))
        a, b = coefficients(fl.DCTImage.from_rgb(rgb, quality=90, sampling=sampling), theirs)
        assert (np.abs(a - b) <= 1).mean() >= 0.999
        assert (a == b).mean() >= 0.95


def test_photos_are_encoded_as_libjpeg_does(photos, libjpeg):
    paths = sorted((photos / "imagenet-sample").rglob("*.JPEG"))[::40][:8]
    assert paths
    for path in paths:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        assert_libjpeg_s(fl.DCTImage.from_rgb(rgb, quality=85), libjpeg(rgb, 85, "4:2:0"), rgb)


def test_tables_are_pillow_s_at_every_quality(make_jpeg):
    pixels = np.zeros((8, 8, 3), np.uint8)
    for quality in range(1, 101):
        ours = fl.DCTImage.from_rgb(pixels, quality=quality).quant_tables
        theirs = fl.read_info(make_jpeg(8, 8, pixels=pixels, quality=quality)).quant_tables
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == np.uint16


def test_gray_pixels(photo_like, make_jpeg):
    rgb = np.repeat(photo_like(45, 67)[..., :1], 3, axis=2)
    ours = fl.DCTImage.from_rgb(rgb[..., 0], quality=80)
    assert (ours.color_space, ours.sampling, ours.source) == ("gray", ((1, 1),), "planes")
    theirs = fl.read_dct(make_jpeg(45, 67, pixels=rgb, quality=80, sampling="gray"))
    a, b = coefficients(ours, theirs)
    assert np.abs(a - b).max() <= 1
    assert (a == b).mean() >= 0.98
    # The same as the Y of gray colours.
    np.testing.assert_array_equal(ours.planes[0], fl.DCTImage.from_rgb(rgb, quality=80).planes[0])


def test_the_picture_comes_back(photo_like):
    rgb = photo_like(45, 67)
    image = fl.DCTImage.from_rgb(rgb, quality=100, sampling="4:4:4")
    assert repr(image) == "DCTImage(67x45 px, YCbCr 4:4:4, planes)"
    # Colours, coefficients and pixels are each rounded once; 1.8 is the largest factor in YCbCr -> RGB.
    assert np.abs(image.to_rgb().astype(int) - rgb).max() <= 5


@pytest.mark.parametrize("quality", [1, 100])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0", "4:1:0"])
def test_a_file_of_the_loudest_pixels(quality, sampling, read_planes):
    # Blocks of every sign pattern of the DCT: the largest coefficients that there are, which a baseline file must hold.
    signs = np.sign(dct_matrix())
    tiles = np.einsum("vi,uj->viuj", signs, signs).reshape(64, 64)
    rgb = np.repeat(np.where(np.block([[tiles], [-tiles]]) > 0, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    image = fl.DCTImage.from_rgb(rgb, quality=quality, sampling=sampling)
    for theirs, ours in zip(read_planes(write_jpeg(image))[0], image.planes, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    # 1/8 of 32 samples of 127 and 32 of -128, rounded; the other way round it is -1020.
    luma = image.planes[0].reshape(-1, 64)[:, 1:]
    assert quality == 1 or (luma.max(), luma.min()) == (1020, -1020)


CHANNELS = {
    "DCT-24": fl.ChannelSet.square(24),
    "DCT-64": fl.ChannelSet.square(64),
    "Cb alone": range(64, 128),
    "one of Cr": [190],
    "in any order": np.random.default_rng(1).permutation(192)[:77],
    "all": fl.ChannelSet.all(),
}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_wanted_channels_equal_those_of_the_whole(name, sampling, photo_like):
    rgb = photo_like(130, 203, seed=6)
    # Quality 100 puts as many values as possible next to the border between two numbers.
    whole = fl.DCTImage.from_rgb(rgb, quality=100, sampling=sampling)
    part = fl.DCTImage.from_rgb(rgb, quality=100, sampling=sampling, channels=CHANNELS[name])
    masks = fl.ChannelSet.of(CHANNELS[name]).mask().reshape(3, 8, 8)
    for ours, all_of_them, mask in zip(part.planes, whole.planes, masks, strict=True):
        assert ours.dtype == np.int16
        np.testing.assert_array_equal(ours, np.where(mask, all_of_them, 0))
        assert not ours.flags.writeable
    assert any(plane.any() for plane in part.planes)


def test_components_without_a_wanted_channel_are_zero(photo_like):
    image = fl.DCTImage.from_rgb(photo_like(20, 20), channels=[128, 0])
    assert [plane.any() for plane in image.planes] == [True, False, True]
    gray = fl.DCTImage.from_rgb(photo_like(20, 20)[..., 0], channels=[128])
    assert not gray.planes[0].any()


def test_given_tables_and_sampling_of_another_image(photo_like, make_jpeg):
    rgb = photo_like(40, 56)
    other = fl.read_dct(make_jpeg(16, 16, quality=60, sampling="4:2:2"))
    ours = fl.DCTImage.from_rgb(rgb, quant_tables=other.quant_tables, sampling=other.sampling)
    same = fl.DCTImage.from_rgb(rgb, quality=60, sampling="4:2:2")
    for a, b in zip((*ours.planes, *ours.quant_tables), (*same.planes, *same.quant_tables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_steps(photo_like):
    gray = photo_like(16, 16)[..., 0]
    table = np.full((8, 8), 300)
    image = fl.DCTImage.from_rgb(gray, quant_tables=[table])
    tiles = (gray.astype(float) - 128).reshape(2, 8, 2, 8).swapaxes(1, 2)
    expected = np.rint(scipy.fft.dctn(tiles, axes=(2, 3), norm="ortho") / 300)
    np.testing.assert_array_equal(image.planes[0], expected)
    np.testing.assert_array_equal(image.quant_tables[0], table)


def test_the_default_is_quality_75(photo_like):
    image = fl.DCTImage.from_rgb(photo_like(8, 8))
    np.testing.assert_array_equal(image.quant_tables[0], quality_tables(75)[0])
    assert image.sampling == ((2, 2), (1, 1), (1, 1))


@pytest.mark.parametrize("view", [np.s_[::-1, ::2], np.s_[3:, 5:], np.s_[:, :, ::-1]], ids=str)
def test_any_layout_in_memory(view, photo_like):
    rgb = photo_like(50, 60)
    rgb.flags.writeable = False
    for a, b in zip(fl.DCTImage.from_rgb(rgb[view]).planes, fl.DCTImage.from_rgb(rgb[view].copy()).planes, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gray_pixels_at_an_odd_address():
    data = np.random.default_rng(7).integers(0, 256, 65, np.uint8)
    gray = data[1:].reshape(8, 8)
    np.testing.assert_array_equal(fl.DCTImage.from_rgb(gray).planes[0], fl.DCTImage.from_rgb(gray.copy()).planes[0])


def test_the_pixels_are_left_alone(photo_like):
    gray = photo_like(16, 16)[..., 0].copy()
    before = gray.copy()
    image = fl.DCTImage.from_rgb(gray)
    planes = [plane.copy() for plane in image.planes]
    np.testing.assert_array_equal(gray, before)
    gray[:] = 0
    np.testing.assert_array_equal(image.planes, planes)


def test_a_picture_wider_than_a_portion(photo_like):
    tile = photo_like(5, 64)
    image = fl.DCTImage.from_rgb(np.tile(tile, (1, 500, 1)))
    first = fl.DCTImage.from_rgb(np.tile(tile, (1, 2, 1)))
    np.testing.assert_array_equal(image.planes[0], np.tile(first.planes[0][:, :8], (1, 500, 1, 1)))


PIXELS = np.zeros((8, 8, 3), np.uint8)
TABLE = np.ones((8, 8), int)


@pytest.mark.parametrize(
    ("pixels", "options", "error", "match"),
    [
        (PIXELS.astype(float), {}, TypeError, "uint8 NumPy array, got an array of float64"),
        (Image.new("P", (8, 8)), {}, TypeError, r"got Image: for a PIL image, np.asarray\(image.convert\('RGB'\)\)"),
        (PIXELS[..., :2], {}, ValueError, r"got shape \(8, 8, 2\)"),
        (PIXELS[:0], {}, ValueError, r"at least one, got shape \(0, 8, 3\)"),
        (PIXELS, {"quality": 0}, ValueError, r"quality in 1\.\.100, got 0"),
        (PIXELS, {"quality": 101}, ValueError, r"quality in 1\.\.100, got 101"),
        (PIXELS, {"quality": 80.5}, TypeError, "quality as an integer, got 80.5"),
        (PIXELS, {"quality": 80, "quant_tables": [TABLE] * 3}, ValueError, r"got both \(quality 80\)"),
        (PIXELS, {"quant_tables": [TABLE]}, ValueError, "one quantisation table per component, 3, got 1"),
        (PIXELS, {"quant_tables": [TABLE, TABLE, TABLE * 0]}, ValueError, "table 2 .* entries 0 to 0"),
        (PIXELS, {"quant_tables": [TABLE / 2] * 3}, TypeError, "table 0 of integers, got float64"),
        (PIXELS, {"sampling": "4:2:1"}, ValueError, "one of 4:4:4, .* got '4:2:1'"),
        (PIXELS, {"sampling": [(3, 1), (2, 1), (1, 1)]}, ValueError, "divide the largest, 3 and 1"),
        (PIXELS, {"sampling": [(5, 1), (1, 1), (1, 1)]}, ValueError, "each 1 to 4"),
        (PIXELS, {"channels": []}, ValueError, "at least one channel"),
        (PIXELS, {"channels": [192]}, ValueError, r"in 0\.\.191, got 192"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(pixels, options, error, match):
    with pytest.raises(error, match=match):
        fl.DCTImage.from_rgb(pixels, **options)
