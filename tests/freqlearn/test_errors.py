"""Errors that say which file they are of, wherever they come from and go to."""

import copy
import io
import pickle

import pytest

import freqlearn as fl
from freqlearn import transforms

UNREADABLE = {
    "empty.jpg": (b"", fl.ImageDecodeError, "the source is empty"),
    "text.png": (b"not a picture", fl.ImageDecodeError, r"got 13 bytes that start with 6e 6f 74"),
    "header.jpg": (b"\xff\xd8\xff\xd9", fl.MalformedJpegError, "expected"),
}
each = pytest.mark.parametrize("name", UNREADABLE)


@pytest.fixture
def unreadable(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(UNREADABLE[name][0])
    return file


@each
@pytest.mark.parametrize("through", [str, fl.read_bytes, io.FileIO], ids=["path", "bytes", "file"])
def test_every_error_of_a_file_names_it_once(name, through, unreadable):
    _, kind, says = UNREADABLE[name]
    with pytest.raises(kind, match=says) as caught:
        fl.read_dct(through(unreadable))
    assert isinstance(caught.value, fl.ImageError)
    assert caught.value.path == str(unreadable)
    assert str(caught.value).count(str(unreadable)) == 1
    assert "0x" not in str(caught.value)  # no addresses of buffers


@each
def test_errors_survive_pickling_and_copying(name, unreadable):
    with pytest.raises(fl.ImageError) as caught:
        fl.read_dct(unreadable)
    for again in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):
        assert type(again) is type(caught.value)
        assert (str(again), vars(again)) == (str(caught.value), vars(caught.value))


def test_an_error_of_pixels_without_a_file_has_no_path():
    with pytest.raises(fl.ImageDecodeError) as caught:
        fl.read_dct(b"")
    assert caught.value.path is None
    assert str(caught.value) == caught.value.message


def test_a_transforms_error_notes_the_file(make_jpeg, tmp_path):
    file = tmp_path / "small.jpg"
    file.write_bytes(make_jpeg(40, 56))
    steps = transforms.Compose([transforms.ReadDCT(), transforms.RandomCrop(64)])
    with pytest.raises(ValueError, match="at least the crop's 64x64 px, got 40x56 px") as caught:
        steps(fl.read_bytes(file))
    assert caught.value.__notes__ == [f"RandomCrop of {file}"]
