"""Oddities that libjpeg reads in full: equal to libjpeg, and to what was written."""

import re
import struct
import threading
from collections.abc import Callable

import numpy as np
import pytest
from jpeg_builder import AC_FLAT, DC_FLAT, EOI, SOI, Scan, build, dqt, random_planes, scan_header, segment

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
SIZE_PX, SAMPLING = (37, 41), [(2, 1), (1, 1), (1, 1)]
TABLES = [np.arange(1, 65).reshape(8, 8), np.arange(10, 74).reshape(8, 8)]
PLANES = random_planes(np.random.default_rng(0), SIZE_PX, SAMPLING)
PLANES[0][0, 0, 7, 7] = 2**15 - 1  # fifteen ones: wherever they begin, a byte of them is stuffed
ALL = Scan((0, 1, 2))


def file(scans: tuple[Scan, ...] = (ALL,), **options) -> bytes:
    return build(PLANES, TABLES, size_px=SIZE_PX, sampling=SAMPLING, scans=scans, **options)


PLAIN, RESTARTS = file(), file(restart_interval=2)


def after_soi(part: bytes) -> bytes:
    return SOI + part + PLAIN[2:]


def before_eoi(part: bytes) -> bytes:
    return PLAIN[:-2] + part + EOI


def replaced(*changes: tuple[bytes, bytes]) -> bytes:
    jpeg = PLAIN
    for old, new in changes:
        assert jpeg.count(old) == 1
        jpeg = jpeg.replace(old, new)
    return jpeg


def in_scan(jpeg: bytes, change: Callable[[bytes], bytes]) -> bytes:
    begin = jpeg.index(b"\xff\xda") + 14
    changed = jpeg[:begin] + change(jpeg[begin:-2]) + EOI
    assert changed != jpeg
    return changed


def with_huffman_index(index: int) -> bytes:
    """The file with its tables in another slot: baseline knows only 0 and 1, libjpeg all four."""
    return replaced(
        (DC_FLAT.dht(ac=False), DC_FLAT.dht(ac=False, index=index)),
        (AC_FLAT.dht(ac=True), AC_FLAT.dht(ac=True, index=index)),
        (scan_header(ALL, [1, 2, 3]), scan_header(Scan((0, 1, 2), dc_table=index, ac_table=index), [1, 2, 3])),
    )


QUIET = {
    "fill bytes before restart markers": in_scan(
        RESTARTS, lambda data: re.sub(rb"\xff([\xd0-\xd7])", lambda found: b"\xff\xff\xff" + found[1], data)
    ),
    "fill bytes before a stuffed byte": in_scan(PLAIN, lambda data: data.replace(b"\xff\0", b"\xff\xff\xff\0")),
    "fill bytes before EOI": before_eoi(b"\xff\xff\xff"),
    "TEM": before_eoi(b"\xff\x01"),
    **{f"empty FF{code:02X}": after_soi(segment(code, b"")) for code in (0xC4, 0xDB, 0xFE, 0xE0, 0xE1, 0xEE, 0xCC)},
    **{f"APP14 of {size}": after_soi(segment(0xEE, (b"Adobe" + bytes(9))[:size])) for size in (4, 11)},
    "Huffman tables 3": with_huffman_index(3),
    "8- and 16-bit tables in one segment": replaced(
        (
            dqt(TABLES[0]) + dqt(TABLES[1], index=1),
            segment(0xDB, dqt(TABLES[0], bits=16)[4:] + b"\1" + dqt(TABLES[1])[5:]),
        )
    ),
    "a table twice, the last counts": replaced((dqt(TABLES[0]), dqt(TABLES[1]) + dqt(TABLES[0]))),
    "restart interval of each scan": file(
        (Scan((1,), restart_interval=3), Scan((2,), restart_interval=0), Scan((0,), restart_interval=1))
    ),
    "components 0 and 2, then 1": file((Scan((0, 2)), Scan((1,)))),
    "DNL with the frame's height": before_eoi(segment(0xDC, struct.pack(">H", SIZE_PX[0]))),
}
WITH_WARNING = {
    "restart marker at the end": (RESTARTS[:-2] + b"\xff\xd7" + EOI, "1 restart markers after the blocks of a scan"),
    "restart marker in the headers": (after_soi(b"\xff\xd3"), "restart marker outside of a scan, at byte 2"),
    "zeros before EOI": (before_eoi(b"\0\0"), "2 bytes after the blocks of a scan"),
    "DNL with another height": (
        before_eoi(segment(0xDC, b"\0\1")),
        "expected the frame header's height of 37, which is kept, got 1",
    ),
}


def assert_read(jpeg: bytes, read_planes, *warnings: str) -> None:
    decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert decoded.complete
    assert len(decoded.warnings) == len(warnings), decoded.warnings
    for warning, wanted in zip(decoded.warnings, warnings, strict=True):
        assert wanted in warning
    assert decoded.info.color_space == "YCbCr"
    planes, tables = read_planes(jpeg)
    for ours, theirs, written in zip(decoded.planes, planes, PLANES, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, written)
    for ours, theirs in zip(decoded.quant_tables, tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("jpeg", QUIET.values(), ids=QUIET.keys())
def test_read_without_a_warning(jpeg, read_planes):
    assert_read(jpeg, read_planes)


@pytest.mark.parametrize(("jpeg", "warning"), WITH_WARNING.values(), ids=WITH_WARNING.keys())
def test_read_with_a_warning(jpeg, warning, read_planes):
    assert_read(jpeg, read_planes, warning)


def test_components_in_another_order():
    """T.81 B.2.3 wants the frame's order, and libjpeg refuses others; what they mean is clear."""
    decoded = _native.decode(file((Scan((2, 0, 1)),)), strict=True, max_pixels=MAX_PIXELS)
    assert "expected components in the order of the frame" in decoded.warnings[0]
    for ours, written in zip(decoded.planes, PLANES, strict=True):
        np.testing.assert_array_equal(ours, written)


def test_application_segments_after_the_first_scan_come_too_late():
    """All readers agree on the colours, those that stop at the first scan and those that go on."""
    jpeg = file((Scan((0,)), Scan((1,)), Scan((2,))))
    last = jpeg.rindex(b"\xff\xda")
    late = jpeg[:last] + segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0])) + jpeg[last:]
    decoded = _native.decode(late, strict=True, max_pixels=MAX_PIXELS)
    for info in (decoded.info, _native.check(late, MAX_PIXELS), _native.read_info(late, MAX_PIXELS)):
        assert (info.color_space, info.adobe_transform) == ("YCbCr", None)


def test_a_buffer_that_changes_meanwhile():
    """Another thread takes the end of the scan away and puts it back: any result or JpegError, but no stray write."""
    # Zeros before the end, so that a pass over the scan takes long enough to be caught in, and as many behind it.
    long = PLAIN[:-2] + bytes(2**23) + EOI
    jpeg = np.frombuffer(long + bytes(2**23), np.uint8).copy()
    at, stop = len(long) - 1, threading.Event()

    def flip() -> None:
        while not stop.is_set():
            jpeg[at] = 0
            jpeg[at] = 0xD9

    thread = threading.Thread(target=flip)
    thread.start()
    read = 0
    try:
        for _ in range(60):
            try:
                decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
            except errors.JpegError:
                continue
            read += 1
            np.testing.assert_array_equal(decoded.planes[0], PLANES[0])
    finally:
        stop.set()
        thread.join()
    assert read > 0
