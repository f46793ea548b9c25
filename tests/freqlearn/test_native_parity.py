"""Coefficients, block counts and tables equal those that libjpeg reads, exactly."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freqlearn import _native, errors

MAX_PIXELS = 178_956_970
ASSETS = Path(__file__).parents[1] / "assets"
SIZES_PX = [(1, 1), (1, 40), (7, 9), (8, 8), (16, 17), (33, 31), (50, 65)]
REFUSED_ASSETS = {"arithmetic.jpg", "arithmetic_progressive.jpg"}


def assert_same(decoded: _native.Decoded, planes: list[np.ndarray], tables: list[np.ndarray]) -> None:
    info = decoded.info
    h_max, v_max = (max(factors) for factors in zip(*info.sampling, strict=True))
    assert len(decoded.planes) == len(planes)
    for ours, theirs, (h, v) in zip(decoded.planes, planes, info.sampling, strict=True):
        # libjpeg's width_in_blocks: ceil of the component's size / 8, however it pads its MCUs.
        rows, cols = -(-info.height * v // (8 * v_max)), -(-info.width * h // (8 * h_max))
        assert ours.shape == (rows, cols, 8, 8)
        assert ours.dtype == np.int16
        np.testing.assert_array_equal(ours, theirs[:rows, :cols])
    for ours, theirs in zip(decoded.quant_tables, tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("restart_mcus", [0, 1, 3])
@pytest.mark.parametrize("optimise", [False, True], ids=["plain", "optimised"])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "gray"])
def test_pillow(make_jpeg, read_planes, sampling, progressive, optimise, restart_mcus):
    for seed, (size_px, quality) in enumerate(itertools.product(SIZES_PX, (5, 75, 100))):
        jpeg = make_jpeg(
            *size_px,
            seed=seed,
            quality=quality,
            sampling=sampling,
            progressive=progressive,
            optimise=optimise,
            restart_mcus=restart_mcus,
        )
        decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
        assert decoded.complete
        assert decoded.warnings == []
        assert decoded.info.process == ("progressive" if progressive else "baseline")
        assert decoded.info.restart_interval == restart_mcus
        assert_same(decoded, *read_planes(jpeg))


@pytest.mark.parametrize("name", sorted(p.name for p in ASSETS.glob("*.jpg") if p.name not in REFUSED_ASSETS))
def test_cjpeg(read_planes, name):
    jpeg = (ASSETS / name).read_bytes()
    decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert decoded.complete
    assert decoded.warnings == []
    assert_same(decoded, *read_planes(jpeg))


def test_assets_cover_what_pillow_cannot_write():
    infos = {
        p.name: _native.read_info(p.read_bytes(), MAX_PIXELS)
        for p in ASSETS.glob("*.jpg")
        if p.name not in REFUSED_ASSETS
    }
    assert {info.process for info in infos.values()} == {"baseline", "extended", "progressive"}
    assert {tuple(info.sampling) for info in infos.values()} >= {
        ((1, 2), (1, 1), (1, 1)),
        ((4, 1), (1, 1), (1, 1)),
        ((4, 2), (1, 1), (1, 1)),
        ((3, 1), (1, 1), (1, 1)),
        ((2, 2), (1, 2), (1, 2)),
        ((1, 1), (2, 2), (1, 2)),
        ((2, 2),),
        ((3, 1),),
    }
    assert max(infos["extended_16bit_tables.jpg"].quant_tables[0].ravel()) > 255


def test_cmyk(photo_like, read_planes, tmp_path):
    from PIL import Image

    path = tmp_path / "cmyk.jpg"
    Image.fromarray(photo_like(37, 50)).convert("CMYK").save(path)
    jpeg = path.read_bytes()
    decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
    assert len(decoded.planes) == 4
    assert decoded.info.color_space == "CMYK"
    assert_same(decoded, *read_planes(jpeg))


def test_photos(photos, read_planes):
    files = sorted((photos / "imagenet-sample").iterdir())
    assert len(files) >= 400
    # Every fourth file: `python -m benchmarks.parity` compares all of them.
    for path in files[::4]:
        jpeg = path.read_bytes()
        decoded = _native.decode(jpeg, strict=True, max_pixels=MAX_PIXELS)
        assert decoded.complete
        assert_same(decoded, *read_planes(jpeg))


def test_benchmark_counts_what_differs(tmp_path):
    """`python -m benchmarks.parity` over three files: one good, one refused, one that jpeg2dct would change."""
    folder = tmp_path / "files" / "inner"
    folder.mkdir(parents=True)
    for source, name in [("420_optimised.jpg", "a.jpg"), ("411.jpg", "b.JPEG"), ("arithmetic.jpg", "c.jpeg")]:
        (folder / name).write_bytes((ASSETS / source).read_bytes())
    (folder / "notes.txt").write_text("no picture")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.parity", str(tmp_path / "files")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ASSETS.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    counts = json.loads((tmp_path / "runs/benchmarks/parity.json").read_text())
    assert counts["files_compared"] == 2
    # 43 x 29 px: 6 x 4 blocks of luma; of chroma twice 3 x 2 (4:2:0) and twice 2 x 4 (4:1:1).
    assert counts["coefficients_compared"] == 64 * (24 + 6 + 6 + 24 + 8 + 8)
    assert counts["coefficients_differing"] == 0
    assert counts["jpeg2dct_would_reencode"] == 1
    assert list(counts["refused"]) == [str(folder / "c.jpeg")]
    assert "got arithmetic coding" in result.stdout


def test_damaged_files_that_are_accepted(read_planes):
    """A damaged scan may still be a legal one: then it holds what libjpeg reads in it, too."""
    rng = np.random.default_rng(0)
    files = [(ASSETS / f"{name}.jpg").read_bytes() for name in ("444", "noninterleaved_restart", "progressive_odd")]
    accepted = 0
    for i in range(600):
        jpeg = bytearray(files[i % len(files)])
        scan = jpeg.index(b"\xff\xda") + 14
        jpeg[rng.integers(scan, len(jpeg) - 2)] ^= 1 << rng.integers(8)
        try:
            decoded = _native.decode(bytes(jpeg), strict=True, max_pixels=MAX_PIXELS)
        except errors.MalformedJpegError:
            continue
        accepted += 1
        for ours, theirs in zip(decoded.planes, read_planes(bytes(jpeg))[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert accepted > 100
