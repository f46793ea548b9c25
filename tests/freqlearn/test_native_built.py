"""Files that no encoder writes, built byte by byte from known coefficients."""

import itertools

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
    EXTENDED,
    PROGRESSIVE,
    Huffman,
    Scan,
    build,
    dqt,
    random_planes,
    scan_data,
    scan_header,
    segment,
)

from freqlearn import _native

MAX_PIXELS = 178_956_970
TABLE = np.arange(1, 65).reshape(8, 8)
FACTORS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def decode(jpeg: bytes) -> _native.Decoded:
    return _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)


def assert_planes(decoded: _native.Decoded, planes: list[np.ndarray]) -> None:
    assert decoded.complete
    assert len(decoded.planes) == len(planes)
    for ours, given_plane in zip(decoded.planes, planes, strict=True):
        np.testing.assert_array_equal(ours, given_plane)


def spectral_scans(components: range, boundaries: list[int], lows: list[int]) -> list[Scan]:
    """A legal progression: the DC, then each band from its lowest bit sent first down to bit 0."""
    scans = [Scan(tuple(components), 0, 0, 0, lows[0])]
    edges = [1, *boundaries, 64]
    for i, (begin, end) in enumerate(itertools.pairwise(edges)):
        low = lows[1 + i % (len(lows) - 1)]
        scans += [Scan((c,), begin, end - 1, 0, low) for c in components]
        scans += [Scan((c,), begin, end - 1, bit, bit - 1) for bit in range(low, 0, -1) for c in components]
    return scans + [Scan(tuple(components), 0, 0, bit, bit - 1) for bit in range(lows[0], 0, -1)]


def interleavable(sampling: list[tuple[int, int]]) -> bool:
    return len(sampling) == 1 or sum(h * v for h, v in sampling) <= 10


@st.composite
def sequential_files(draw):
    sampling = draw(st.lists(FACTORS, min_size=1, max_size=4))
    components = list(range(len(sampling)))
    order = draw(st.permutations(components))
    # Consecutive groups of components; those too large for one MCU go alone.
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=3)) | {len(order)})
    groups = [sorted(order[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]
    scans = [
        Scan(tuple(part), restart_interval=draw(st.sampled_from([None, 0, 1, 2, 7])))
        for group in groups
        for part in ([group] if interleavable([sampling[c] for c in group]) else [[c] for c in group])
    ]
    return sampling, scans, draw(st.sampled_from([BASELINE, EXTENDED]))


@st.composite
def progressive_files(draw):
    sampling = draw(st.lists(FACTORS, min_size=1, max_size=4).filter(interleavable))
    boundaries = sorted(draw(st.sets(st.integers(2, 63), max_size=3)))
    lows = draw(st.lists(st.integers(0, 4), min_size=2, max_size=4))
    return sampling, spectral_scans(range(len(sampling)), boundaries, lows), PROGRESSIVE


@settings(max_examples=150, deadline=None)
@given(
    file=st.one_of(sequential_files(), progressive_files()),
    size_px=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    restart_interval=st.sampled_from([0, 1, 2, 5]),
    skewed=st.booleans(),
    fill=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_legal_file(file, size_px, restart_interval, skewed, fill, seed):
    sampling, scans, process = file
    rng = np.random.default_rng(seed)
    planes = random_planes(rng, size_px, sampling)
    tables = [rng.integers(1, 256, (8, 8)), rng.integers(1, 256, (8, 8))][: len(sampling)]
    jpeg = build(
        planes,
        tables,
        size_px=size_px,
        sampling=sampling,
        scans=scans,
        process=process,
        restart_interval=restart_interval,
        dc=DC_SKEWED if skewed else DC_FLAT,
        ac=AC_SKEWED if skewed else AC_FLAT,
        fill=fill,
        padding=[int(rng.integers(-300, 300)), *rng.integers(-2, 3, 63).tolist()],
    )
    decoded = decode(jpeg)
    assert decoded.warnings == []
    assert_planes(decoded, planes)
    assert decoded.info.sampling == sampling
    assert (decoded.info.height, decoded.info.width) == size_px
    for i, table in enumerate(decoded.quant_tables):
        np.testing.assert_array_equal(table, tables[min(i, 1)])
    assert _native.check(jpeg, MAX_PIXELS).warnings == []


def test_long_end_of_band_runs():
    """Runs of 32767 blocks, the longest there are, in a first scan and in a refinement."""
    size_px, sampling = (1600, 1640), [(1, 1)]
    plane = np.zeros((200, 205, 8, 8), np.int16)
    plane[0, 0, 0, 1], plane[199, 204, 7, 7], plane[170, 3, 0, 1] = 5, -2, 1
    scans = [Scan((0,), 0, 0), Scan((0,), 1, 63, 0, 1), Scan((0,), 1, 63, 1, 0)]
    jpeg = build([plane], [TABLE], size_px=size_px, sampling=sampling, scans=scans, process=PROGRESSIVE)
    assert_planes(decode(jpeg), [plane])


@pytest.mark.parametrize("largest", [2047, 16383, 32767], ids=["8 bits", "12 bits", "all of int16"])
@pytest.mark.parametrize("process", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
def test_large_coefficients(process, largest):
    rng = np.random.default_rng(largest)
    planes = [np.clip(random_planes(rng, (40, 40), [(1, 1)], largest=largest)[0], -largest, largest)]
    # The DC difference of two int16 may need 16 bits, which no code can say.
    planes[0][..., 0, 0] //= 2
    scans = [Scan((0,))] if process == BASELINE else spectral_scans(range(1), [6], [2, 13, 1])
    jpeg = build(planes, [TABLE], size_px=(40, 40), sampling=[(1, 1)], scans=scans, process=process)
    assert_planes(decode(jpeg), planes)


def test_dc_wraps_modulo_16_bits():
    """Differences that leave int16 wrap as libjpeg's coefficients do, and nothing overflows."""
    jpeg = bytearray()
    planes = [np.zeros((1, 5, 8, 8), np.int16)]
    planes[0][0, :, 0, 0] = [30000, 30000, 30000, 30000, 30000]
    scan = Scan((0,))
    whole = build(planes, [TABLE], size_px=(8, 40), sampling=[(1, 1)], scans=[scan])
    # Five times the difference +30000: the data of one block, five times (a restart interval would reset it).
    one = np.zeros((1, 1, 8, 8), np.int16)
    one[0, 0, 0, 0] = 30000
    codes = DC_FLAT.codes()[15], AC_FLAT.codes()[0]
    bits = "".join(
        format(code, f"0{length}b") + extra
        for code, length, extra in [(*codes[0], format(30000, "015b")), (*codes[1], "")]
    )
    bits = bits * 5
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    head = whole.index(scan_header(scan, [1])) + len(scan_header(scan, [1]))
    jpeg = whole[:head] + data + b"\xff\xd9"
    wanted = (30000 * np.arange(1, 6)).astype(np.int16)
    np.testing.assert_array_equal(decode(jpeg).planes[0][0, :, 0, 0], wanted)


def test_tables_redefined_between_scans():
    """A quantisation table belongs to a component from its first scan on; Huffman tables are those of the moment."""
    rng = np.random.default_rng(3)
    size_px, sampling = (20, 30), [(1, 1), (1, 1)]
    planes = random_planes(rng, size_px, sampling)
    first, second = TABLE, TABLE + 100
    whole = build(planes, [first, first], size_px=size_px, sampling=sampling, scans=[Scan((0,))])
    new_dc, new_ac = Huffman.flat(reversed(range(16)), 6), Huffman.flat(reversed(range(256)), 10)
    data = scan_data(Scan((1,)), planes, sampling, size_px, dc=new_dc, ac=new_ac, progressive=False)
    between = dqt(second, index=1) + dqt(second, index=0) + new_dc.dht(ac=False) + new_ac.dht(ac=True)
    jpeg = whole[:-2] + between + scan_header(Scan((1,)), [1, 2]) + data + b"\xff\xd9"
    decoded = decode(jpeg)
    assert_planes(decoded, planes)
    np.testing.assert_array_equal(decoded.quant_tables[0], first)
    np.testing.assert_array_equal(decoded.quant_tables[1], second)


def test_16_bit_tables_in_a_baseline_file():
    table = np.full((8, 8), 1000)
    table[7, 7] = 65535
    planes = random_planes(np.random.default_rng(0), (8, 8), [(1, 1)])
    jpeg = build(planes, [table], size_px=(8, 8), sampling=[(1, 1)], scans=[Scan((0,))], table_bits=16)
    decoded = decode(jpeg)
    assert_planes(decoded, planes)
    np.testing.assert_array_equal(decoded.quant_tables[0], table)


def test_several_tables_in_one_segment():
    planes = random_planes(np.random.default_rng(0), (9, 9), [(1, 1)])
    jpeg = build(planes, [TABLE], size_px=(9, 9), sampling=[(1, 1)], scans=[Scan((0,))])
    dc, ac = DC_FLAT.dht(ac=False), AC_FLAT.dht(ac=True)
    merged = jpeg.replace(dc + ac, segment(0xC4, dc[4:] + ac[4:]))
    assert merged != jpeg
    assert_planes(decode(merged), planes)


@pytest.mark.parametrize("ids", [(0, 0, 0), (255, 0, 7), (82, 71, 66)], ids=str)
def test_component_ids(ids):
    """Also equal ones, which some encoders write: the first that is still free, as in libjpeg."""
    sampling = [(2, 1), (1, 1), (1, 1)]
    planes = random_planes(np.random.default_rng(1), (20, 20), sampling)
    jpeg = build(planes, [TABLE], size_px=(20, 20), sampling=sampling, scans=[Scan((0, 1, 2))], ids=ids)
    jpeg = jpeg.replace(bytes([ids[1], 0x11, 1]), bytes([ids[1], 0x11, 0])).replace(
        bytes([ids[2], 0x11, 1]), bytes([ids[2], 0x11, 0])
    )
    decoded = decode(jpeg)
    assert_planes(decoded, planes)
    assert decoded.info.component_ids == list(ids)
