"""What an image may be read from, what is refused, and whose file an error names."""

import io
import pickle

import numpy as np
import pytest
import torch
from image_checks import assert_same
from PIL import Image

import freqlearn as fl

SOURCES = {
    "str": lambda path, data: str(path),
    "path": lambda path, data: path,
    "bytes": lambda path, data: data,
    "read_bytes": lambda path, data: fl.read_bytes(path),
    "bytearray": lambda path, data: bytearray(data),
    "memoryview": lambda path, data: memoryview(data),
    "strided memoryview": lambda path, data: memoryview(
        bytes(b for pair in zip(data, data, strict=True) for b in pair)
    )[::2],
    "array": lambda path, data: np.frombuffer(data, np.uint8),
    "strided array": lambda path, data: np.repeat(np.frombuffer(data, np.uint8), 2)[::2],
    "memmap": lambda path, data: np.memmap(path, np.uint8, "r"),
    "tensor": lambda path, data: torch.frombuffer(bytearray(data), dtype=torch.uint8),
    "open file": lambda path, data: path.open("rb"),
    "BytesIO": lambda path, data: io.BytesIO(data),
    "file part": lambda path, data: _at(io.BytesIO(b"prefix" + data), 6),
}


def _at(file, offset):
    file.seek(offset)
    return file


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_sources_of_bytes_give_the_file_s_planes(kind, jpeg, planes, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg)
    image = fl.read_dct(SOURCES[kind](path, jpeg))
    assert image.source == "native"
    assert image.size_px == (37, 53)
    assert_same(image, planes)


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "array", "tensor"])
def test_what_the_owner_does_with_his_buffer_later_changes_nothing(kind, jpeg, planes):
    buffer = bytearray(jpeg)
    views = {
        "bytearray": buffer,
        "memoryview": memoryview(buffer),
        "array": np.frombuffer(buffer, np.uint8),
        "tensor": torch.frombuffer(buffer, dtype=torch.uint8),
    }
    image = fl.read_dct(views[kind])
    buffer[:] = bytes(len(buffer))
    assert_same(image, planes)


@pytest.mark.parametrize(
    "make",
    [lambda a: a, Image.fromarray, lambda a: Image.fromarray(a).convert("RGBA")],
    ids=["array", "PIL", "PIL with alpha"],
)
def test_sources_of_pixels_come_back_as_the_same_pixels(make, photo_like):
    array = photo_like(21, 34)
    image = fl.read_dct(make(array))
    assert image.source == "pixels"
    assert image.jpeg is None
    np.testing.assert_array_equal(image.to_rgb(), array)


def test_a_gray_array_is_one_plane(photo_like):
    gray = photo_like(9, 17)[..., 0]
    image = fl.read_dct(gray)
    assert image.color_space == "gray"
    np.testing.assert_array_equal(image.to_rgb(), np.repeat(gray[..., None], 3, 2))


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        (None, TypeError, "expected a path, bytes.*got NoneType"),
        (3, TypeError, "got int"),
        ([1, 2], TypeError, "got list"),
        (b"", ValueError, "the source is empty"),
        (bytearray(), ValueError, "the source is empty"),
        (np.zeros(0, np.uint8), ValueError, "the source is empty"),
        (torch.zeros(0, dtype=torch.uint8), ValueError, "the source is empty"),
        (io.BytesIO(), ValueError, "the source is empty"),
        (np.zeros((4, 4, 3)), TypeError, "expected a uint8 array.*float64"),
        (np.zeros((3, 8, 9), np.uint8), ValueError, r"got \(3, 8, 9\).*transpose"),
        (np.zeros((8, 9, 4), np.uint8), ValueError, "drop an alpha channel"),
        (np.zeros((2, 8, 9, 3), np.uint8), ValueError, "expected a uint8 array of shape"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, "at least one pixel"),
        (np.uint8(3) * np.ones((), np.uint8), TypeError, "got uint8"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), TypeError, "permute"),
        (torch.zeros(9), TypeError, "float32"),
        (io.StringIO("text"), TypeError, "mode 'rb'"),
    ],
    ids=lambda value: (
        str(getattr(value, "shape", None) or value)[:24] if not isinstance(value, type) else value.__name__
    ),
)
def test_other_sources_are_refused_with_what_came_and_the_way_out(source, error, match):
    with pytest.raises(error, match=match):
        fl.read_dct(source)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg"):
        fl.read_dct(tmp_path / "nowhere.jpg")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ValueError, match=r"empty\.jpg: expected the bytes"):
        fl.read_dct(tmp_path / "empty.jpg")


@pytest.mark.parametrize("kind", ["path", "read_bytes", "open file"])
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_errors_name_the_file_at_once_and_on_late_decoding(kind, jpeg, tmp_path):
    path = tmp_path / "bad.jpg"
    path.write_bytes(jpeg[:-20])
    with pytest.raises(fl.TruncatedJpegError, match=r"bad\.jpg: ") as caught:
        fl.read_dct(SOURCES[kind](path, path.read_bytes()))
    assert caught.value.path == str(path)

    start = jpeg.rindex(b"\xff\xda") + 14
    path.write_bytes(jpeg[: start + (len(jpeg) - start) // 2] + jpeg[-2:])
    image = fl.read_dct(SOURCES[kind](path, path.read_bytes()))  # has its end: looks whole until decoded
    with pytest.raises(fl.JpegError, match=r"bad\.jpg: ") as caught:
        _ = image.planes
    assert caught.value.path == str(path)


def test_read_bytes_remembers_its_path_and_pickles(tmp_path, jpeg):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg)
    data = fl.read_bytes(path)
    assert data == jpeg
    assert isinstance(data, bytes)
    again = pickle.loads(pickle.dumps(data))
    assert (again, again.path) == (jpeg, str(path))
