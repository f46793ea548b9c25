"""Buffers in, arrays out, from many threads at once."""

import mmap
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from freqlearn import _native

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"


def decode(data) -> _native.Decoded:
    return _native.decode(data, strict=True, max_pixels=MAX_PIXELS)


@pytest.fixture(scope="module")
def jpeg(make_jpeg) -> bytes:
    return make_jpeg(120, 90, sampling="4:2:0")


BUFFERS = {
    "bytes": lambda b: b,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "part of a memoryview": lambda b: memoryview(b"xyz" + b + b"xyz")[3:-3],
    "NumPy": lambda b: np.frombuffer(b, np.uint8),
    "writable NumPy": lambda b: np.frombuffer(b, np.uint8).copy(),
    "signed NumPy": lambda b: np.frombuffer(b, np.int8),
}


@pytest.mark.parametrize("convert", BUFFERS.values(), ids=BUFFERS.keys())
def test_buffers(jpeg, convert):
    data = convert(jpeg)
    np.testing.assert_array_equal(decode(data).planes[0], decode(jpeg).planes[0])
    assert _native.read_info(data, MAX_PIXELS).width == 90
    assert _native.check(data, MAX_PIXELS).width == 90


def test_mapped_file(jpeg, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        np.testing.assert_array_equal(decode(mapped).planes[0], decode(jpeg).planes[0])


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        pytest.param(np.zeros((4, 4), np.uint8), TypeError, "one-dimensional .* got 2 dimensions", id="2-D"),
        pytest.param(np.zeros(4, np.float32), TypeError, "got 1 dimensions of 4-byte items", id="float32"),
        pytest.param(np.zeros(8, np.uint8)[::2], (BufferError, ValueError), "contiguous", id="strided"),
        pytest.param("text", TypeError, "bytes-like", id="str"),
        pytest.param(None, TypeError, "bytes", id="None"),
    ],
)
def test_not_a_buffer(data, error, match):
    with pytest.raises(error, match=match):
        decode(data)


def test_released_buffers(jpeg):
    """Nothing holds the caller's bytes after the call, also not after an error."""
    data = bytearray(jpeg)
    decode(data)
    data.append(0)  # raises BufferError while somebody holds a view
    with pytest.raises(ValueError, match="not a JPEG"):
        decode(data[5:])
    broken = bytearray(jpeg[:100])
    with pytest.raises(ValueError, match="the file has"):
        decode(broken)
    broken.append(0)


def test_arrays_own_their_memory(jpeg):
    decoded = decode(jpeg)
    planes, again = decoded.planes, decoded.planes
    assert all(np.shares_memory(a, b) for a, b in zip(planes, again, strict=True))
    copies = [plane.copy() for plane in planes]
    del decoded, again
    decode(jpeg)
    for plane, copy in zip(planes, copies, strict=True):
        np.testing.assert_array_equal(plane, copy)
        assert plane.flags.c_contiguous


def test_many_threads():
    """Results do not depend on what else runs."""
    files = [p.read_bytes() for p in sorted(ASSETS.glob("*.jpg")) if not p.name.startswith("arithmetic")]
    wanted = [decode(jpeg).planes for jpeg in files]
    errors_wanted = [str(_error(jpeg[: len(jpeg) // 2])) for jpeg in files]

    def work(i: int) -> bool:
        n = i % len(files)
        same = all((a == b).all() for a, b in zip(decode(files[n]).planes, wanted[n], strict=True))
        return same and str(_error(files[n][: len(files[n]) // 2])) == errors_wanted[n]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(2000)))


def _error(jpeg: bytes) -> ValueError:
    with pytest.raises(ValueError, match="at byte") as caught:
        decode(jpeg)
    return caught.value


def test_gil_is_released(make_jpeg):
    """Another thread runs while one decodes. Threads never switch by force here, only where the GIL is given up."""
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    large = make_jpeg(2048, 2048, sampling="4:4:4", quality=95, pixels=np.tile(noise, (2, 2, 1)))
    began, finished, saw_it_running = threading.Event(), [], []

    def work() -> None:
        began.set()
        decode(large)
        finished.append(True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        for _ in range(10):
            began.clear()
            finished.clear()
            thread = threading.Thread(target=work)
            thread.start()
            began.wait()
            saw_it_running.append(not finished)
            thread.join()
            if saw_it_running[-1]:
                break
    finally:
        sys.setswitchinterval(interval)
    assert any(saw_it_running)
