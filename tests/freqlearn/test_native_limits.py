"""Memory and work follow the data that are there, not what a header claims."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from jpeg_builder import (
    AC_FLAT,
    BASELINE,
    DC_FLAT,
    EOI,
    PROGRESSIVE,
    SOI,
    Huffman,
    Scan,
    build,
    dqt,
    frame_header,
    scan_header,
)

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
TABLE = np.ones((8, 8))


def claim(process: int, size_px: tuple[int, int], components: int, data: bytes) -> bytes:
    """A file that claims `size_px` and has only `data`."""
    sampling = [(1, 1)] * components
    ids = range(1, components + 1)
    scan = Scan(tuple(range(components)), 0, 63 if process == BASELINE else 0)
    dc, ac = Huffman.flat(range(4), 3), Huffman.flat(range(4), 3)
    tables = dqt(TABLE) + (dqt(TABLE, index=1) if components > 1 else b"")
    head = tables + frame_header(process, size_px, sampling, ids) + dc.dht(ac=False) + ac.dht(ac=True)
    return SOI + head + scan_header(scan, list(ids)) + data + EOI


CLAIMS = {
    "baseline": claim(BASELINE, (13000, 13000), 1, bytes(40)),
    "baseline, colour": claim(BASELINE, (7000, 7000), 3, bytes(40)),
    "progressive": claim(PROGRESSIVE, (13000, 13000), 1, bytes(40)),
    "progressive, colour": claim(PROGRESSIVE, (13000, 13000), 3, bytes(4000)),
    "thin": claim(PROGRESSIVE, (1, 65535), 1, bytes(40)),
}


@pytest.mark.parametrize("jpeg", CLAIMS.values(), ids=CLAIMS.keys())
def test_claim_without_data(jpeg):
    with pytest.raises(errors.TruncatedJpegError, match=r"at least \d+ bytes of entropy-coded data, the file has"):
        _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    with pytest.raises(errors.TruncatedJpegError):
        _native.check(jpeg, MAX_PIXELS)


@pytest.mark.parametrize("process", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
def test_claim_above_max_pixels(process):
    jpeg = claim(process, (65500, 65500), 1, bytes(40))
    for strict in (True, False):
        with pytest.raises(errors.ImageTooLargeError, match="65500 x 65500 = 4290250000"):
            _native.decode(jpeg, strict=strict, max_pixels=MAX_PIXELS)
        with pytest.raises(errors.TruncatedJpegError):
            _native.decode(jpeg, strict=strict, max_pixels=2**40)


def run_limited(code: str, *, mebibytes: int) -> str:
    """Runs `code` in a process of its own that can map only so much more memory than its imports have."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc and RLIMIT_AS")
    setup = f"""
        import resource, sys
        import numpy as np
        from freqlearn import _native, errors

        mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        limit = mapped + {mebibytes} * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    """
    script = textwrap.dedent(setup) + textwrap.dedent(code)
    result = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_claims_are_refused_in_64_mib():
    files = [*CLAIMS.values(), claim(BASELINE, (65500, 65500), 1, bytes(40))]
    code = f"""
        for jpeg in {files!r}:
            for strict in (True, False):
                for max_pixels in ({MAX_PIXELS}, 2**40):
                    try:
                        _native.decode(jpeg, strict=strict, max_pixels=max_pixels)
                    except errors.JpegError as error:
                        print(type(error).__name__)
                    else:
                        print("read")
        try:
            np.zeros(2**27, np.uint8)
        except MemoryError:
            print("the limit holds")
    """
    lines = run_limited(code, mebibytes=64).split("\n")
    assert lines.count("the limit holds") == 1
    # The thin one is small enough for strict=False: 1 MiB of coefficients.
    assert lines.count("read") == 2
    assert lines.count("TruncatedJpegError") + lines.count("ImageTooLargeError") == 4 * len(files) - 2


def test_lenient_claim_within_32_mib_is_read():
    jpeg = claim(BASELINE, (2000, 2000), 1, bytes(40))
    decoded = _native.decode(jpeg, strict=False, max_pixels=MAX_PIXELS)
    assert not decoded.complete
    assert decoded.planes[0].shape == (250, 250, 8, 8)


def test_flat_picture_of_full_size():
    """The sparsest legal file of many blocks is not refused: one bit a block, progressive; two, baseline."""
    one_bit = Huffman((1, *[0] * 15), (0,))
    blocks = 1250 * 1250
    for process, bits in ((BASELINE, 2), (PROGRESSIVE, 1)):
        scan = Scan((0,), 0, 63 if process == BASELINE else 0)
        head = dqt(TABLE) + frame_header(process, (10000, 10000), [(1, 1)], [1])
        head += one_bit.dht(ac=False) + one_bit.dht(ac=True) + scan_header(scan, [1])
        size = -(-blocks * bits // 8)
        decoded = _native.decode(SOI + head + bytes(size) + EOI, strict=True, max_pixels=MAX_PIXELS)
        assert decoded.complete
        assert decoded.planes[0].shape == (1250, 1250, 8, 8)
        with pytest.raises(errors.TruncatedJpegError):
            _native.decode(SOI + head + bytes(size - 10), strict=True, max_pixels=MAX_PIXELS)


def with_refinements(count: int) -> bytes:
    """A progressive file of 4096 x 4096 px: its DC, then `count` refinements that refine nothing."""
    one_bit = Huffman((1, *[0] * 15), (0,))
    blocks = 512 * 512
    longest = 0xE0  # EOB14: 2^14 blocks and 14 more bits
    codes = AC_FLAT.codes()
    bits = "".join(f"{codes[longest][0]:0{codes[longest][1]}b}" + "0" * 14 for _ in range(blocks >> 14))
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    head = dqt(TABLE) + frame_header(PROGRESSIVE, (4096, 4096), [(1, 1)], [1])
    head += one_bit.dht(ac=False) + AC_FLAT.dht(ac=True) + scan_header(Scan((0,), 0, 0), [1]) + bytes(blocks // 8)
    return SOI + head + (scan_header(Scan((0,), 1, 63, 1, 0), [1]) + data) * count + EOI


def test_scan_count_is_bounded():
    assert _native.decode(with_refinements(999), strict=True, max_pixels=MAX_PIXELS).complete
    with pytest.raises(errors.MalformedJpegError, match="expected at most 1000 scans, got more"):
        _native.decode(with_refinements(1000), strict=True, max_pixels=MAX_PIXELS)
    with pytest.raises(errors.MalformedJpegError, match="expected at most 1000 scans"):
        _native.check(with_refinements(1000), MAX_PIXELS)


def test_every_bit_of_every_coefficient_in_its_own_scan():
    """The longest progression that says something new in each scan of one component: 64 * 14 scans."""
    plane = np.zeros((1, 1, 8, 8), np.int16)
    plane[0, 0] = np.arange(64).reshape(8, 8) * 128 - 4000

    scans = [
        Scan((0,), k, k, high, low)
        for high, low in [(0, 13), *((b, b - 1) for b in range(13, 0, -1))]
        for k in range(64)
    ]
    jpeg = build([plane], [TABLE], size_px=(8, 8), sampling=[(1, 1)], scans=scans, process=PROGRESSIVE)
    decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert decoded.warnings == []
    np.testing.assert_array_equal(decoded.planes[0], plane)


def test_memory_is_given_back(make_jpeg):
    """A hundred decoded pictures of 4 MB each leave nothing behind."""
    jpeg = make_jpeg(800, 800, sampling="4:4:4", quality=50)
    code = f"""
        jpeg = {jpeg!r}
        for _ in range(100):
            decoded = _native.decode(jpeg, strict=True, max_pixels={MAX_PIXELS})
            planes, tables, info = decoded.planes, decoded.quant_tables, decoded.info
            first = planes[0]
            del decoded, planes
            assert first.any()
        print("done")
    """
    assert run_limited(code, mebibytes=64).strip() == "done"


def test_restart_markers_take_no_memory():
    """Eight megabytes of restart markers after the one block, which is all that the picture has."""
    jpeg = claim(BASELINE, (8, 8), 1, b"\0")
    code = f"""
        jpeg = {jpeg[:-2]!r} + bytes([255, 208]) * 2**22 + {EOI!r}
        for strict in (True, False):
            print(_native.decode(jpeg, strict=strict, max_pixels=64).warnings)
    """
    lines = run_limited(code, mebibytes=64).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "more than 65 restart markers after the blocks of a scan" in line


def test_info_does_not_hold_the_planes(make_jpeg):
    jpeg = make_jpeg(800, 800, sampling="4:4:4", quality=50)
    code = f"""
        jpeg = {jpeg!r}
        infos = [_native.decode(jpeg, strict=True, max_pixels={MAX_PIXELS}).info for _ in range(100)]
        print(len(infos))
    """
    assert run_limited(code, mebibytes=64).strip() == "100"


def test_dc_only_codes():
    """The file that the limits above are made of is a good one when it is as large as it claims."""
    jpeg = claim(PROGRESSIVE, (8, 8), 1, bytes(1))
    assert _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS).complete
    assert DC_FLAT.codes()[0] == (0, 5)
