"""The fast decoder against the readable one: the same coefficients, warnings and errors, on every instruction set."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_builder import (
    AC_FLAT,
    AC_SKEWED,
    BASELINE,
    DC_FLAT,
    DC_SKEWED,
    EOI,
    EXTENDED,
    PROGRESSIVE,
    SOI,
    ZIGZAG,
    Bits,
    Huffman,
    Scan,
    build,
    dqt,
    frame_header,
    random_planes,
    scan_header,
)

from freqlearn import _native
from freqlearn.decoders import DEFAULT_MAX_PIXELS as MAX_PIXELS
from freqlearn.errors import JpegError

ASSETS = Path(__file__).parents[1] / "assets"
FILES = sorted([*ASSETS.glob("*.jpg"), *ASSETS.glob("*.mpo")])
TABLE = np.arange(1, 65).reshape(8, 8)
SETS = _native.instruction_sets()
FACTORS = st.tuples(st.integers(1, 4), st.integers(1, 4))

# AC symbols (run, size) of an ordinary file come first, so that short codes are theirs; then all others.
_COMMON = [0x01, 0x02, 0x00, 0x03, 0x11, 0x04, 0x21, 0x12, 0x31, 0x05, 0x41, 0xF0]
_RARE = [symbol for symbol in range(256) if symbol not in _COMMON]


def _tree(lengths: list[int], symbols: list[int]) -> Huffman:
    counts = [0] * 16
    for length in lengths:
        counts[length - 1] += 1
    return Huffman(tuple(counts), tuple(symbols))


# Codes of 2 bits to 16, so that look-ups hold two coefficients, one with its bits outside, and none.
AC_STEEP = _tree([2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] + [16] * len(_RARE), _COMMON + _RARE)
# A code of one bit: the end of block, and then a coefficient.
AC_END_FIRST = _tree([1, 2, 4] + [12] * 253, [0x00, 0x01, 0xF0] + [s for s in range(256) if s not in (0, 1, 0xF0)])
AC_CODES = {"flat": AC_FLAT, "skewed": AC_SKEWED, "steep": AC_STEEP, "end first": AC_END_FIRST}


def decode(jpeg: bytes, *, strict: bool = True, **method: object) -> _native.Decoded | tuple[type, str, int]:
    try:
        return _native.decode(jpeg, strict=strict, max_pixels=MAX_PIXELS, **method)
    except JpegError as error:
        return type(error), str(error), error.offset


def assert_same(jpeg: bytes, *, strict: bool = True) -> _native.Decoded | tuple[type, str, int]:
    """All fast builds give what the readable decoder gives; returns that."""
    expected = decode(jpeg, strict=strict, reference=True)
    for instruction_set in SETS:
        ours = decode(jpeg, strict=strict, instruction_set=instruction_set)
        if isinstance(expected, tuple):
            assert ours == expected, instruction_set
            continue
        assert not isinstance(ours, tuple), (instruction_set, ours)
        assert (ours.complete, ours.warnings) == (expected.complete, expected.warnings), instruction_set
        for plane, wanted in zip(ours.planes, expected.planes, strict=True):
            np.testing.assert_array_equal(plane, wanted, err_msg=instruction_set)
    return expected


def built(planes: list[np.ndarray], **options: object) -> bytes:
    rows, cols = planes[0].shape[:2]
    defaults = {"size_px": (8 * rows, 8 * cols), "sampling": [(1, 1)], "scans": [Scan((0,))]}
    return build(planes, [TABLE], **(defaults | options))


def block(**coefficients: int) -> np.ndarray:
    """`k5=7` sets the fifth of the zigzag sequence."""
    values = np.zeros(64, np.int16)
    for name, value in coefficients.items():
        values[ZIGZAG[int(name[1:])]] = value
    return values.reshape(8, 8)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_assets(file, strict):
    assert_same(file.read_bytes(), strict=strict)


def test_photos(photos):
    for file in sorted((photos / "imagenet-sample").iterdir())[::20]:
        decoded = assert_same(file.read_bytes())
        assert isinstance(decoded, _native.Decoded)


@settings(max_examples=80, deadline=None)
@given(
    sampling=st.lists(FACTORS, min_size=1, max_size=4).filter(lambda s: sum(h * v for h, v in s) <= 10 or len(s) == 1),
    size_px=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    restart_interval=st.sampled_from([0, 0, 1, 3, 5, 13]),
    alone=st.booleans(),
    ac=st.sampled_from(sorted(AC_CODES)),
    dc=st.sampled_from([DC_FLAT, DC_SKEWED]),
    largest=st.sampled_from([1, 3, 30, 1023, 32767]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_sequential_file(sampling, size_px, restart_interval, alone, ac, dc, largest, seed):
    """Odd samplings, restart intervals across rows, one scan a component; and the coefficients are those written."""
    rng = np.random.default_rng(seed)
    planes = random_planes(rng, size_px, sampling, largest=largest)
    if largest == 32767:
        for plane in planes:
            plane[..., 0, 0] //= 4  # differences of DC have at most 15 bits
    components = tuple(range(len(sampling)))
    jpeg = build(
        planes,
        [TABLE, TABLE][: len(sampling)],
        size_px=size_px,
        sampling=sampling,
        scans=[Scan((c,)) for c in components] if alone else [Scan(components)],
        process=EXTENDED,
        restart_interval=restart_interval,
        dc=dc,
        ac=AC_CODES[ac],
        padding=[int(rng.integers(-300, 300)), *rng.integers(-2, 3, 63).tolist()],
    )
    decoded = assert_same(jpeg)
    assert isinstance(decoded, _native.Decoded)
    for plane, given_plane in zip(decoded.planes, planes, strict=True):
        np.testing.assert_array_equal(plane, given_plane)


BLOCKS = {
    "empty": block(),
    "dc": block(k0=5),
    "all": np.ones((8, 8), np.int16),
    "all but the last": np.ones((8, 8), np.int16) - block(k63=1),
    "all large": np.full((8, 8), -1023, np.int16),
    "of 15 bits": np.full((8, 8), 16384, np.int16),
    "of 15 bits, negative": np.full((8, 8), -32767, np.int16) + block(k0=20000),
    "the last alone": block(k63=1),
    "the last but one alone": block(k62=-1),
    "the last of two": block(k62=1, k63=-1),
    "runs of 16": block(k17=3, k34=-3, k51=3),
    "runs of 16 to the last": block(k15=1, k63=1),
    "one after three runs of 16": block(k49=2),
}


@pytest.mark.parametrize("ac", sorted(AC_CODES))
@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_blocks(name, ac):
    """Each followed by others: whatever a look-up finds behind a block's end is not its own."""
    others = list(BLOCKS.values())
    line = [b for other in others for b in (BLOCKS[name], other)]
    plane = np.stack(line)[None]
    plane[..., 0, 0] = np.clip(plane[..., 0, 0], -16000, 16000)
    decoded = assert_same(built([plane], ac=AC_CODES[ac], process=EXTENDED))
    assert isinstance(decoded, _native.Decoded)
    np.testing.assert_array_equal(decoded.planes[0], plane)


@pytest.mark.parametrize("symbols", [[0xF0] * 4, [0xF0] * 3 + [0xE1], [0xF1] * 4, [0x10], [0x01] * 64, [0xF0, 0x00]])
@pytest.mark.parametrize("ac", sorted(AC_CODES))
def test_odd_symbols(symbols, ac):
    """Runs that end a block exactly or go past it, and symbols without a meaning."""
    code, bits = AC_CODES[ac].codes(), Bits()
    for _ in range(3):
        bits.put(*DC_FLAT.codes()[0])
        for symbol in symbols:
            bits.put(*code[symbol])
            bits.put(1, symbol & 15)
    bits.put(0, 64)
    bits.flush()
    header = frame_header(BASELINE, (8, 24), [(1, 1)], [1])
    tables = DC_FLAT.dht(ac=False) + AC_CODES[ac].dht(ac=True)
    jpeg = SOI + dqt(TABLE) + header + tables + scan_header(Scan((0,)), [1]) + bytes(bits.done) + EOI
    for strict in (True, False):
        assert_same(jpeg, strict=strict)


@st.composite
def damaged_assets(draw):
    data = bytearray(draw(st.sampled_from(FILES)).read_bytes())
    begin = data.find(b"\xff\xda")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(begin, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "set", "remove", "insert", "cut", "restart"]))
        if kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            data[at] = draw(st.sampled_from([0, 0xFE, 0xFF]))
        elif kind == "remove":
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "restart":
            data[at:at] = bytes([0xFF, draw(st.integers(0xD0, 0xD7))])
        else:
            del data[at:]
        if len(data) <= begin + 1:
            break
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(jpeg=damaged_assets(), strict=st.booleans())
def test_damaged_files(jpeg, strict):
    """The same message at the same byte, or, leniently, the same coefficients and warnings."""
    assert_same(jpeg, strict=strict)


def test_memory_of_the_file_before_is_not_seen():
    """Planes come from memory that files before filled: what a file leaves out is zero all the same."""
    planes = [np.zeros((32, 32, 8, 8), np.int16)]
    progressive = built(planes, process=PROGRESSIVE, scans=[Scan((0,), 0, 0)])
    sequential = built(planes, restart_interval=7)
    for jpeg, strict in [(progressive, True), (sequential, True), (sequential[: len(sequential) // 2], False)]:
        dense = built([np.full((32, 32, 8, 8), 7, np.int16)])
        assert (_native.decode(dense, strict=True, max_pixels=MAX_PIXELS).planes[0] == 7).all()
        decoded = _native.decode(jpeg, strict=strict, max_pixels=MAX_PIXELS)
        np.testing.assert_array_equal(decoded.planes[0], 0)


def test_arrays_outlive_later_files(make_jpeg):
    """An array that is still in use is no later file's memory."""
    first, second = make_jpeg(200, 200, seed=1, quality=95), make_jpeg(200, 200, seed=2, quality=95)
    kept = _native.decode(first, strict=True, max_pixels=MAX_PIXELS).planes
    copies = [plane.copy() for plane in kept]
    for _ in range(5):
        _native.decode(second, strict=True, max_pixels=MAX_PIXELS)
    for plane, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(plane, copy)


def test_unknown_instruction_set():
    with pytest.raises(ValueError, match="expected one of the instruction sets baseline"):
        _native.decode(FILES[0].read_bytes(), strict=True, max_pixels=MAX_PIXELS, instruction_set="mmx")
