"""strict=False: what can be read of a damaged file, and a record of what could not."""

from pathlib import Path

import numpy as np
import pytest
from jpeg_builder import EOI, PROGRESSIVE, SOI, Scan, build, frame_header, random_planes

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"
TABLE = np.arange(1, 65).reshape(8, 8)
INTERVALS = 20  # restart intervals of the file below, one block each


def lenient(jpeg: bytes) -> _native.Decoded:
    return _native.decode(jpeg, strict=False, max_pixels=MAX_PIXELS)


@pytest.fixture(scope="module")
def restarts() -> tuple[bytes, np.ndarray, list[int]]:
    """A file with a restart marker after every block, its plane, and the offsets of its restart markers."""
    plane = random_planes(np.random.default_rng(4), (8, 8 * INTERVALS), [(1, 1)])[0]
    plane[..., 0, 0] = 1 + np.arange(INTERVALS)
    size_px = (8, 8 * INTERVALS)
    jpeg = build([plane], [TABLE], size_px=size_px, sampling=[(1, 1)], scans=[Scan((0,))], restart_interval=1)
    begin = jpeg.index(b"\xff\xda")
    markers = [i for i in range(begin, len(jpeg) - 1) if jpeg[i] == 0xFF and 0xD0 <= jpeg[i + 1] <= 0xD7]
    assert len(markers) == INTERVALS - 1
    return jpeg, plane, markers


def assert_lost(decoded: _native.Decoded, plane: np.ndarray, lost: set[int]) -> None:
    """Every block but the lost ones is right."""
    assert not decoded.complete
    assert decoded.warnings
    for i in set(range(INTERVALS)) - lost:
        np.testing.assert_array_equal(decoded.planes[0][0, i], plane[0, i], err_msg=f"interval {i}")


def test_damaged_interval(restarts):
    jpeg, plane, markers = restarts
    begin, end = markers[4] + 2, markers[5]  # interval 5
    decoded = lenient(jpeg[:begin] + bytes([0xFE] * (end - begin)) + jpeg[end:])
    assert_lost(decoded, plane, {5})
    assert f"at byte {begin}" in decoded.warnings[0] or "entropy-coded data" in decoded.warnings[0]


def test_shortened_interval(restarts):
    jpeg, plane, markers = restarts
    decoded = lenient(jpeg[: markers[4] + 2] + jpeg[markers[5] :])
    assert_lost(decoded, plane, {5})
    np.testing.assert_array_equal(decoded.planes[0][0, 5], 0)


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_lost_intervals(restarts, lost):
    """Up to four intervals and their markers gone: the numbers of the markers say how many."""
    jpeg, plane, markers = restarts
    decoded = lenient(jpeg[: markers[6]] + jpeg[markers[6 + lost] :])
    assert_lost(decoded, plane, set(range(7, 7 + lost)))
    np.testing.assert_array_equal(decoded.planes[0][0, 7 : 7 + lost], 0)
    assert "expected restart marker RST6" in decoded.warnings[0]
    assert f"{lost} of {INTERVALS} MCUs are missing" in decoded.warnings[-1]


def test_repeated_interval(restarts):
    jpeg, plane, markers = restarts
    decoded = lenient(jpeg[: markers[7]] + jpeg[markers[6] : markers[7]] + jpeg[markers[7] :])
    assert_lost(decoded, plane, set())


def test_lost_marker(restarts):
    """The blocks behind a lost marker are lost with it; the next marker puts things right."""
    jpeg, plane, markers = restarts
    assert_lost(lenient(jpeg[: markers[3]] + jpeg[markers[3] + 2 :]), plane, {3, 4})


def test_cut(restarts):
    jpeg, plane, markers = restarts
    decoded = lenient(jpeg[: markers[9] + 3])
    assert_lost(decoded, plane, set(range(10, INTERVALS)))
    np.testing.assert_array_equal(decoded.planes[0][0, 11:], 0)
    assert any("missing EOI" in warning for warning in decoded.warnings)
    assert any("MCUs are missing" in warning for warning in decoded.warnings)


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_cut_photo(make_jpeg, progressive):
    """What comes before the cut is what it is in the whole file."""
    jpeg = make_jpeg(200, 300, quality=90, progressive=progressive)
    whole = lenient(jpeg)
    assert whole.complete
    half = lenient(jpeg[: len(jpeg) // 2])
    assert not half.complete
    assert [plane.shape for plane in half.planes] == [plane.shape for plane in whole.planes]
    wanted, got = whole.planes[0], half.planes[0]
    if progressive:
        np.testing.assert_array_equal(np.abs(got[..., 0, 0] - wanted[..., 0, 0]) <= 1, True)  # all but the last bit
    else:
        same_rows = (got == wanted).all(axis=(1, 2, 3))
        assert same_rows[:8].all()
        assert not same_rows.all()


def test_missing_scan():
    sampling = [(1, 1), (1, 1)]
    planes = random_planes(np.random.default_rng(0), (24, 24), sampling)
    jpeg = build(planes, [TABLE, TABLE + 1], size_px=(24, 24), sampling=sampling, scans=[Scan((0,))])
    decoded = lenient(jpeg)
    assert not decoded.complete
    assert "none came of component 1" in decoded.warnings[0]
    np.testing.assert_array_equal(decoded.planes[0], planes[0])
    assert decoded.planes[1].shape == planes[1].shape
    assert not decoded.planes[1].any()
    np.testing.assert_array_equal(decoded.quant_tables[1], TABLE + 1)


def test_damaged_segment_after_a_scan():
    sampling = [(1, 1), (1, 1)]
    planes = random_planes(np.random.default_rng(0), (24, 24), sampling)
    scans = [Scan((0,)), Scan((1,))]
    jpeg = build(planes, [TABLE, TABLE], size_px=(24, 24), sampling=sampling, scans=scans)
    second = jpeg.rindex(b"\xff\xda")
    decoded = lenient(jpeg[:second] + b"\xff\x42" + jpeg[second:])
    assert not decoded.complete
    assert "reserved code FF42" in decoded.warnings[0]
    np.testing.assert_array_equal(decoded.planes[0], planes[0])


@pytest.mark.parametrize("kept", [2, 4, 7])
def test_progressive_file_cut_between_scans(kept):
    """All bits that came: as if the others were zero."""
    jpeg = (ASSETS / "progressive_odd.jpg").read_bytes()
    starts = [i for i in range(len(jpeg) - 1) if jpeg[i] == 0xFF and jpeg[i + 1] == 0xDA]
    cut = jpeg[: starts[kept]]
    with pytest.raises(errors.TruncatedJpegError, match=r"none came of component|do not send .* no end marker"):
        _native.decode(cut, strict=True, max_pixels=MAX_PIXELS)
    decoded = lenient(cut)
    assert not decoded.complete
    # With an end marker it is a file whose encoder sent no more: read, with a warning, when every component has come.
    ended = lenient(cut + EOI)
    for ours, theirs in zip(decoded.planes, ended.planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("jpeg", "error"),
    [
        pytest.param(b"GIF89a", errors.NotJpegError, id="not JPEG"),
        pytest.param(SOI, errors.TruncatedJpegError, id="no header"),
        pytest.param(SOI + frame_header(PROGRESSIVE, (8, 8), [(1, 1)], [1]), errors.TruncatedJpegError, id="no scan"),
        pytest.param((ASSETS / "444.jpg").read_bytes()[:200], errors.TruncatedJpegError, id="cut in the headers"),
        pytest.param(
            SOI + frame_header(PROGRESSIVE, (20000, 20000), [(1, 1)], [1]), errors.ImageTooLargeError, id="too large"
        ),
    ],
)
def test_nothing_to_give(jpeg, error):
    with pytest.raises(error):
        lenient(jpeg)


def test_good_files_do_not_change():
    for path in sorted(ASSETS.glob("*.jpg")):
        if path.name.startswith("arithmetic"):
            continue
        jpeg = path.read_bytes()
        strict = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
        decoded = lenient(jpeg)
        assert decoded.complete
        assert decoded.warnings == []
        for ours, theirs in zip(decoded.planes, strict.planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)
