"""What a JPEG file cannot hold is refused in one line that says what and where."""

import numpy as np
import pytest
from written_files import assert_read_back

import freqlearn as fl
from freqlearn import Plan, _native


def gray(changes=None, **options) -> fl.DCTImage:
    """Two by three blocks of zeros, but for {(row, col, v, u): value}."""
    plane = np.zeros((2, 3, 8, 8), np.int16)
    for place, value in (changes or {}).items():
        plane[place] = value
    return fl.DCTImage.from_planes([plane], size_px=(16, 24), **options)


KINDS = {"optimised": {}, "standard tables": {"optimise": False}, "progressive": {"progressive": True}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [1024, -1024, 32767, -32768])
def test_ac_out_of_range(value, kind):
    message = (
        rf"^plane 0, block \(1, 2\): expected AC coefficients of -1023 to 1023, .* {value} at \(v, u\) = \(3, 4\)$"
    )
    with pytest.raises(ValueError, match=message):
        fl.write_jpeg(gray({(1, 2, 3, 4): value}), **KINDS[kind])


@pytest.mark.parametrize(
    ("values", "block", "difference"),
    [((32767, 0), r"\(0, 0\)", 32767), ((-1, 2047), r"\(0, 1\)", 2048), ((1000, -1048), r"\(0, 1\)", -2048)],
)
def test_dc_out_of_range(values, block, difference):
    image = gray({(0, 0, 0, 0): values[0], (0, 1, 0, 0): values[1]})
    message = rf"^plane 0, block {block}: expected a DC coefficient within 2047 .* a difference of {difference}$"
    with pytest.raises(ValueError, match=message):
        fl.write_jpeg(image)


@pytest.mark.parametrize("value", [2047, -2047])
def test_the_largest_that_can_be_coded(value):
    image = gray({(0, 0, 0, 0): value, (1, 2, 7, 7): 1023, (1, 2, 3, 4): -1023})
    for kind in KINDS.values():
        assert_read_back(fl.write_jpeg(image, **kind), image)


def test_pending_plan_says_what_to_do():
    image = gray()
    flipped = image.with_plan(image.plan.hflip())
    with pytest.raises(ValueError, match=r"nothing pending.*Plan\.identity\(img\.size_px\)"):
        fl.write_jpeg(flipped)
    assert fl.write_jpeg(flipped.with_plan(Plan.identity(image.size_px))) == fl.write_jpeg(image)


def test_pixels_are_not_quantised(photo_like):
    with pytest.raises(ValueError, match=r"quantised coefficients \(int16\), got float32 ones from pixels"):
        fl.write_jpeg(fl.read_dct(photo_like(8, 8)))


def test_the_message_names_the_file(tmp_path, photo_like):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(photo_like(8, 8)).save(path)
    with pytest.raises(ValueError, match=r"a\.png: expected quantised"):
        fl.write_jpeg(fl.read_dct(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restart_interval": -1}, "restart_interval of 0 to 65535 MCUs, got -1"),
        ({"restart_interval": 65536}, "restart_interval of 0 to 65535 MCUs, got 65536"),
        ({"metadata": "some"}, "metadata to be one of .* got 'some'"),
        ({"optimise": False, "progressive": True}, "progressive file has no standard Huffman tables"),
    ],
    ids=str,
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        fl.write_jpeg(gray(), **options)


def test_what_is_no_image():
    with pytest.raises(TypeError, match="expected a DCTImage, got bytes"):
        fl.write_jpeg(b"\xff\xd8")


def test_sizes_beyond_16_bits():
    wide = fl.DCTImage.from_planes([np.zeros((1, 8192, 8, 8), np.int16)], size_px=(1, 65536))
    with pytest.raises(ValueError, match="1 to 65535 px a side, as JPEG can say, got 65536 x 1"):
        fl.write_jpeg(wide)
    widest = fl.DCTImage.from_planes([np.zeros((1, 8192, 8, 8), np.int16)], size_px=(1, 65535))
    assert_read_back(fl.write_jpeg(widest), widest)


def test_colors_that_no_file_can_name():
    planes = [np.zeros((1, 1, 8, 8), np.int16)] * 3
    with pytest.raises(ValueError, match=r"planes that a JPEG file can name: .* got 3 of color_space unknown"):
        fl.write_jpeg(fl.DCTImage.from_planes(planes, size_px=(8, 8), color_space="unknown"))


PLANE, TABLE = np.zeros((1, 1, 8, 8), np.int16), np.ones((8, 8), np.uint16)
GOOD = {"planes": [PLANE], "quant_tables": [TABLE], "size_px": (8, 8), "sampling": [(1, 1)], "color_space": "gray"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"quant_tables": []}, ValueError, "one table"),
        ({"sampling": [(1, 1)] * 2}, ValueError, "one pair of sampling factors"),
        ({"sampling": [(0, 1)]}, ValueError, "sampling factors of 1 to 4, got 0x1"),
        ({"sampling": [(1, 5)]}, ValueError, "sampling factors of 1 to 4, got 1x5"),
        ({"size_px": (9, 8)}, ValueError, "2 x 1 blocks in plane 0, .* got 1 x 1"),
        ({"size_px": (0, 8)}, ValueError, "1 to 65535 px a side, as JPEG can say, got 8 x 0"),
        ({"quant_tables": [TABLE * 0]}, ValueError, "quantisation steps of 1 to 65535, got 0"),
        ({"planes": [PLANE.astype(np.float32)]}, TypeError, "int16"),
        ({"planes": [PLANE[0]]}, TypeError, "contiguous planes"),
        (
            {"planes": [], "quant_tables": [], "sampling": [], "color_space": "Lab"},
            ValueError,
            "got 0 of color_space Lab",
        ),
        ({"planes": [], "quant_tables": [], "sampling": []}, ValueError, "got 0 of color_space gray"),
    ],
)
def test_the_native_writer_checks_what_it_is_given(change, error, message):
    options = {"optimise": True, "progressive": False, "restart_interval": 0, "segments": b""}
    assert _native.encode(**GOOD, **options)[:2] == b"\xff\xd8"
    with pytest.raises(error, match=message):
        _native.encode(**{**GOOD, **change}, **options)
