"""read_dct and read_info: every decoder, lazy, strict and lenient, and every refusal."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from image_checks import assert_same
from PIL import Image

import freqlearn as fl
from freqlearn import decoders

# 16x16 px, 4:4:4, quality 50, written by libjpeg-turbo's `cjpeg -arithmetic -quality 50 -sample 1x1`.
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
    "eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/yQAR"
    "CAAQABADAREAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AEHYo1GGrAd55YDpyeV3zOJHrzLgloMiOCHp8pnAfApPuXrCSP/Z"
)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_pixel_errors_name_the_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not an image")
    with pytest.raises(fl.ImageDecodeError, match=r"notes\.txt: expected an image.*the native decoder: "):
        fl.read_dct(path)


def test_reading_does_not_decode_until_planes_are_asked_for(jpeg, monkeypatch):
    calls = []
    decode = decoders.decode
    monkeypatch.setattr(decoders, "decode", lambda file: calls.append(file) or decode(file))
    image = fl.read_dct(jpeg)
    _ = (
        image.size_px,
        image.sampling,
        image.nbytes,
        image.plan,
        image.info,
        repr(image),
        image.with_plan(image.plan.hflip()),
    )
    assert not calls
    assert not image.is_decoded
    _ = (image.planes, image.quant_tables, image.warnings, image.with_plan(image.plan.hflip()).planes)
    assert len(calls) == 1
    assert image.is_decoded


def test_a_truncated_file_is_reported_by_read_dct(jpeg):
    with pytest.raises(fl.TruncatedJpegError, match="strict=False") as caught:
        fl.read_dct(jpeg[:-40])
    assert caught.value.offset is not None


def test_complete_data_without_an_end_marker_is_complete_with_a_warning(jpeg, planes):
    image = fl.read_dct(jpeg[:-2])
    assert image.complete
    assert any("missing EOI" in warning for warning in image.warnings)
    assert_same(image, planes)


def test_lenient_reading_keeps_what_is_there_and_says_so(jpeg, planes):
    image = fl.read_dct(jpeg[: len(jpeg) - len(jpeg) // 4], strict=False)
    assert not image.complete
    assert image.warnings
    np.testing.assert_array_equal(image.planes[0][0], planes[0][0])


def test_a_sound_file_is_complete_without_warnings(jpeg):
    image = fl.read_dct(jpeg)
    assert image.complete
    assert image.warnings == ()


def cmyk_jpeg():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    image = Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC)
    return saved(image.convert("CMYK"), "JPEG", quality=90)


def with_adobe_transform(jpeg, transform):
    """The file with an Adobe APP14 segment in place of its JFIF one."""
    assert jpeg[2:4] == b"\xff\xe0"
    length = int.from_bytes(jpeg[4:6], "big")
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    return jpeg[:2] + adobe + jpeg[4 + length :]


AUTO = {
    "PNG": (lambda make: saved(Image.fromarray(np.full((8, 9, 3), 200, np.uint8)), "PNG"), "pixels"),
    "WebP": (lambda make: saved(Image.fromarray(np.full((8, 9, 3), 200, np.uint8)), "WEBP"), "pixels"),
    "CMYK": (lambda make: cmyk_jpeg(), "pixels"),
    "arithmetic": (lambda make: ARITHMETIC, "pixels"),
    "RGB, unequal": (lambda make: with_adobe_transform(make(24, 32, sampling="4:2:0"), 0), "pixels"),
    "RGB, equal": (lambda make: with_adobe_transform(make(24, 32, sampling="4:4:4"), 0), "native"),
    "gray": (lambda make: make(24, 32, sampling="gray"), "native"),
    "progressive": (lambda make: make(24, 32, progressive=True), "native"),
    "4:4:0": (lambda make: make(24, 32, sampling="4:4:0"), "native"),
}


@pytest.mark.parametrize("kind", AUTO)
def test_auto_takes_native_where_it_is_ycbcr_and_says_which(kind, make_jpeg):
    make, source = AUTO[kind]
    data = make(make_jpeg)
    image = fl.read_dct(data)
    assert image.source == source
    assert image.complete
    with Image.open(io.BytesIO(data)) as reference:
        pixels = np.asarray(reference.convert("RGB")).astype(int)
    assert np.abs(image.to_rgb() - pixels).max() <= (3 if source == "native" else 0)
    assert [plane.shape[2:] for plane in image.dequantised()] == [(8, 8)] * 3


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_native_refuses_other_formats(kind, make_jpeg):
    with pytest.raises(fl.NotJpegError, match="not a JPEG file"):
        fl.read_dct(AUTO[kind][0](make_jpeg), decoder="native")


def test_native_refuses_arithmetic_coding_and_names_the_way_out():
    with pytest.raises(fl.UnsupportedJpegError, match='decoder="pixels"'):
        fl.read_dct(ARITHMETIC, decoder="native")


def test_native_reads_four_components_but_makes_no_ycbcr_of_them(read_planes):
    data = cmyk_jpeg()
    image = fl.read_dct(data, decoder="native")
    assert image.color_space == "CMYK"
    assert_same(image, read_planes(data)[0])
    for make in (image.dequantised, image.to_rgb):
        with pytest.raises(ValueError, match="decoder='pixels'"):
            make()


def test_what_neither_decoder_can_represent_is_refused_with_both_reasons(make_jpeg):
    """A gray file whose frame and scan are made to name two components of one block each."""
    data = make_jpeg(8, 8, sampling="gray", pixels=np.full((8, 8, 3), 128, np.uint8))
    frame = data.index(b"\xff\xc0")
    scan = data.index(b"\xff\xda")
    two = (
        data[:frame]
        + b"\xff\xc0\x00\x0e\x08\x00\x08\x00\x08\x02\x01\x11\x00\x02\x11\x00"
        + data[frame + 2 + 11 : scan]
        + b"\xff\xda\x00\x0a\x02\x01\x00\x02\x00\x00\x3f\x00"
        # DC difference 0, end of block, twice: 00 1010 00 1010 in the tables of Annex K, then ones.
        + bytes([0b00101000, 0b10101111])
        + b"\xff\xd9"
    )
    native = fl.read_dct(two, decoder="native")
    assert (native.color_space, len(native.planes)) == ("unknown", 2)
    with pytest.raises(fl.ImageDecodeError, match=r"Pillow.*the native decoder: unknown with sampling"):
        fl.read_dct(two)


@pytest.mark.parametrize("decoder", ["native", "jpeg2dct"])
def test_pixels_are_no_source_for_jpeg_decoders(decoder):
    with pytest.raises(TypeError, match="decoder='pixels'"):
        fl.read_dct(np.zeros((8, 8, 3), np.uint8), decoder=decoder)


@pytest.mark.parametrize("cut", [3, 30, 0.3, 0.7], ids=["start", "headers", "tables", "data"])
def test_auto_never_hides_a_damaged_jpeg_behind_pixels(cut, jpeg):
    length = cut if isinstance(cut, int) else int(cut * len(jpeg))
    with pytest.raises(fl.MalformedJpegError):
        fl.read_dct(jpeg[:length])


def test_pixels_of_a_jpeg_are_pillow_s(jpeg):
    image = fl.read_dct(jpeg, decoder="pixels")
    assert image.source == "pixels"
    with Image.open(io.BytesIO(jpeg)) as reference:
        np.testing.assert_array_equal(image.to_rgb(), np.asarray(reference))


@pytest.mark.parametrize("decoder", ["auto", "native", "pixels"])
def test_max_pixels(decoder, jpeg):
    assert fl.read_dct(jpeg, decoder=decoder, max_pixels=37 * 53).size_px == (37, 53)
    with pytest.raises(fl.ImageTooLargeError, match="max_pixels"):
        fl.read_dct(jpeg, decoder=decoder, max_pixels=37 * 53 - 1)


@pytest.mark.parametrize("read", [fl.read_dct, fl.read_info])
@pytest.mark.parametrize("limit", [0, -1, 2**63, 1.5, True, "9"], ids=str)
def test_bad_max_pixels(read, limit, jpeg):
    with pytest.raises((TypeError, ValueError), match=r"expected max_pixels as an? (positive )?integer"):
        read(jpeg, max_pixels=limit)


def test_bad_decoder(jpeg):
    with pytest.raises(ValueError, match=r"expected decoder to be one of .*native.*got 'libjpeg'"):
        fl.read_dct(jpeg, decoder="libjpeg")


def test_read_info(make_jpeg, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = make_jpeg(45, 67, sampling="4:2:2", progressive=True, quality=83, restart_mcus=3, exif=exif.tobytes())
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data)):
        info = fl.read_info(source)
        assert info.size_px == (45, 67)
        assert (info.color_space, info.subsampling, info.sampling) == ("YCbCr", "4:2:2", ((2, 1), (1, 1), (1, 1)))
        assert (info.process, info.progressive) == ("progressive", True)
        assert info.restart_interval == 3
        assert info.orientation == 6
        assert info.quality == 83
    assert repr(info) == (
        "ImageInfo(67x45 px, YCbCr 4:2:2, progressive, quality 83, restart interval 3, orientation 6)"
    )


def test_read_info_needs_no_image_data(jpeg):
    assert fl.read_info(jpeg[: jpeg.rindex(b"\xff\xda") + 14]).size_px == (37, 53)


def test_read_info_of_a_file_with_long_headers(make_jpeg, tmp_path):
    data = make_jpeg(24, 32)
    comment = b"\xff\xfe\xff\xff" + bytes(65533)
    path = tmp_path / "long.jpg"
    path.write_bytes(data[:2] + comment * 3 + data[2:])
    assert fl.read_info(path).size_px == (24, 32)


def test_read_info_refuses_what_is_no_jpeg(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(Image.new("RGB", (4, 4)), "PNG"))
    with pytest.raises(fl.NotJpegError, match=r"a\.png"):
        fl.read_info(path)
    with pytest.raises(TypeError, match="got pixels"):
        fl.read_info(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("decoder", ["auto", "pixels"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_damaged_files_raise_our_errors_only(kind, decoder, photo_like):
    data = saved(Image.fromarray(photo_like(24, 31)), kind)
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), 4):
            damaged[position] = rng.integers(256)
        if rng.random() < 0.3:
            del damaged[rng.integers(1, len(data)) :]
        try:
            _ = fl.read_dct(bytes(damaged), decoder=decoder, max_pixels=10**6).planes
        except (fl.JpegError, fl.ImageDecodeError):
            refused += 1
    assert refused > 0


def test_all_photos_read_natively(photos):
    files = sorted(Path(photos, "coco-seg", "images").glob("*.jpg"))[:20]
    assert files
    for file in files:
        image = fl.read_dct(file)
        with Image.open(file) as reference:
            assert image.size_px == (reference.height, reference.width)
        assert image.source == "native"
        assert image.complete
