"""What read_info() and check() say, and what is only odd enough for a warning."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from jpeg_builder import BASELINE, PROGRESSIVE, Scan, build, random_planes, segment
from PIL import Image

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"
TABLE = np.arange(1, 65).reshape(8, 8)
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
PLANES = random_planes(np.random.default_rng(5), (20, 12), [(1, 1)])


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, transform]))


def exif(
    order: str, value: int, *, tag: int = 0x0112, kind: int = 3, count: int = 1, directory: int = 8, magic: int = 42
) -> bytes:
    """APP1 with one entry; the value of a BYTE or SHORT lies in the first bytes of its field (TIFF 6.0, section 2)."""
    e = "<" if order == "II" else ">"
    field = struct.pack(e + {1: "B3x", 3: "H2x", 4: "I", 7: "I"}[kind], value)
    entry = struct.pack(e + "HHI", tag, kind, count) + field
    return segment(
        0xE1,
        b"Exif\0\0"
        + order.encode()
        + struct.pack(e + "HI", magic, directory)
        + struct.pack(e + "H", 1)
        + entry
        + bytes(4),
    )


def gray(head: bytes = b"", **options) -> bytes:
    return build(PLANES, [TABLE], size_px=(20, 12), sampling=[(1, 1)], scans=[Scan((0,))], head=head, **options)


def coloured(components: int, head: bytes = b"", ids: tuple[int, ...] | None = None) -> bytes:
    sampling = [(1, 1)] * components
    planes = random_planes(np.random.default_rng(0), (8, 8), sampling)
    tables = [TABLE, TABLE][:components]
    scans = [Scan(tuple(range(components)))]
    return build(planes, tables, size_px=(8, 8), sampling=sampling, scans=scans, head=head, ids=ids)


def decode(jpeg: bytes) -> _native.Decoded:
    return _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)


def assert_warns(jpeg: bytes, *texts: str) -> None:
    """Read in full, equal coefficients, and one warning for each of `texts`."""
    decoded = decode(jpeg)
    assert decoded.complete
    np.testing.assert_array_equal(decoded.planes[0], PLANES[0])
    assert len(decoded.warnings) == len(texts), decoded.warnings
    for warning, text in zip(decoded.warnings, texts, strict=True):
        assert text in warning
    lenient = _native.decode(jpeg, strict=False, max_pixels=MAX_PIXELS)
    assert lenient.complete
    assert lenient.warnings == decoded.warnings


@pytest.mark.parametrize(
    ("jpeg", "color_space"),
    [
        pytest.param(coloured(1), "gray", id="one component"),
        pytest.param(coloured(2), "unknown", id="two components"),
        pytest.param(coloured(3), "YCbCr", id="three, no marker"),
        pytest.param(coloured(3, ids=(82, 71, 66)), "RGB", id="three, ids R G B"),
        pytest.param(coloured(3, JFIF, ids=(82, 71, 66)), "YCbCr", id="JFIF before ids"),
        pytest.param(coloured(3, adobe(0)), "RGB", id="Adobe 0"),
        pytest.param(coloured(3, adobe(1), ids=(82, 71, 66)), "YCbCr", id="Adobe before ids"),
        pytest.param(coloured(3, JFIF + adobe(0)), "YCbCr", id="JFIF before Adobe"),
        pytest.param(coloured(4), "CMYK", id="four, no marker"),
        pytest.param(coloured(4, adobe(0)), "CMYK", id="four, Adobe 0"),
        pytest.param(coloured(4, adobe(2)), "YCCK", id="four, Adobe 2"),
    ],
)
def test_color_space(jpeg, color_space):
    info = _native.read_info(jpeg, MAX_PIXELS)
    assert info.color_space == color_space
    assert info.warnings == []
    assert decode(jpeg).info.color_space == color_space


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_color_space_of_pillow_files(mode):
    file = io.BytesIO()
    Image.new(mode, (9, 9)).save(file, "JPEG")
    info = _native.read_info(file.getvalue(), MAX_PIXELS)
    assert info.color_space == {"L": "gray", "RGB": "YCbCr", "CMYK": "CMYK"}[mode]
    assert info.jfif == (mode != "CMYK")
    assert info.adobe_transform == (0 if mode == "CMYK" else None)


def test_unknown_adobe_transform_warns():
    info = _native.read_info(coloured(3, adobe(7)), MAX_PIXELS)
    assert (info.color_space, info.adobe_transform) == ("YCbCr", 7)
    assert "Adobe colour transform: expected 0 or 1 for three components, got 7" in info.warnings[0]


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("kind", [1, 3, 4], ids=["BYTE", "SHORT", "LONG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation(order, kind, value):
    assert _native.read_info(gray(exif(order, value, kind=kind)), MAX_PIXELS).orientation == value


def test_orientation_of_pillow_files(make_jpeg):
    tags = Image.Exif()
    tags[0x010F] = "A maker"
    tags[0x0112] = 6
    assert _native.read_info(make_jpeg(20, 20, exif=tags.tobytes()), MAX_PIXELS).orientation == 6


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="none"),
        pytest.param(exif("II", 0), id="0"),
        pytest.param(exif("MM", 9), id="9"),
        pytest.param(exif("II", 6, tag=0x0111), id="another tag"),
        pytest.param(exif("II", 6, kind=7), id="another type"),
        pytest.param(exif("XX", 6), id="no byte order"),
        pytest.param(exif("II", 6, magic=43), id="not TIFF"),
        pytest.param(exif("II", 6, directory=0xFFFFFFFF), id="directory far outside"),
        pytest.param(exif("MM", 6, directory=26), id="directory at the end"),
        pytest.param(segment(0xE1, b"Exif\0\0II*\0"), id="cut"),
        pytest.param(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"), id="XMP"),
        pytest.param(segment(0xE1, b""), id="empty"),
    ],
)
def test_no_orientation(head):
    assert _native.read_info(gray(head), MAX_PIXELS).orientation == 1


def test_orientation_of_second_app1():
    head = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + exif("MM", 8)
    assert _native.read_info(gray(head), MAX_PIXELS).orientation == 8


def test_info_fields():
    info = _native.read_info((ASSETS / "420_restart.jpg").read_bytes(), MAX_PIXELS)
    assert (info.width, info.height) == (43, 29)
    assert info.process == "baseline"
    assert info.sampling == [(2, 2), (1, 1), (1, 1)]
    assert info.component_ids == [1, 2, 3]
    assert info.restart_interval == 3
    assert info.jfif
    assert info.adobe_transform is None
    assert [table.dtype for table in info.quant_tables] == [np.uint16] * 3


def test_check_agrees_with_read_info():
    for path in sorted(ASSETS.glob("*.jpg")):
        jpeg = path.read_bytes()
        try:
            info = _native.read_info(jpeg, MAX_PIXELS)
        except errors.UnsupportedJpegError:
            with pytest.raises(errors.UnsupportedJpegError):
                _native.check(jpeg, MAX_PIXELS)
            continue
        checked = _native.check(jpeg, MAX_PIXELS)
        assert (checked.width, checked.height, checked.sampling) == (info.width, info.height, info.sampling)
        assert checked.warnings == []


def test_read_info_needs_only_the_headers():
    jpeg = gray()
    headers = jpeg[: jpeg.index(b"\xff\xda") + 10]
    assert _native.read_info(headers, MAX_PIXELS).width == 12
    with pytest.raises(errors.TruncatedJpegError):
        _native.check(headers, MAX_PIXELS)


def test_table_after_the_first_scan_is_zero_in_read_info():
    sampling = [(1, 1)] * 2
    planes = random_planes(np.random.default_rng(0), (8, 8), sampling)
    jpeg = build(planes, [TABLE, TABLE], size_px=(8, 8), sampling=sampling, scans=[Scan((0,)), Scan((1,))])
    second = segment(0xDB, b"\1" + bytes(64))[:5]
    begin = jpeg.index(second)
    table, rest = jpeg[begin : begin + 69], jpeg[:begin] + jpeg[begin + 69 :]
    last_scan = rest.rindex(b"\xff\xda")
    moved = rest[:last_scan] + table + rest[last_scan:]
    assert not _native.read_info(moved, MAX_PIXELS).quant_tables[1].any()
    np.testing.assert_array_equal(_native.check(moved, MAX_PIXELS).quant_tables[1], TABLE)
    np.testing.assert_array_equal(decode(moved).quant_tables[1], TABLE)


def test_missing_eoi():
    jpeg = gray()[:-2]
    assert_warns(jpeg, f"missing EOI marker at byte {len(jpeg)}")
    assert _native.check(jpeg, MAX_PIXELS).warnings == decode(jpeg).warnings


def test_trailing_bytes():
    jpeg = gray()
    assert_warns(jpeg + b"\0" * 5, f"5 bytes after EOI, at byte {len(jpeg)}")


def test_second_picture():
    jpeg = gray()
    assert_warns(jpeg + jpeg, "bytes of a further picture after EOI")


def test_multi_picture_file(photo_like, read_planes):
    first, second = (Image.fromarray(photo_like(24, 32, seed=seed)) for seed in (0, 1))
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second], quality=90)
    decoded = decode(file.getvalue())
    assert decoded.complete
    assert any("further picture" in warning for warning in decoded.warnings)
    np.testing.assert_array_equal(decoded.planes[0], read_planes(file.getvalue())[0][0])


@pytest.mark.parametrize("stray", [b"\0", b"abc", b"\xff\0\xff\0"], ids=["one", "three", "stuffed"])
def test_stray_bytes_between_segments(stray):
    jpeg = gray()
    begin = jpeg.index(b"\xff\xc4")
    assert_warns(jpeg[:begin] + stray + jpeg[begin:], f"{len(stray)} stray bytes before a marker, at byte {begin}")


def test_bytes_after_the_scan():
    jpeg = gray()
    assert_warns(jpeg[:-2] + b"\1\2\3" + jpeg[-2:], "3 bytes after the blocks of a scan")


def test_restart_marker_after_the_scan():
    jpeg = gray()
    assert_warns(jpeg[:-2] + b"\xff\xd0" + jpeg[-2:], "1 restart markers after the blocks of a scan")


def test_sequential_scan_with_other_spectral_bytes():
    jpeg = gray()
    at = jpeg.index(b"\xff\xda") + 7
    assert jpeg[at : at + 3] == bytes([0, 63, 0])
    assert_warns(jpeg[:at] + bytes(3) + jpeg[at + 3 :], "sequential scan: expected coefficients 0 to 63")


def test_zeros_in_a_quantisation_table():
    jpeg = gray()
    at = jpeg.index(b"\xff\xdb") + 5
    assert_warns(jpeg[:at] + b"\0" + jpeg[at + 1 :], "quantisation table 0 has zeros")


def test_every_app_and_comment_is_skipped():
    head = b"".join(segment(code, b"\xff\xd9\xff\xda") for code in [*range(0xE0, 0xF0), 0xFE])
    assert_warns(gray(head))


def test_progression_that_lacks_bits():
    planes = random_planes(np.random.default_rng(2), (16, 16), [(1, 1)])
    scans = [Scan((0,), 0, 0), Scan((0,), 1, 63, 0, 2)]
    jpeg = build(planes, [TABLE], size_px=(16, 16), sampling=[(1, 1)], scans=scans, process=PROGRESSIVE)
    decoded = decode(jpeg)
    assert decoded.complete
    assert "the scans do not send 63 of 64 coefficients in full" in decoded.warnings[0]
    wanted = np.sign(planes[0]) * (np.abs(planes[0]) >> 2 << 2)
    np.testing.assert_array_equal(decoded.planes[0].reshape(-1, 64)[:, 1:], wanted.reshape(-1, 64)[:, 1:])


def test_progression_out_of_order(read_planes):
    """Libjpeg reads a band that comes before the DC, and so do we; both warn."""
    planes = random_planes(np.random.default_rng(2), (16, 16), [(1, 1)], largest=100)
    scans = [Scan((0,), 1, 63), Scan((0,), 0, 0)]
    jpeg = build(planes, [TABLE], size_px=(16, 16), sampling=[(1, 1)], scans=scans, process=PROGRESSIVE)
    decoded = decode(jpeg)
    assert "does not follow from the scans before it" in decoded.warnings[0]
    np.testing.assert_array_equal(decoded.planes[0], planes[0])
    np.testing.assert_array_equal(decoded.planes[0], read_planes(jpeg)[0][0])


def test_warnings_are_bounded():
    jpeg = gray()
    begin = jpeg.index(b"\xff\xc4")
    warnings = decode(jpeg[:begin] + (b"\0" + segment(0xFE, b"")) * 5000 + jpeg[begin:]).warnings
    assert len(warnings) == 33
    assert warnings[-1] == "and 4968 more"


@pytest.mark.parametrize("process", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
def test_unused_invalid_huffman_table_is_ignored(process):
    scans = [Scan((0,))] if process == BASELINE else [Scan((0,), 0, 0), Scan((0,), 1, 63)]
    all_ones = segment(0xC4, bytes([0x13, 2] + [0] * 15 + [1, 2]))
    assert_warns(
        build(PLANES, [TABLE], size_px=(20, 12), sampling=[(1, 1)], scans=scans, process=process, head=all_ones)
    )


@pytest.mark.parametrize(
    ("name", "orientation", "color_space"),
    [("exif_intel.jpg", 6, "YCbCr"), ("exif_motorola.jpg", 8, "YCbCr"), ("cmyk_adobe.jpg", 1, "CMYK")],
)
def test_assets(name, orientation, color_space):
    info = _native.read_info((ASSETS / name).read_bytes(), MAX_PIXELS)
    assert (info.orientation, info.color_space) == (orientation, color_space)
