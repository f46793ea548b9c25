"""The package's face: its names, and what importing it costs."""

import subprocess
import sys

import freqlearn as fl


def test_every_public_name_is_there():
    for name in fl.__all__:
        assert getattr(fl, name) is not None
        assert name in dir(fl)
    assert sorted(fl.__all__) == fl.__all__


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(fl, "nothing")


def test_reading_coefficients_does_not_wait_for_torch():
    code = (
        "import sys, freqlearn, freqlearn.compat.jpeg2dct; print('torch' in sys.modules, 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_errors_are_value_errors_with_one_base():
    for name in (
        "MalformedJpegError",
        "NotJpegError",
        "TruncatedJpegError",
        "UnsupportedJpegError",
        "ImageTooLargeError",
    ):
        assert issubclass(getattr(fl, name), fl.JpegError)
    assert issubclass(fl.JpegError, ValueError)
    assert issubclass(fl.ImageDecodeError, ValueError)
