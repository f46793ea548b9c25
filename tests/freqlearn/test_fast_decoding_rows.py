"""Regions of a file as the fused path decodes them, against the whole file decoded by the readable decoder."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_builder import AC_FLAT, AC_SKEWED, PROGRESSIVE, Huffman, Scan, block_counts, build, random_planes

from freqlearn import _native
from freqlearn.decoders import DEFAULT_MAX_PIXELS as MAX_PIXELS
from freqlearn.errors import JpegError, MalformedJpegError, TruncatedJpegError

ASSETS = Path(__file__).parents[1] / "assets"
FILES = sorted(path for path in ASSETS.glob("*.jpg") if not path.name.startswith("arithmetic"))
TABLE = np.arange(1, 65).reshape(8, 8)
SETS = _native.instruction_sets()
ALL = 2**64 - 1
FACTORS = st.tuples(st.integers(1, 4), st.integers(1, 4))

Range = tuple[int, int, int, int, int]


def whole(jpeg: bytes) -> list[np.ndarray]:
    return _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS, reference=True).planes


def assert_region(jpeg: bytes, planes: list[np.ndarray], ranges: list[Range]) -> None:
    """Every wanted row comes once and in order, and holds what the planes hold."""
    for instruction_set in SETS:
        arrays, rows = _native.decode_rows(jpeg, ranges, max_pixels=MAX_PIXELS, instruction_set=instruction_set)
        for component, (plane, array, wanted) in enumerate(zip(planes, arrays, ranges, strict=True)):
            row_begin, row_end, col_begin, col_end, coefficients = wanted
            is_empty = row_begin >= row_end or col_begin >= col_end
            came = [row for which, row in rows if which == component]
            assert came == ([] if is_empty else list(range(row_begin, row_end))), instruction_set
            if is_empty:
                continue
            expected = plane[row_begin:row_end, col_begin:col_end]
            mask = np.array([coefficients >> i & 1 for i in range(64)], bool).reshape(8, 8)
            np.testing.assert_array_equal(array[..., mask], expected[..., mask], err_msg=instruction_set)
            assert ((array == expected) | (array == 0)).all()


def regions_of(counts: list[tuple[int, int]]) -> st.SearchStrategy[list[Range]]:
    def bounds(count: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.tuples(st.integers(0, count), st.integers(0, count)).map(lambda ends: (min(ends), max(ends)))

    def one(rows: int, cols: int) -> st.SearchStrategy[Range]:
        coefficients = st.one_of(st.just(ALL), st.integers(0, ALL), st.sampled_from([0, 1, 3, 0x0F0F0F0F, 1 << 63]))
        parts = st.tuples(bounds(rows), bounds(cols), coefficients)
        return parts.map(lambda part: (*part[0], *part[1], part[2]))

    return st.tuples(*[one(rows, cols) for rows, cols in counts]).map(list)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_whole_assets(file):
    jpeg = file.read_bytes()
    planes = whole(jpeg)
    assert_region(jpeg, planes, [(0, plane.shape[0], 0, plane.shape[1], ALL) for plane in planes])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), file=st.sampled_from(FILES))
def test_regions_of_assets(data, file):
    jpeg = file.read_bytes()
    planes = whole(jpeg)
    assert_region(jpeg, planes, data.draw(regions_of([plane.shape[:2] for plane in planes])))


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(),
    sampling=st.lists(FACTORS, min_size=1, max_size=3).filter(lambda s: sum(h * v for h, v in s) <= 10 or len(s) == 1),
    size_px=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    restart_interval=st.sampled_from([0, 1, 3, 5]),
    alone=st.booleans(),
    skewed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_regions_of_built_files(data, sampling, size_px, restart_interval, alone, skewed, seed):
    """Restart intervals that end within a row of MCUs, one scan a component, any sampling."""
    rng = np.random.default_rng(seed)
    planes = random_planes(rng, size_px, sampling)
    components = tuple(range(len(sampling)))
    jpeg = build(
        planes,
        [TABLE, TABLE][: len(sampling)],
        size_px=size_px,
        sampling=sampling,
        scans=[Scan((c,)) for c in components] if alone else [Scan(components)],
        restart_interval=restart_interval,
        ac=AC_SKEWED if skewed else AC_FLAT,
        padding=rng.integers(-2, 3, 64).tolist(),
    )
    assert_region(jpeg, planes, data.draw(regions_of(block_counts(size_px, sampling))))


@pytest.mark.parametrize("last_wanted", [1, 2, 3])
def test_longest_look_ups_at_the_last_wanted_coefficient(last_wanted):
    """The DC and each coefficient take 22 bits, and a refill gives 56: passing over the rest needs one of its own."""
    rng = np.random.default_rng(0)
    plane = np.zeros((3, 40, 8, 8), np.int16)
    plane[..., 0, 0] = np.where(np.arange(40) % 2, 12000, -12000)
    first_ten = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
    for place in first_ten[1:]:
        plane[..., place // 8, place % 8] = rng.integers(2048, 4096, (3, 40)) * rng.choice([-1, 1], (3, 40))
    dc, ac = Huffman.flat(range(16), 6), Huffman.flat(reversed(range(256)), 9)
    jpeg = build([plane], [TABLE], size_px=(24, 320), sampling=[(1, 1)], scans=[Scan((0,))], dc=dc, ac=ac)
    wanted = sum(1 << place for place in first_ten[: last_wanted + 1])
    assert_region(jpeg, [plane], [(0, 3, 0, 40, wanted)])


@pytest.fixture(scope="module")
def tall() -> tuple[bytes, np.ndarray]:
    """A file of 12 rows of blocks without restart markers, and its plane."""
    plane = random_planes(np.random.default_rng(3), (96, 64), [(1, 1)])[0]
    return build([plane], [TABLE], size_px=(96, 64), sampling=[(1, 1)], scans=[Scan((0,))]), plane


@pytest.mark.parametrize(
    "ranges", [(0, 1, 0, 8, ALL), (5, 6, 2, 3, 1), (0, 0, 0, 0, ALL)], ids=["top", "middle", "none"]
)
@pytest.mark.parametrize("cut", [0.5, 0.9, 0.99])
def test_cut_file_is_reported_whatever_the_region(tall, cut, ranges):
    jpeg, _ = tall
    begin = jpeg.index(b"\xff\xda")
    shortened = jpeg[: begin + int(cut * (len(jpeg) - begin))]
    with pytest.raises(TruncatedJpegError) as expected:
        _native.decode(shortened, strict=True, max_pixels=MAX_PIXELS, reference=True)
    with pytest.raises(TruncatedJpegError) as ours:
        _native.decode_rows(shortened, [ranges], max_pixels=MAX_PIXELS)
    assert str(ours.value) == str(expected.value)


def test_end_marker_alone_missing(tall):
    """Nothing is missing, so nothing is wrong."""
    jpeg, plane = tall
    assert_region(jpeg[:-2], [plane], [(2, 5, 1, 8, ALL)])


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), value=st.sampled_from([0, 0x55, 0xFE]), length=st.integers(1, 30))
def test_damage_in_what_is_wanted(tall, at, value, length):
    """The same error as decode()'s, or, where the damage still makes sense, the same coefficients."""
    jpeg, _ = tall
    begin, end = jpeg.index(b"\xff\xda") + 10, len(jpeg) - 2
    place = begin + int(at * (end - begin - 1))
    damaged = jpeg[:place] + bytes([value]) * min(length, end - place) + jpeg[place + length :][: len(jpeg)]
    damaged = damaged if damaged.endswith(b"\xff\xd9") else damaged + b"\xff\xd9"
    try:
        planes = whole(damaged)
    except JpegError as error:
        expected = error
    else:
        assert_region(damaged, planes, [(0, 12, 0, 8, ALL)])
        return
    with pytest.raises(type(expected)) as ours:
        _native.decode_rows(damaged, [(0, 12, 0, 8, ALL)], max_pixels=MAX_PIXELS)
    assert str(ours.value) == str(expected)


def test_damage_below_the_region_is_not_looked_at(tall):
    jpeg, plane = tall
    damaged = jpeg[:-40] + bytes([0xFE]) * 38 + jpeg[-2:]
    with pytest.raises(JpegError):
        whole(damaged)
    assert_region(damaged, [plane], [(0, 3, 0, 8, ALL)])


def test_missing_scan_is_reported():
    sampling = [(1, 1), (1, 1)]
    planes = random_planes(np.random.default_rng(0), (16, 16), sampling)
    jpeg = build(planes, [TABLE, TABLE], size_px=(16, 16), sampling=sampling, scans=[Scan((0,))])
    with pytest.raises(TruncatedJpegError, match="none came of component 1"):
        _native.decode_rows(jpeg, [(0, 1, 0, 1, ALL), (0, 0, 0, 0, 0)], max_pixels=MAX_PIXELS)


def test_bad_segment_behind_the_region_is_reported(tall):
    jpeg, _ = tall
    odd = jpeg[:-2] + b"\xff\xdd\x00\x03\x01" + jpeg[-2:]
    with pytest.raises(MalformedJpegError, match="restart interval"):
        _native.decode_rows(odd, [(0, 1, 0, 8, ALL)], max_pixels=MAX_PIXELS)


def test_progressive():
    planes = random_planes(np.random.default_rng(1), (40, 56), [(1, 1)])
    scans = [Scan((0,), 0, 0), Scan((0,), 1, 63, 0, 1), Scan((0,), 1, 63, 1, 0)]
    jpeg = build(planes, [TABLE], size_px=(40, 56), sampling=[(1, 1)], scans=scans, process=PROGRESSIVE)
    assert_region(jpeg, planes, [(1, 4, 2, 5, ALL)])


@pytest.mark.parametrize(
    "ranges",
    [[], [(0, 1, 0, 1, ALL)] * 2, [(0, 13, 0, 8, ALL)], [(0, 12, 0, 9, ALL)]],
    ids=["none", "too many", "rows", "columns"],
)
def test_ranges_that_do_not_fit(tall, ranges):
    with pytest.raises(ValueError, match="expected one range of blocks a component"):
        _native.decode_rows(tall[0], ranges, max_pixels=MAX_PIXELS)


def test_photos(photos):
    for file in sorted((photos / "imagenet-sample").iterdir())[5::40]:
        jpeg = file.read_bytes()
        planes = whole(jpeg)
        shapes = [plane.shape[:2] for plane in planes]
        assert_region(jpeg, planes, [(0, rows, 0, cols, ALL) for rows, cols in shapes])
        inner = [(rows // 4, rows - rows // 3, cols // 3, cols - cols // 4, 0x0F0F0F0F) for rows, cols in shapes]
        assert_region(jpeg, planes, inner)
