"""jpeg2dct's interface on our decoder, and jpeg2dct as a decoder: against the package where it is installed."""

import base64
import importlib.util
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import freqlearn as fl
from freqlearn.compat.jpeg2dct import load, loads

# Its origin is told in the file.
RECORDED = json.loads((Path(__file__).parent.parent / "assets" / "jpeg2dct-0.2.4.json").read_text())["files"]


# jpeg2dct runs in a process of its own: its libjpeg, once loaded, takes the place of the one that jpeglib brings.
WORKER = """
import pickle, sys
import freqlearn as fl
from jpeg2dct.numpy import load, loads

def read(data, strict):
    image = fl.read_dct(data, decoder="jpeg2dct", strict=strict)
    copy = pickle.loads(pickle.dumps(image))
    return image.source, image.complete, image.warnings, image.planes, image.quant_tables, copy.to_rgb()

while True:
    try:
        name, arguments = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        answer = {"load": load, "loads": loads, "read": read}[name](*arguments)
    except Exception as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


@pytest.fixture(scope="module")
def package():
    """`package(name, *arguments)`: jpeg2dct's "load" or "loads", or "read" for our decoder on top of it."""
    if importlib.util.find_spec("jpeg2dct") is None:
        pytest.skip("compares with jpeg2dct: pip install freqlearn[jpeg2dct]")
    with subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def ask(name, *arguments):
            pickle.dump((name, arguments), process.stdin)
            process.stdin.flush()
            answer = pickle.load(process.stdout)
            if isinstance(answer, Exception):
                raise answer
            return answer

        yield ask


def recorded(name, form):
    bands = []
    for band in RECORDED[name][form]:
        values = np.zeros(np.prod(band["shape"]), np.int16)
        for index, value in band["nonzero"]:
            values[index] = value
        bands.append(values.reshape(band["shape"]))
    return bands


def assert_same(ours, theirs):
    assert isinstance(ours, list)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype == np.int16
        assert a.flags.writeable
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("form", ["dequantised", "stored"])
def test_what_jpeg2dct_gave(name, form, tmp_path):
    data = base64.b64decode(RECORDED[name]["jpeg"])
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    expected = recorded(name, form)
    normalized = form == "dequantised"
    assert_same(loads(data, normalized), expected)
    assert_same(loads(bytearray(data), normalized=normalized, channels=1), expected[:1])
    for source in (path, str(path)):
        assert_same(load(source, normalized=normalized, channels=3), expected)


@pytest.mark.parametrize("sampling", ["4:2:0", "gray"])
@pytest.mark.parametrize("size", [(1, 1), (8, 16), (37, 53), (100, 71)], ids=str)
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_the_package_gives_the_same(sampling, size, progressive, package, make_jpeg, tmp_path):
    data = make_jpeg(*size, sampling=sampling, progressive=progressive)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    for normalized in (True, False):
        for channels in (3, 1):
            theirs = package("loads", data, normalized, channels)
            assert_same(loads(data, normalized=normalized, channels=channels), theirs)
            assert_same(load(str(path), normalized, channels), package("load", str(path), normalized, channels))


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:4:0"])
def test_other_samplings_keep_the_file_s_chroma(sampling, make_jpeg, read_planes):
    data = make_jpeg(40, 72, sampling=sampling)
    planes, tables = read_planes(data)
    expected = [
        (p.astype(int) * t).astype(np.int16).reshape(*p.shape[:2], 64) for p, t in zip(planes, tables, strict=True)
    ]
    assert_same(loads(data), expected)
    assert_same(loads(data, normalized=False), [p.reshape(*p.shape[:2], 64) for p in planes])


def test_rgb_is_converted_only_when_dequantised(photo_like):
    file = io.BytesIO()
    Image.fromarray(photo_like(24, 32)).save(file, "JPEG", keep_rgb=True)
    bands = loads(file.getvalue())
    exact = fl.read_dct(file.getvalue()).dequantised()
    for band, plane in zip(bands, exact, strict=True):
        assert np.abs(band - plane.reshape(*plane.shape[:2], 64)).max() <= 0.5 + 1e-3
    with pytest.raises(ValueError, match="got RGB"):
        loads(file.getvalue(), normalized=False)


def test_errors_are_raised_not_printed(make_jpeg, tmp_path):
    data = make_jpeg(64, 64)
    with pytest.raises(fl.TruncatedJpegError):
        loads(data[: len(data) * 3 // 4])
    with pytest.raises(fl.NotJpegError):
        loads(b"no JPEG at all")
    with pytest.raises(ValueError, match="channels should be 3 or 1, got 2"):
        loads(data, channels=2)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere.jpg")
    cmyk = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(cmyk, "JPEG")
    for normalized in (True, False):
        with pytest.raises(ValueError, match="CMYK"):
            loads(cmyk.getvalue(), normalized)


def test_values_beyond_int16_are_refused(make_jpeg):
    """A DC of 1016 (white) stored with step 1, and the table's first entry changed to 64: 65024."""
    data = bytearray(make_jpeg(8, 8, sampling="gray", quality=100, pixels=np.full((8, 8, 3), 255, np.uint8)))
    table = data.index(b"\xff\xdb") + 5
    assert data[table] == 1
    data[table] = 64
    with pytest.raises(ValueError, match="within int16, got 0 to 65024 in Y"):
        loads(bytes(data))
    assert loads(bytes(data), normalized=False)[0].max() == 1016
    assert fl.read_dct(bytes(data)).dequantised()[0].max() == 65024


class TestDecoder:
    @pytest.mark.parametrize("sampling", ["4:2:0", "gray"])
    def test_it_reads_what_native_reads(self, sampling, package, make_jpeg):
        data = make_jpeg(37, 53, sampling=sampling)
        source, complete, warnings, planes, tables, rgb = package("read", data, True)
        assert (source, complete, warnings) == ("jpeg2dct", True, ())
        native = fl.read_dct(data, decoder="native")
        for ours, theirs in zip(native.planes + native.quant_tables, planes + tables, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(rgb, native.to_rgb())

    @pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "2x2,1x2"])
    def test_what_it_would_reencode_is_refused(self, sampling, make_jpeg):
        with pytest.raises(fl.UnsupportedJpegError, match="would re-encode it at quality 100"):
            fl.read_dct(make_jpeg(24, 32, sampling=sampling), decoder="jpeg2dct")

    def test_what_it_cannot_tell_is_refused_or_told(self, package, make_jpeg):
        data = make_jpeg(64, 64)[:-50]
        with pytest.raises(fl.TruncatedJpegError, match="cannot tell whether data is missing"):
            package("read", data, True)
        _, complete, warnings, *_ = package("read", data, False)
        assert not complete
        assert any("cannot tell" in warning for warning in warnings)

    def test_without_the_package_one_line_says_what_to_install(self, make_jpeg, monkeypatch):
        monkeypatch.setitem(sys.modules, "jpeg2dct", None)
        monkeypatch.setitem(sys.modules, "jpeg2dct.numpy", None)
        with pytest.raises(ImportError, match=r"pip install freqlearn\[jpeg2dct\]") as caught:
            fl.read_dct(make_jpeg(8, 8), decoder="jpeg2dct")
        assert "\n" not in str(caught.value)
