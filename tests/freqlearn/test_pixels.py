"""The pixels decoder: Pillow's modes, the forward DCT against SciPy, limits."""

import io
import warnings
import zlib

import numpy as np
import pytest
import scipy.fft
from PIL import Image, ImageFile

import freqlearn as fl
from freqlearn.dct import dct_matrix, forward, inverse


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def blocks(samples):
    """SciPy's block DCT of (8*rows, 8*cols) samples."""
    rows, cols = samples.shape[0] // 8, samples.shape[1] // 8
    tiles = np.asarray(samples, float).reshape(rows, 8, cols, 8).swapaxes(1, 2)
    return scipy.fft.dctn(tiles, axes=(2, 3), norm="ortho")


def test_the_dct_is_scipy_s():
    samples = np.random.default_rng(0).uniform(-128, 127, (24, 40))
    np.testing.assert_allclose(forward(samples), blocks(samples), atol=1e-3)
    np.testing.assert_allclose(inverse(forward(samples)), samples, atol=1e-3)
    np.testing.assert_allclose(dct_matrix(), scipy.fft.dct(np.eye(8), axis=0, norm="ortho"), atol=1e-15)
    with pytest.raises(ValueError, match="multiples of 8, got 9 x 8"):
        forward(np.zeros((9, 8)))


def test_flat_white_has_jpeg_s_dc():
    image = fl.read_dct(np.full((8, 8, 3), 255, np.uint8))
    y, cb, cr = image.planes
    assert y[0, 0, 0, 0] == pytest.approx(8 * (255 - 128), abs=1e-3)
    assert np.abs(y.ravel()[1:]).max() < 1e-3
    assert max(np.abs(cb).max(), np.abs(cr).max()) < 1e-3


def test_planes_are_the_dct_of_bt601_ycbcr(photo_like):
    rgb = photo_like(19, 29)
    image = fl.read_dct(rgb)
    # Pillow's YCbCr is JPEG's, rounded to integers.
    ycbcr = np.asarray(Image.fromarray(rgb).convert("YCbCr")).astype(float)
    assert image.sampling == ((1, 1),) * 3
    for index, plane in enumerate(image.planes):
        assert plane.dtype == np.float32
        assert plane.shape == (3, 4, 8, 8)
        samples = inverse(plane)
        assert np.abs(samples[:19, :29] - (ycbcr[..., index] - 128)).max() <= 1.01
        # The last blocks repeat the picture's edge.
        np.testing.assert_allclose(samples[19:, :29], np.broadcast_to(samples[18, :29], (5, 29)), atol=1e-3)
        np.testing.assert_allclose(samples[:, 29:], np.broadcast_to(samples[:, 28:29], (24, 3)), atol=1e-3)
    assert all((table == 1).all() for table in image.quant_tables)


@pytest.fixture(scope="module")
def rgb(photo_like):
    return Image.fromarray(photo_like(20, 31))


def with_alpha(rgb):
    image = rgb.copy()
    image.putalpha(Image.linear_gradient("L").resize(rgb.size))
    return image


MODES = {
    "RGB PNG": lambda rgb: saved(rgb, "PNG"),
    "RGBA PNG": lambda rgb: saved(with_alpha(rgb), "PNG"),
    "palette PNG": lambda rgb: saved(rgb.quantize(16), "PNG"),
    "palette PNG, transparent": lambda rgb: saved(rgb.quantize(16), "PNG", transparency=bytes(range(16))),
    "GIF": lambda rgb: saved(rgb.quantize(64), "GIF"),
    "WebP": lambda rgb: saved(rgb, "WEBP", quality=70),
    "BMP": lambda rgb: saved(rgb, "BMP"),
    "CMYK TIFF": lambda rgb: saved(rgb.convert("CMYK"), "TIFF"),
    "1-bit PNG": lambda rgb: saved(rgb.convert("1"), "PNG"),
    "gray PNG": lambda rgb: saved(rgb.convert("L"), "PNG"),
    "gray PNG, alpha": lambda rgb: saved(rgb.convert("LA"), "PNG"),
}


@pytest.mark.parametrize("kind", MODES)
def test_modes_are_what_torchvision_s_loader_makes_of_them(kind, rgb):
    data = MODES[kind](rgb)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = fl.read_dct(data)
    with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as reference:
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(image.to_rgb(), np.asarray(reference.convert("RGB")))
    assert image.color_space == ("gray" if "gray" in kind or "1-bit" in kind else "YCbCr")


def test_sixteen_bit_gray_keeps_its_precision():
    values = np.random.default_rng(1).integers(0, 65536, (16, 16), np.uint16)
    image = fl.read_dct(saved(Image.fromarray(values), "PNG"))
    np.testing.assert_allclose(inverse(image.planes[0]) + 128, values / 65535 * 255, atol=1e-3)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_a_range_are_refused(mode):
    with pytest.raises(fl.ImageDecodeError, match=f"Pillow mode '{mode}': scale them"):
        fl.read_dct(Image.new(mode, (8, 8)))


def test_of_several_frames_the_first_is_read():
    frames = [Image.new("L", (16, 8), value) for value in (40, 200)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (fl.read_dct(data).to_rgb() == 40).all()


def test_a_tiff_that_pillow_turns_upright_is_not_turned_twice(rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(rgb, "TIFF", exif=exif)
    image = fl.read_dct(data)
    with Image.open(io.BytesIO(data)) as reference:
        reference.load()
        assert image.size_px == (reference.height, reference.width)
        assert image.orientation == reference.getexif().get(0x0112, 1)


def test_orientation_of_a_png(rgb):
    exif = Image.Exif()
    exif[0x0112] = 8
    assert fl.read_dct(saved(rgb, "PNG", exif=exif)).orientation == 8
    exif[0x0112] = 77
    assert fl.read_dct(saved(rgb, "PNG", exif=exif)).orientation == 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_truncated_files_are_refused(kind, rgb):
    data = saved(rgb, kind)
    with pytest.raises(fl.ImageDecodeError, match=r"Pillow|expected an image"):
        fl.read_dct(data[: len(data) // 2])


def test_programs_are_not_run(rgb):
    with pytest.raises(fl.ImageDecodeError, match="Ghostscript"):
        fl.read_dct(saved(rgb, "EPS"))


def test_pillow_s_lenient_switch_is_reported(rgb, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert "LOAD_TRUNCATED_IMAGES" in fl.read_dct(saved(rgb, "PNG")).warnings[0]


def test_a_huge_png_is_refused_before_it_is_decoded():
    data = bytearray(saved(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = (20000).to_bytes(4, "big") * 2  # IHDR's width and height
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(fl.ImageTooLargeError, match="MAX_IMAGE_PIXELS"):
        fl.read_dct(bytes(data))
    data[16:24] = (9000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(fl.ImageTooLargeError, match="9000x9000 = 81000000"):
        fl.read_dct(bytes(data), max_pixels=10**6)


@pytest.mark.parametrize("source", ["array", "PIL"])
def test_max_pixels_of_pixels(source):
    array = np.zeros((10, 10, 3), np.uint8)
    with pytest.raises(fl.ImageTooLargeError, match="max_pixels=99"):
        fl.read_dct(array if source == "array" else Image.fromarray(array), max_pixels=99)
