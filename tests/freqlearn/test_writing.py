"""Files that are written read back equal: by us, by libjpeg's coefficient reader, and as pixels by Pillow."""

import io
import itertools
import shutil
import subprocess

import numpy as np
import pytest
from jpeg_builder import NAMED_SAMPLINGS, random_planes
from PIL import Image
from written_files import ASSETS, READABLE_ASSETS, assert_libjpeg_reads, assert_read_back, read

import freqlearn as fl

KINDS = {
    "optimised": {},
    "standard": {"optimise": False},
    "progressive": {"progressive": True},
    "restarts": {"restart_interval": 3},
    "progressive-restarts": {"progressive": True, "restart_interval": 2},
}
SIZES_PX = [(1, 1), (1, 40), (7, 9), (8, 8), (16, 17), (33, 31), (50, 65)]
# More than ten blocks in an MCU, so that they cannot be interleaved.
MANY_BLOCKS = [((4, 4), (1, 1), (1, 1)), ((2, 2), (2, 2), (2, 2)), ((4, 2), (2, 1), (1, 2))]


def pixels(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", READABLE_ASSETS)
def test_assets(read_planes, name, kind):
    original = (ASSETS / name).read_bytes()
    image = read(original)
    jpeg = fl.write_jpeg(image, **kind)
    back = assert_read_back(jpeg, image)
    assert back.orientation == image.orientation
    assert back.info.restart_interval == kind.get("restart_interval", 0)
    assert back.info.progressive == kind.get("progressive", False)
    assert_libjpeg_reads(jpeg, image, read_planes)
    np.testing.assert_array_equal(pixels(jpeg), pixels(original))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("sampling", NAMED_SAMPLINGS)
def test_random_coefficients(read_planes, sampling, kind):
    """All magnitudes that JPEG can code, in sizes that do not fill their blocks."""
    rng = np.random.default_rng(0)
    factors = NAMED_SAMPLINGS[sampling]
    tables = [rng.integers(1, 256, (8, 8)) for _ in factors]
    for size_px in SIZES_PX:
        planes = random_planes(rng, size_px, factors)
        image = fl.DCTImage.from_planes(planes, tables, size_px=size_px, sampling=factors)
        jpeg = fl.write_jpeg(image, **kind)
        assert_read_back(jpeg, image)
        assert_libjpeg_reads(jpeg, image, read_planes)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("sampling", MANY_BLOCKS, ids=str)
def test_more_blocks_than_an_mcu_may_have(read_planes, sampling, kind):
    rng = np.random.default_rng(1)
    image = fl.DCTImage.from_planes(random_planes(rng, (50, 65), sampling), size_px=(50, 65), sampling=sampling)
    jpeg = fl.write_jpeg(image, **kind)
    assert_read_back(jpeg, image)
    assert_libjpeg_reads(jpeg, image, read_planes)


@pytest.mark.parametrize(("count", "color_space"), [(1, "gray"), (2, "unknown"), (3, "RGB"), (4, "CMYK"), (4, "YCCK")])
def test_colors(read_planes, count, color_space):
    sampling = ((1, 1),) * count
    planes = random_planes(np.random.default_rng(2), (20, 30), sampling)
    image = fl.DCTImage.from_planes(planes, size_px=(20, 30), color_space=color_space)
    for metadata, progressive in itertools.product(("keep", "orientation", "none"), (False, True)):
        jpeg = fl.write_jpeg(image, metadata=metadata, progressive=progressive)
        assert_read_back(jpeg, image)
        if count != 2:  # of which Pillow knows no tables
            assert_libjpeg_reads(jpeg, image, read_planes)


@pytest.mark.parametrize("largest", [255, 256, 65535])
def test_tables_of_16_bits_make_an_extended_file(read_planes, largest):
    table = np.full((8, 8), 3)
    table[7, 6] = largest
    planes = random_planes(np.random.default_rng(3), (9, 9), ((1, 1),) * 3)
    image = fl.DCTImage.from_planes(planes, [table, np.full((8, 8), 2), table], size_px=(9, 9))
    jpeg = fl.write_jpeg(image)
    assert assert_read_back(jpeg, image).info.process == ("extended" if largest > 255 else "baseline")
    assert_libjpeg_reads(jpeg, image, read_planes)


def test_four_tables():
    tables = [np.full((8, 8), step) for step in (1, 2, 3, 400)]
    planes = random_planes(np.random.default_rng(3), (9, 9), ((1, 1),) * 4)
    image = fl.DCTImage.from_planes(planes, tables, size_px=(9, 9), color_space="CMYK")
    assert_read_back(fl.write_jpeg(image), image)


def test_symbols_as_rare_as_they_get(read_planes):
    """Counts that grow as Fibonacci's numbers would give codes longer than the 16 bits of the format."""
    block = np.zeros((64,), np.int16)
    blocks = []
    a, b = 1, 1
    for size in range(1, 11):
        for run in (0, 1):
            place = [1, 8][run]  # the first and the second of the zigzag sequence
            chosen = block.copy()
            chosen[place] = 2**size - 1
            blocks += [chosen] * a
            a, b = b, a + b
    plane = np.stack(blocks).reshape(110, 161, 8, 8)
    image = fl.DCTImage.from_planes([plane], size_px=(880, 1288))
    for progressive in (False, True):
        jpeg = fl.write_jpeg(image, progressive=progressive)
        assert_read_back(jpeg, image)
        assert_libjpeg_reads(jpeg, image, read_planes)


def test_long_runs_of_empty_blocks(read_planes):
    """Runs above 32,767 blocks, which one progressive symbol cannot say, with corrections in between."""
    plane = np.zeros((200, 200, 8, 8), np.int16)
    plane[0, 0, 3, 3] = plane[-1, -1, 7, 7] = 5
    plane[170:, :, 0, 1] = -7
    image = fl.DCTImage.from_planes([plane], size_px=(1600, 1600))
    jpeg = fl.write_jpeg(image, progressive=True)
    assert_read_back(jpeg, image)
    assert_libjpeg_reads(jpeg, image, read_planes)


@pytest.mark.parametrize("sampling", ["4:2:0", "4:4:4", "gray"])
def test_size_is_that_of_libjpegs_optimised_file(make_jpeg, sampling):
    """Pillow's `optimize` makes libjpeg code the same coefficients with tables made for them."""
    for progressive in (False, True):
        theirs = make_jpeg(150, 201, sampling=sampling, optimise=True, progressive=progressive)
        ours = fl.write_jpeg(read(make_jpeg(150, 201, sampling=sampling)), progressive=progressive)
        assert_read_back(ours, read(theirs))
        assert abs(len(ours) - len(theirs)) <= 0.01 * len(theirs)


def _jpegtran(jpeg: bytes, *options: str) -> bytes:
    return subprocess.run(["jpegtran", "-copy", "all", *options], input=jpeg, capture_output=True, check=True).stdout


def test_photos(photos, read_planes):
    """Some of 400: `python -m benchmarks.writing` writes all of them."""
    files = sorted((photos / "imagenet-sample").iterdir())
    sizes = {"ours": 0, "jpegtran": 0}
    for path, progressive in itertools.product(files[::40], (False, True)):
        original = path.read_bytes()
        image = read(original)
        jpeg = fl.write_jpeg(image, progressive=progressive)
        assert_read_back(jpeg, image)
        assert_libjpeg_reads(jpeg, image, read_planes)
        np.testing.assert_array_equal(pixels(jpeg), pixels(original))
        if shutil.which("jpegtran"):
            sizes["ours"] += len(jpeg)
            sizes["jpegtran"] += len(_jpegtran(original, "-progressive" if progressive else "-optimize"))
    assert abs(sizes["ours"] - sizes["jpegtran"]) <= 0.01 * sizes["jpegtran"]


def test_libjpeg_has_nothing_to_say():
    """Warnings of djpeg go to its standard error."""
    if not shutil.which("djpeg"):
        pytest.skip("needs libjpeg-turbo's djpeg")
    planes = random_planes(np.random.default_rng(4), (33, 50), NAMED_SAMPLINGS["4:2:0"], largest=30)
    image = fl.DCTImage.from_planes(
        planes, [np.full((8, 8), 4)] * 3, size_px=(33, 50), sampling=NAMED_SAMPLINGS["4:2:0"], orientation=6
    )
    for kind in KINDS.values():
        done = subprocess.run(["djpeg"], input=fl.write_jpeg(image, **kind), capture_output=True, check=True)
        assert done.stderr == b""
        assert done.stdout.startswith(b"P6")
