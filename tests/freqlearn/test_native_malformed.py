"""Tiny broken files, the exception that each must raise, what its message says and at which byte."""

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from jpeg_builder import (
    AC_FLAT,
    BASELINE,
    DC_FLAT,
    EOI,
    PROGRESSIVE,
    SOI,
    Scan,
    build,
    dqt,
    frame_header,
    random_planes,
    scan_header,
    segment,
)

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"
TABLE = np.arange(1, 65).reshape(8, 8)
PLANE = random_planes(np.random.default_rng(8), (8, 16), [(1, 1)])[0]
GOOD = build([PLANE], [TABLE], size_px=(8, 16), sampling=[(1, 1)], scans=[Scan((0,))])

DQT, SOF = dqt(TABLE), frame_header(BASELINE, (8, 16), [(1, 1)], [1])
SOF_PROGRESSIVE = frame_header(PROGRESSIVE, (8, 16), [(1, 1)], [1])
DHT_DC, DHT_AC = DC_FLAT.dht(ac=False), AC_FLAT.dht(ac=True)
SOS = scan_header(Scan((0,)), [1])
DATA = GOOD[GOOD.index(SOS) + len(SOS) : -2]
assert GOOD == SOI + DQT + SOF + DHT_DC + DHT_AC + SOS + DATA + EOI


@dataclass(frozen=True)
class Broken:
    name: str
    jpeg: bytes
    error: type[errors.JpegError]
    match: str
    offset: int | None = None  # where the message says it is; None: not checked


def change(part: bytes, replacement: bytes) -> bytes:
    """GOOD with one of its segments replaced."""
    assert GOOD.count(part) == 1
    return GOOD.replace(part, replacement)


def with_byte(part: bytes, at: int, value: int) -> bytes:
    """GOOD with byte `at` of one of its segments set to `value`."""
    return change(part, part[:at] + bytes([value]) + part[at + 1 :])


def at(part: bytes, offset: int = 0) -> int:
    return GOOD.index(part) + offset


def bits(*codes: tuple[int, int]) -> bytes:
    """(value, length) pairs as entropy-coded data."""
    text = "".join(format(value, f"0{length}b") for value, length in codes)
    text += "1" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")


def data(*codes: tuple[int, int], sof: bytes = SOF, sos: bytes = SOS) -> bytes:
    """A file with these codes as its only scan."""
    return SOI + DQT + sof + DHT_DC + DHT_AC + sos + bits(*codes) + EOI


def ac(symbol: int) -> tuple[int, int]:
    return AC_FLAT.codes()[symbol]


def huffman(counts: list[int], symbols: bytes = b"", *, ac: bool = False) -> bytes:
    return segment(0xC4, bytes([ac << 4, *counts, *[0] * (16 - len(counts))]) + symbols)


def scan(begin: int, end: int, high: int, low: int, *, count: int = 1) -> bytes:
    """A progressive file's scan header."""
    return segment(0xDA, bytes([count, *[1, 0] * count, begin, end, high << 4 | low]))


ZERO_DC = DC_FLAT.codes()[0]
M, T = errors.MalformedJpegError, errors.TruncatedJpegError
U, L, N = errors.UnsupportedJpegError, errors.ImageTooLargeError, errors.NotJpegError

CASES = [
    Broken("empty", b"", N, "expected it to begin with the bytes 255 216, got no bytes", 0),
    Broken("one byte", b"\xff", N, "got one byte", 0),
    Broken("PNG", b"\x89PNG\r\n\x1a\n", N, "got 137 80", 0),
    Broken("SOI alone", SOI, T, "expected a frame and a scan, got the end of the file", 2),
    Broken("no frame, no scan", SOI + EOI, T, "expected a frame and a scan, got the end of the image", 2),
    Broken("frame without scan", SOI + DQT + SOF + EOI, T, "expected a frame and a scan"),
    Broken("second SOI", SOI + GOOD, M, "expected one SOI marker, got a second one", 2),
    Broken("scan before frame", SOI + SOS + DATA + EOI, M, "expected a frame header before the scan", 2),
    Broken("second frame", change(DHT_DC, SOF + DHT_DC), M, "expected one frame header", at(DHT_DC)),
    # Segments
    Broken("length 0", change(DQT, b"\xff\xdb\0\0" + DQT[4:]), M, "FFDB: expected at least 2, got 0", at(DQT, 2)),
    Broken("length 1", change(DQT, b"\xff\xdb\0\1" + DQT[4:]), M, "expected at least 2, got 1", at(DQT, 2)),
    Broken("length past the end", SOI + b"\xff\xe1\xff\xff12345", T, "marker FFE1 says 65535 bytes, the file has 7", 2),
    Broken("ends in a length", SOI + DQT[:3], T, "the file ends before the length of marker FFDB", 2),
    Broken("reserved marker", change(DQT, b"\xff\x42" + DQT), M, "got the reserved code FF42", at(DQT)),
    Broken("marker before the data", change(DATA, b"\xff\x42" + DATA), T, "entropy-coded data end before", at(DATA)),
    Broken("reserved marker after the data", GOOD[:-2] + b"\xff\x42" + EOI, M, "got the reserved code FF42", at(EOI)),
    # Quantisation tables
    Broken("DQT precision 2", with_byte(DQT, 4, 0x20), M, "expected precision 0 or 1 and index 0 to 3, got 2 and 0"),
    Broken("DQT index 4", with_byte(DQT, 4, 4), M, "got 0 and 4", at(DQT, 4)),
    Broken("DQT too short", change(DQT, segment(0xDB, DQT[4:-1])), M, "expected 64 bytes, its marker has 63"),
    Broken("DQT of 16 bits too short", with_byte(DQT, 4, 0x10), M, "expected 128 bytes, its marker has 64"),
    Broken("DQT and one byte", change(DQT, segment(0xDB, DQT[4:] + b"\0")), M, "expected 64 bytes, its marker has 0"),
    Broken("no DQT", change(DQT, b""), M, "component 0 uses quantisation table 0, which no DQT"),
    Broken("another DQT", with_byte(DQT, 4, 1), M, "uses quantisation table 0, which no DQT", at(SOS)),
    # Frame
    Broken("SOF too short", change(SOF, segment(0xC0, SOF[4:9])), M, "frame header: expected a length of at least 8"),
    Broken("SOF lacks a component", with_byte(SOF, 9, 2), M, "2 components: expected a length of 14, got 11"),
    Broken("no component", with_byte(SOF, 9, 0), M, "components: expected 1 to 4, got 0", at(SOF, 9)),
    Broken(
        "five components",
        change(SOF, frame_header(BASELINE, (8, 16), [(1, 1)] * 5, range(1, 6))),
        U,
        "components: expected 1 to 4, got 5",
    ),
    Broken("12 bits", with_byte(SOF, 4, 12), U, r'samples of 8 bits, got 12 at byte \d+; decoder="pixels"', at(SOF, 4)),
    Broken("7 bits", with_byte(SOF, 4, 7), M, "samples of 8 bits, got 7", at(SOF, 4)),
    Broken("width 0", with_byte(SOF, 8, 0), M, "width: expected at least 1, got 0", at(SOF, 7)),
    Broken("height in DNL", with_byte(SOF, 6, 0), U, r'DNL marker.*decoder="pixels"', at(SOF, 5)),
    Broken("factor 0", with_byte(SOF, 11, 0x01), M, "sampling factors: expected 1 to 4, got 0x1", at(SOF, 11)),
    Broken("factor 5", with_byte(SOF, 11, 0x15), M, "got 1x5", at(SOF, 11)),
    Broken("table index 4", with_byte(SOF, 12, 4), M, "quantisation table: expected 0 to 3, got 4", at(SOF, 12)),
    Broken(
        "too many pixels",
        change(SOF, frame_header(BASELINE, (65500, 65500), [(1, 1)], [1])),
        L,
        "at most 178956970 pixels, the file claims 65500 x 65500 = 4290250000.*max_pixels",
        at(SOF, 5),
    ),
    *(
        Broken(
            f"SOF FF{code:02X}",
            with_byte(SOF, 1, code),
            U,
            rf'{name} \(marker FF{code:02X}\).*decoder="pixels"',
            at(SOF),
        )
        for code, name in [
            (0xC3, "lossless coding"),
            (0xC5, "hierarchical coding"),
            (0xC6, "hierarchical coding"),
            (0xC7, "hierarchical coding"),
            (0xC8, "a JPEG extension"),
            (0xC9, "arithmetic coding"),
            (0xCA, "arithmetic coding"),
            (0xCB, "lossless arithmetic coding"),
            (0xCD, "hierarchical arithmetic coding"),
            (0xCF, "hierarchical arithmetic coding"),
            (0xDE, "hierarchical coding"),
            (0xDF, "hierarchical coding"),
            (0xF7, "JPEG-LS"),
        ]
    ),
    # Huffman tables
    Broken("DHT class 2", with_byte(DHT_DC, 4, 0x20), M, "expected class 0 or 1 and index 0 to 3, got 2 and 0"),
    Broken("DHT index 4", with_byte(DHT_DC, 4, 0x04), M, "got 0 and 4", at(DHT_DC, 4)),
    Broken("DHT header cut", change(DHT_DC, segment(0xC4, bytes(16))), M, "expected 17 bytes of header"),
    Broken("DHT symbols cut", change(DHT_DC, huffman([0, 3], b"\0\1")), M, "expected at most 2 symbols.*got 3"),
    Broken("257 symbols", change(DHT_DC, huffman([0] * 8 + [255, 2], bytes(257))), M, "expected at most 256 symbols"),
    Broken(
        "over-subscribed",
        change(DHT_DC, huffman([3], b"\0\1\2")),
        M,
        "invalid Huffman table: expected at most 1 codes of 1 bits",
    ),
    Broken("code of all ones", change(DHT_DC, huffman([2], b"\0\1")), M, r"none of all ones\), got 2", at(DHT_DC, 4)),
    Broken(
        "no code left",
        change(DHT_AC, huffman([1, 1, 2], bytes(4), ac=True)),
        M,
        "expected at most 1 codes of 3 bits",
    ),
    Broken("DC symbol 16", change(DHT_DC, huffman([0, 1], b"\x10")), M, "expected DC symbols 0 to 15, got 16"),
    Broken("no DC table", change(DHT_DC, b""), M, "the scan uses DC Huffman table 0, which no DHT"),
    Broken("no AC table", change(DHT_AC, b""), M, "the scan uses AC Huffman table 0, which no DHT"),
    Broken("empty AC table", change(DHT_AC, huffman([], ac=True)), M, "expected an AC code of the Huffman table"),
    # Scan header
    Broken("no component in scan", change(SOS, segment(0xDA, b"\0\0\x3f\0")), M, "expected 1 to 4 components"),
    Broken("SOS too long", change(SOS, segment(0xDA, SOS[4:] + b"\0")), M, "scan header: .* got 1 and 9"),
    Broken("empty SOS", change(SOS, segment(0xDA, b"")), M, "scan header: .* got 0 and 2"),
    Broken("unknown component", with_byte(SOS, 5, 9), M, "expected a component of the frame.*got id 9", at(SOS, 5)),
    Broken(
        "component twice in a scan",
        change(SOS, segment(0xDA, b"\2\1\0\1\0\0\x3f\0")),
        M,
        "expected a component of the frame, each at most once, got id 1",
    ),
    Broken("Huffman index 4", with_byte(SOS, 6, 0x40), M, "expected Huffman tables 0 to 3, got 4 and 0", at(SOS, 6)),
    Broken(
        "MCU of 12 blocks",
        SOI
        + DQT
        + dqt(TABLE, index=1)
        + frame_header(BASELINE, (8, 16), [(4, 2), (2, 2)], [1, 2])
        + DHT_DC
        + DHT_AC
        + scan_header(Scan((0, 1)), [1, 2])
        + bytes(100)
        + EOI,
        M,
        "expected at most 10 blocks in an MCU, got 12",
    ),
    Broken("component twice", GOOD[:-2] + SOS + DATA + EOI, M, "got a second one of component 0"),
    Broken(
        "component never",
        SOI + DQT + frame_header(BASELINE, (8, 8), [(1, 1), (1, 1)], [1, 2]) + DHT_DC + DHT_AC + SOS + DATA + EOI,
        T,
        "expected a scan of each of 2 components, none came of component 1",
    ),
    *(
        Broken(f"progression {name}", data(ZERO_DC, sof=SOF_PROGRESSIVE, sos=header), M, "progressive scan: expected")
        for name, header in [
            ("DC and AC", scan(0, 63, 0, 0)),
            ("begins after its end", scan(5, 4, 0, 0)),
            ("past 63", scan(1, 64, 0, 0)),
            ("bit 14", scan(0, 0, 0, 14)),
            ("two bits at once", scan(0, 0, 3, 1)),
            ("no bit", scan(0, 0, 1, 1)),
        ]
    ),
    Broken("DRI of 3 bytes", change(SOS, segment(0xDD, b"\0\1\0") + SOS), M, "interval: expected a length of 4"),
    # Entropy-coded data
    Broken("DC code not in the table", data((31, 5)), M, "expected a DC code of the Huffman table"),
    Broken("AC code not in the table", data(ZERO_DC, (2**16 - 1, 16)), M, "expected an AC code of the Huffman table"),
    Broken("run past 63", data(ZERO_DC, *[ac(0xF0)] * 3, ac(0xF1), (1, 1)), M, "goes past coefficient 63"),
    Broken("zeros past 63", data(ZERO_DC, *[ac(0xF0)] * 4), M, "goes past coefficient 63"),
    Broken("run without a coefficient", data(ZERO_DC, ac(0x30)), M, "expected a coefficient after a run of zeros"),
    Broken(
        "progressive run past its band",
        data(ac(0x51), (1, 1), sof=SOF_PROGRESSIVE, sos=scan(1, 5, 0, 0)),
        M,
        "goes past the last coefficient of the band",
    ),
    Broken(
        "run of blocks past the scan",
        data(ac(0x20), (3, 2), sof=SOF_PROGRESSIVE, sos=scan(1, 5, 0, 0)),
        M,
        "a run of empty blocks goes past the end",
    ),
    Broken(
        "new coefficient of two bits",
        data(ac(0x02), (3, 2), sof=SOF_PROGRESSIVE, sos=scan(1, 5, 2, 1)),
        M,
        "expected a new coefficient of one bit",
    ),
    Broken(
        "refinement run past its band",
        data(ac(0x51), (1, 1), sof=SOF_PROGRESSIVE, sos=scan(1, 5, 2, 1)),
        M,
        "goes past the last coefficient of the band",
    ),
    Broken("no data", change(DATA, b""), T, "entropy-coded data"),
    Broken("data cut", GOOD[: -len(DATA) // 2 - 2], T, "entropy-coded data end before.*strict=False"),
    Broken("data cut, with EOI", GOOD[: -len(DATA) // 2 - 2] + EOI, T, "entropy-coded data end before"),
    Broken("restart marker not asked for", change(DATA, DATA[:3] + b"\xff\xd0" + DATA[3:]), T, "coded data end"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken(case):
    with pytest.raises(case.error, match=case.match) as caught:
        _native.decode(case.jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert type(caught.value) is case.error
    assert f"at byte {caught.value.offset}" in str(caught.value)
    assert 0 <= caught.value.offset <= len(case.jpeg)
    if case.offset is not None:
        assert caught.value.offset == case.offset


def test_good_one_is_good():
    np.testing.assert_array_equal(_native.decode(GOOD, strict=True, max_pixels=MAX_PIXELS).planes[0], PLANE)


def with_restarts() -> tuple[bytes, int]:
    """A file of 4 restart intervals of one block, and the offset of its first restart marker."""
    plane = random_planes(np.random.default_rng(1), (8, 32), [(1, 1)])[0]
    jpeg = build([plane], [TABLE], size_px=(8, 32), sampling=[(1, 1)], scans=[Scan((0,))], restart_interval=1)
    return jpeg, jpeg.index(b"\xff\xd0")


def test_wrong_restart_number():
    jpeg, offset = with_restarts()
    broken = jpeg[:offset] + b"\xff\xd5" + jpeg[offset + 2 :]
    with pytest.raises(M, match="expected restart marker RST0, got RST5") as caught:
        _native.decode(broken, strict=True, max_pixels=MAX_PIXELS)
    assert caught.value.offset == offset


def test_missing_restart_intervals():
    jpeg, offset = with_restarts()
    with pytest.raises(T, match="end before the last 3 of 4 MCUs") as caught:
        _native.decode(jpeg[:offset] + EOI, strict=True, max_pixels=MAX_PIXELS)
    assert caught.value.offset == offset


@pytest.mark.parametrize("name", ["arithmetic.jpg", "arithmetic_progressive.jpg"])
@pytest.mark.parametrize(
    "read",
    [
        lambda jpeg: _native.read_info(jpeg, MAX_PIXELS),
        lambda jpeg: _native.check(jpeg, MAX_PIXELS),
        lambda jpeg: _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS),
        lambda jpeg: _native.decode(jpeg, strict=False, max_pixels=MAX_PIXELS),
    ],
    ids=["read_info", "check", "strict", "lenient"],
)
def test_arithmetic(name, read: Callable[[bytes], object]):
    with pytest.raises(U, match=r'got arithmetic coding \(marker FFC[9A]\) at byte 158; decoder="pixels"'):
        read((ASSETS / name).read_bytes())


@pytest.mark.parametrize("name", ["444.jpg", "420_restart.jpg", "noninterleaved.jpg", "progressive_odd_restart.jpg"])
def test_every_cut_is_noticed(name):
    """A file cut anywhere raises, but for a cut behind its last coefficient (progressive ones: last scan)."""
    jpeg = (ASSETS / name).read_bytes()
    whole = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    for length in range(len(jpeg)):
        try:
            decoded = _native.decode(jpeg[:length], strict=True, max_pixels=MAX_PIXELS)
        except (T, N):
            continue
        assert "missing EOI" in " ".join(decoded.warnings)
        for ours, wanted in zip(decoded.planes, whole.planes, strict=True):
            np.testing.assert_array_equal(ours, wanted)


def test_max_pixels_is_inclusive():
    assert _native.read_info(GOOD, 128).width == 16
    for read in (_native.read_info, _native.check):
        with pytest.raises(L, match="at most 127 pixels"):
            read(GOOD, 127)


@pytest.mark.parametrize("kind", [M, T, U, L, N, errors.JpegError])
def test_errors_pickle(kind):
    error = kind("message", offset=12, path=Path("a.jpg"))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.message, copy.offset, copy.path) == ("message", 12, "a.jpg")
    assert str(copy) == "a.jpg: message"
    assert isinstance(copy, ValueError)


def test_errors_from_the_decoder_pickle():
    with pytest.raises(T) as caught:
        _native.decode(GOOD[:-10], strict=True, max_pixels=MAX_PIXELS)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.offset, copy.path) == (str(caught.value), caught.value.offset, None)


def test_offset_counts_stuffed_bytes():
    """A fault behind stuffed bytes is reported where it is in the file, not in the unstuffed copy."""
    # Blocks whose data are full of 0xFF, then a DC code that is not in the table.
    ones = [(*DC_FLAT.codes()[15],), (2**15 - 1, 15), ac(0x0F), (2**15 - 1, 15), ac(0)]
    payload = bits(*ones, (31, 5), (0, 40))
    assert payload.count(b"\xff\0") >= 2
    jpeg = SOI + DQT + SOF + DHT_DC + DHT_AC + SOS + payload + EOI
    consumed = sum(length for _, length in ones)
    raw_byte = -(-consumed // 8)
    unstuffed = offset = 0
    while unstuffed < raw_byte:
        offset += 2 if payload[offset] == 0xFF else 1
        unstuffed += 1
    with pytest.raises(M, match="expected a DC code") as caught:
        _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert caught.value.offset == len(jpeg) - len(payload) - 2 + offset


def test_struct_of_good_file():
    """The table above edits GOOD by offsets: they mean what it says."""
    assert struct.unpack(">BHHB", SOF[4:10]) == (8, 8, 16, 1)
