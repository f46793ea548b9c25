"""What a written file says beside its picture, and to where it is written."""

import io
import re
import struct

import numpy as np
import pytest
from jpeg_builder import SOI, segment
from PIL import ExifTags, Image
from written_files import ASSETS, assert_read_back, read

import freqlearn as fl

GRAY = np.zeros((2, 3, 8, 8), np.int16)


def head(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Marker segments before the frame header."""
    found, at = [], 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        found.append((jpeg[at + 1], jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return [entry for entry in found if entry[0] >= 0xE0]


@pytest.mark.parametrize("name", ["exif_intel.jpg", "exif_motorola.jpg", "420_optimised.jpg", "cmyk_adobe.jpg"])
def test_keep_is_everything_as_it_was(name):
    original = (ASSETS / name).read_bytes()
    jpeg = fl.write_jpeg(read(original))
    assert head(jpeg) == head(original)
    with Image.open(io.BytesIO(jpeg)) as ours, Image.open(io.BytesIO(original)) as theirs:
        assert {**ours.info} == {**theirs.info}
        assert dict(ours.getexif()) == dict(theirs.getexif())


def test_comments_and_profiles_stay_in_their_order(make_jpeg):
    extra = segment(0xFE, b"first") + segment(0xE2, b"ICC_PROFILE\0\1\1profile") + segment(0xED, b"x" * 65533)
    original = make_jpeg(9, 9)
    jpeg = fl.write_jpeg(read(SOI + extra + b"\xff\xff" + original[2:]))
    assert head(jpeg) == [*head(SOI + extra + original[2:])]
    assert fl.write_jpeg(read(jpeg)) == jpeg


def test_the_index_of_pictures_that_are_not_written_goes(photo_like):
    original = (ASSETS / "multi_picture.mpo").read_bytes()
    assert any(payload.startswith(b"MPF\0") for _, payload in head(original))
    jpeg = fl.write_jpeg(read(original))
    assert head(jpeg) == [entry for entry in head(original) if not entry[1].startswith(b"MPF\0")]
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        image.load()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_alone(make_jpeg, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "somebody"
    original = read(make_jpeg(16, 16, exif=exif.tobytes()))
    jpeg = fl.write_jpeg(original, metadata="orientation")
    assert assert_read_back(jpeg, original).orientation == orientation
    with Image.open(io.BytesIO(jpeg)) as image:
        expected = {} if orientation == 1 else {ExifTags.Base.Orientation: orientation}
        assert dict(image.getexif()) == expected
    assert b"somebody" not in jpeg
    none = fl.write_jpeg(original, metadata="none")
    assert assert_read_back(none, original).orientation == 1
    assert [code for code, _ in head(none)] == [0xE0]
    assert fl.write_jpeg(fl.DCTImage.from_planes([GRAY], size_px=(16, 24), orientation=orientation)) == fl.write_jpeg(
        fl.DCTImage.from_planes([GRAY], size_px=(16, 24), orientation=orientation), metadata="orientation"
    )


@pytest.mark.parametrize("metadata", ["orientation", "none"])
@pytest.mark.parametrize("name", ["420_optimised.jpg", "gray_2x2.jpg", "rgb.jpg", "cmyk_adobe.jpg"])
def test_colors_need_no_original_segments(name, metadata):
    original = (ASSETS / name).read_bytes()
    jpeg = fl.write_jpeg(read(original), metadata=metadata)
    assert_read_back(jpeg, read(original))
    with Image.open(io.BytesIO(jpeg)) as ours, Image.open(io.BytesIO(original)) as theirs:
        assert ours.mode == theirs.mode
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_inks_without_adobes_mark_get_none():
    """Programs take marked inks for inverted ones."""
    marked = (ASSETS / "cmyk_adobe.jpg").read_bytes()
    start = marked.index(b"\xff\xee")
    (length,) = struct.unpack(">H", marked[start + 2 : start + 4])
    bare = read(marked[:start] + marked[start + 2 + length :])
    assert bare.color_space == "CMYK"
    for metadata in ("keep", "orientation", "none"):
        assert b"Adobe" not in fl.write_jpeg(bare, metadata=metadata)
        assert b"Adobe" in fl.write_jpeg(read(marked), metadata=metadata)


def test_to_a_path(tmp_path, make_jpeg):
    image = read(make_jpeg(20, 30))
    path = tmp_path / "a.jpg"
    path.write_bytes(b"before")
    assert fl.write_jpeg(image, path) == path.read_bytes() == fl.write_jpeg(image)
    assert fl.write_jpeg(read(path), str(path)) == path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
    with pytest.raises(OSError, match=re.escape("nowhere")):
        fl.write_jpeg(image, tmp_path / "nowhere" / "a.jpg")


def test_nothing_is_written_of_what_cannot_be(tmp_path):
    plane = GRAY.copy()
    plane[1, 2, 0, 1] = 1024
    path = tmp_path / "a.jpg"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="1024"):
        fl.write_jpeg(fl.DCTImage.from_planes([plane], size_px=(16, 24)), path)
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
