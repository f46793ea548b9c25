"""The way out that an error's message offers is one that helps."""

from pathlib import Path

import numpy as np
import pytest
from jpeg_builder import BASELINE, EOI, SOI, Scan, build, dqt, frame_header, random_planes, scan_header

import freqlearn as fl
from freqlearn import _native

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"
KEEPS = "; strict=False keeps what can be read"
TABLE = np.ones((8, 8))
SAMPLING = [(1, 1), (1, 1)]
JPEG = build(
    random_planes(np.random.default_rng(0), (24, 24), SAMPLING),
    [TABLE, TABLE],
    size_px=(24, 24),
    sampling=SAMPLING,
    scans=[Scan((0,)), Scan((1,))],
)
SCANS = [i for i in range(len(JPEG) - 1) if JPEG[i : i + 2] == b"\xff\xda"]
HUGE = (13_000, 13_000)


def claim(size_px: tuple[int, int]) -> bytes:
    """The file's own headers, but another size."""
    old, new = (frame_header(BASELINE, size, SAMPLING, [1, 2]) for size in ((24, 24), size_px))
    assert JPEG.count(old) == 1
    return JPEG.replace(old, new)


READABLE = {
    "cut in the first scan": JPEG[: SCANS[0] + 40],
    "cut in the second scan": JPEG[: SCANS[1] + 40],
    "cut in a segment between the scans": JPEG[: SCANS[1] + 4],
    "second scan missing": JPEG[: SCANS[1]] + EOI,
    "reserved marker between the scans": JPEG[: SCANS[1]] + b"\xff\x42" + JPEG[SCANS[1] :],
    "larger than its data, but not by much": claim((1000, 1000)),
}
UNREADABLE = {
    "cut in the headers": JPEG[: SCANS[0] - 20],
    "cut in the first scan header": JPEG[: SCANS[0] + 4],
    "no scan": SOI + EOI,
    "bad length": SOI + b"\xff\xe0\0\0" + JPEG[2:],
    "no Huffman table": SOI
    + dqt(TABLE)
    + frame_header(BASELINE, (8, 8), [(1, 1)], [1])
    + scan_header(Scan((0,)), [1])
    + bytes(40)
    + EOI,
    "absurd claim": claim(HUGE),
}


def message(jpeg: bytes, *, strict: bool) -> str:
    with pytest.raises(fl.MalformedJpegError) as caught:
        _native.decode(jpeg, strict=strict, max_pixels=MAX_PIXELS)
    return str(caught.value)


@pytest.mark.parametrize("jpeg", READABLE.values(), ids=READABLE.keys())
def test_strict_false_is_offered_where_it_helps(jpeg):
    assert message(jpeg, strict=True).endswith(KEEPS)
    decoded = _native.decode(jpeg, strict=False, max_pixels=MAX_PIXELS)
    assert not decoded.complete
    assert not any("strict" in warning for warning in decoded.warnings)


@pytest.mark.parametrize("jpeg", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_strict_false_is_not_offered_where_it_does_not(jpeg):
    for strict in (True, False):
        assert "strict" not in message(jpeg, strict=strict)


def test_check_offers_what_decode_would():
    for jpeg in (READABLE["second scan missing"], READABLE["cut in a segment between the scans"]):
        with pytest.raises(fl.TruncatedJpegError) as caught:
            _native.check(jpeg, MAX_PIXELS)
        assert str(caught.value).endswith(KEEPS)
    with pytest.raises(fl.TruncatedJpegError) as caught:
        _native.check(UNREADABLE["absurd claim"], MAX_PIXELS)
    assert "strict" not in str(caught.value)


def test_read_info_does_not_offer_strict():
    """It has no such argument."""
    with pytest.raises(fl.TruncatedJpegError) as caught:
        _native.read_info(UNREADABLE["cut in the headers"], MAX_PIXELS)
    assert "strict" not in str(caught.value)


def test_other_formats():
    with pytest.raises(fl.NotJpegError, match=r'at byte 0; decoder="auto" or "pixels" reads other formats$'):
        fl.read_dct(b"\x89PNG\r\n\x1a\n", decoder="native")


@pytest.mark.parametrize("data", [b"not a picture", (ASSETS / "arithmetic.jpg").read_bytes()[:300]])
def test_auto_does_not_offer_what_it_has_tried(data):
    with pytest.raises(fl.ImageDecodeError, match="the native decoder: ") as caught:
        fl.read_dct(data)
    assert "decoder=" not in str(caught.value)
