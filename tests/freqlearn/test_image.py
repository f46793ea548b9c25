"""DCTImage: planes exactly as stored, immutable, shared between threads and processes, and back to pixels."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest
import scipy.fft
from jpeg_builder import NAMED_SAMPLINGS
from PIL import Image, ImageOps

import freqlearn as fl
from freqlearn import decoders
from freqlearn.plan import Plan

# Measured on all samplings, noise and photos: libjpeg rounds samples, chroma and colour in turn, we round once.
LEVELS = 3


def pillow_rgb(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def blocks(samples):
    """SciPy's block DCT of (8*rows, 8*cols) samples."""
    rows, cols = samples.shape[0] // 8, samples.shape[1] // 8
    tiles = np.asarray(samples, float).reshape(rows, 8, cols, 8).swapaxes(1, 2)
    return scipy.fft.dctn(tiles, axes=(2, 3), norm="ortho")


@pytest.fixture(scope="module")
def jpeg(make_jpeg):
    return make_jpeg(45, 67, seed=3)


@pytest.fixture
def image(jpeg):
    return fl.read_dct(jpeg)


@pytest.mark.parametrize("sampling", NAMED_SAMPLINGS)
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 9), (45, 67)], ids=str)
def test_planes_and_tables_are_the_file_s(sampling, size, make_jpeg, read_planes):
    data = make_jpeg(*size, sampling=sampling, quality=72)
    image = fl.read_dct(data)
    planes, tables = read_planes(data)
    assert len(image.planes) == len(planes)
    for ours, theirs in zip(image.planes, planes, strict=True):
        assert ours.dtype == np.int16
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(image.quant_tables, tables, strict=True):
        assert ours.dtype == np.uint16
        np.testing.assert_array_equal(ours, theirs)
    assert image.nbytes == sum(plane.nbytes for plane in image.planes)
    y, cb, cr = image.dequantised()
    np.testing.assert_array_equal(y, planes[0].astype(int) * tables[0])
    for ours, index in ((cb, 1), (cr, 2)):
        expected = np.zeros(y.shape) if sampling == "gray" else planes[index].astype(int) * tables[index]
        np.testing.assert_array_equal(ours, expected)
        height, width = image.component_size_px(index)
        assert ours.shape[:2] == (-(-height // 8), -(-width // 8))
        assert ours.dtype == np.float32


def test_properties_of_a_file(image):
    assert image.size_px == (45, 67)
    assert image.sampling == ((2, 2), (1, 1), (1, 1))
    assert image.color_space == "YCbCr"
    assert image.orientation == 1
    assert image.source == "native"
    assert image.plan == Plan.identity((45, 67))
    assert image.component_size_px(0) == (45, 67)
    assert image.component_size_px(1) == image.component_size_px(2) == (23, 34)
    assert repr(image) == "DCTImage(67x45 px, YCbCr 4:2:0, baseline, quality 85, native)"
    with pytest.raises(ValueError, match=r"component 0 \(Y\), 1 \(Cb\) or 2 \(Cr\), got 3"):
        image.component_size_px(3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("decoder", ["native", "pixels"])
def test_orientation_is_told_and_not_applied(orientation, decoder, make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = fl.read_dct(make_jpeg(16, 40, exif=exif.tobytes()), decoder=decoder)
    assert image.orientation == orientation
    assert image.size_px == (16, 40)


def test_an_image_cannot_be_changed(image):
    with pytest.raises(AttributeError, match="immutable"):
        image.plan = image.plan.hflip()
    with pytest.raises(AttributeError, match="immutable"):
        image.something = 1
    with pytest.raises(AttributeError, match="immutable"):
        del image._plan
    for array in (*image.planes, *image.quant_tables):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_with_plan_shares_the_planes(image):
    flipped = image.with_plan(image.plan.hflip())
    assert flipped.plan == Plan.identity((45, 67)).hflip()
    assert image.plan.is_identity
    assert flipped.planes[0] is image.planes[0]
    assert repr(flipped).endswith("pending: flip left-right)")
    with pytest.raises(TypeError, match="expected a Plan, got str"):
        image.with_plan("flip")
    with pytest.raises(ValueError, match=r"\(45, 67\), got one for \(67, 45\)"):
        image.with_plan(Plan.identity((67, 45)))


@pytest.mark.parametrize("decoder", ["native", "pixels"])
@pytest.mark.parametrize("decoded", [False, True], ids=["lazy", "decoded"])
@pytest.mark.parametrize("again", [lambda image: pickle.loads(pickle.dumps(image)), copy.deepcopy, copy.copy])
def test_pickles_and_copies(decoder, decoded, again, jpeg):
    image = fl.read_dct(jpeg, decoder=decoder)
    image = image.with_plan(image.plan.crop(top=1, left=2, height=8, width=16))
    if decoded:
        _ = image.planes
    twin = again(image)
    assert (twin.plan, twin.source, twin.sampling, repr(twin)) == (
        image.plan,
        image.source,
        image.sampling,
        repr(image),
    )
    for ours, theirs in zip(twin.planes, image.planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not ours.flags.writeable


def test_a_pickle_holds_the_file_and_not_its_planes(image, jpeg):
    _ = image.planes
    assert len(pickle.dumps(image)) < len(jpeg) + 1500 < image.nbytes


def test_a_pickled_lenient_image_stays_lenient(jpeg):
    image = fl.read_dct(jpeg[:-60], strict=False)
    twin = pickle.loads(pickle.dumps(image))
    assert not twin.complete
    assert twin.warnings == image.warnings


def test_many_threads_decode_once(jpeg, monkeypatch):
    calls = []
    decode = decoders.decode
    start = threading.Barrier(8)

    def counted(file):
        calls.append(threading.get_ident())
        return decode(file)

    monkeypatch.setattr(decoders, "decode", counted)
    image = fl.read_dct(jpeg)
    seen = []

    def look():
        start.wait()
        seen.append(image.planes)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(seen) == 8
    assert all(planes is seen[0] for planes in seen)


def test_rgb_coefficients_become_ycbcr(photo_like):
    file = io.BytesIO()
    Image.fromarray(photo_like(40, 56)).save(file, "JPEG", quality=90, keep_rgb=True)
    image = fl.read_dct(file.getvalue())
    assert (image.source, image.color_space) == ("native", "RGB")
    red, green, blue = (
        plane.astype(float) * table for plane, table in zip(image.planes, image.quant_tables, strict=True)
    )
    y, cb, cr = image.dequantised()
    # JFIF's own four digits are rounded; five more make the comparison as sharp as float32.
    np.testing.assert_allclose(y, 0.299 * red + 0.587 * green + 0.114 * blue, atol=2e-3)
    np.testing.assert_allclose(cb, (blue - (0.299 * red + 0.587 * green + 0.114 * blue)) / 1.772, atol=2e-3)
    np.testing.assert_allclose(cr, (red - (0.299 * red + 0.587 * green + 0.114 * blue)) / 1.402, atol=2e-3)
    assert np.abs(image.to_rgb() - pillow_rgb(file.getvalue())).max() <= 1


@pytest.mark.parametrize("sampling", NAMED_SAMPLINGS)
@pytest.mark.parametrize("kind", ["photo", "noise"])
def test_to_rgb_is_libjpeg_s_picture(sampling, kind, make_jpeg):
    rng = np.random.default_rng(5)
    for height, width in [(1, 1), (2, 5), (5, 2), (3, 3), (16, 16), (17, 33), (1, 40), (100, 5), (61, 83)]:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8) if kind == "noise" else None
        data = make_jpeg(height, width, sampling=sampling, quality=int(rng.integers(30, 100)), pixels=pixels)
        rgb = fl.read_dct(data).to_rgb()
        assert (rgb.shape, rgb.dtype) == ((height, width, 3), np.uint8)
        difference = np.abs(rgb - pillow_rgb(data))
        assert difference.max() <= LEVELS, (height, width)
        assert difference.mean() < 1


def test_to_rgb_of_photos(photos):
    files = sorted((photos / "imagenet-sample").glob("*.JPEG"))[::40]
    assert files
    for file in files:
        difference = np.abs(fl.read_dct(file).to_rgb() - pillow_rgb(file.read_bytes()))
        assert difference.max() <= LEVELS
        assert difference.mean() < 0.5


def test_to_rgb_after_a_plan_is_the_cropped_picture(make_jpeg):
    data = make_jpeg(64, 80, sampling="4:4:4", quality=95)
    image = fl.read_dct(data)
    planned = image.with_plan(image.plan.crop(top=5, left=11, height=40, width=48).hflip())
    expected = pillow_rgb(data)[5:45, 11:59][:, ::-1]
    difference = np.abs(planned.to_rgb() - expected)
    assert difference.max() <= LEVELS


@pytest.mark.parametrize("orientation", range(1, 9))
def test_to_rgb_after_a_plan_of_any_size(orientation, make_jpeg):
    # 4:4:4: no chroma to bring to size, which at a crop's border is done otherwise.
    data = make_jpeg(45, 67, sampling="4:4:4", quality=95)
    image = fl.read_dct(data)
    plan = image.plan.orient(orientation).crop(top=3, left=5, height=29, width=31)
    exif = Image.Exif()
    exif[0x0112] = orientation
    saved = io.BytesIO()
    Image.fromarray(pillow_rgb(data).astype(np.uint8)).save(saved, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(saved)), int)[3:32, 5:36]
    assert np.abs(image.with_plan(plan).to_rgb() - expected).max() <= LEVELS


def test_to_rgb_of_padding_is_the_fill(make_jpeg):
    image = fl.read_dct(make_jpeg(16, 16))
    plan = image.plan.crop(top=0, left=0, height=19, width=17, fill=(255, 0, 0))
    rgb = image.with_plan(plan).to_rgb()
    assert rgb.shape == (19, 17, 3)
    assert np.unique(rgb[17:].reshape(-1, 3), axis=0).tolist() == [[254, 0, 0]]  # red is beyond Cr's range, clamped


class TestFromPlanes:
    def test_it_is_what_it_was_given(self, photo_like):
        gray = photo_like(16, 24)[..., 1]
        planes = [blocks(gray.astype(float) - 128).astype(np.float32)]
        image = fl.DCTImage.from_planes(planes, size_px=(13, 22))
        assert (image.source, image.color_space, image.jpeg, image.info) == ("planes", "gray", None, None)
        assert image.nbytes == planes[0].nbytes
        np.testing.assert_array_equal(image.to_rgb()[..., 0], gray[:13, :22])
        assert repr(image) == "DCTImage(22x13 px, gray, planes)"

    def test_of_a_file_s_planes_is_the_file(self, jpeg, image):
        twin = fl.DCTImage.from_planes(
            image.planes, image.quant_tables, size_px=image.size_px, sampling=image.sampling, orientation=3
        )
        np.testing.assert_array_equal(twin.to_rgb(), image.to_rgb())
        assert twin.orientation == 3

    def test_it_copies(self):
        plane = np.zeros((1, 1, 8, 8), np.int16)
        image = fl.DCTImage.from_planes([plane], size_px=(8, 8))
        plane[:] = 7
        assert not image.planes[0].any()

    PLANE = np.zeros((1, 2, 8, 8), np.int16)

    @pytest.mark.parametrize(
        ("planes", "options", "error", "match"),
        [
            ([], {}, ValueError, "1 to 4 planes, got 0"),
            ([PLANE.astype(np.int32)], {}, TypeError, "plane 0 as int16 .* or float32, got int32"),
            ([PLANE[0]], {}, ValueError, r"plane 0 of shape \(1, 2, 8, 8\).*got \(2, 8, 8\)"),
            ([PLANE], {"size_px": (9, 16)}, ValueError, r"of shape \(2, 2, 8, 8\)"),
            ([PLANE] * 3, {"sampling": [(2, 1), (1, 1), (1, 1)]}, ValueError, r"plane 1 of shape \(1, 1, 8, 8\)"),
            ([PLANE], {"size_px": (0, 16)}, ValueError, "size_px"),
            ([PLANE], {"size_px": (8.5, 16)}, TypeError, "float"),
            ([PLANE.tolist()], {}, TypeError, "plane 0 as int16 .* or float32, got int64"),
            ([PLANE], {"sampling": [(5, 1)]}, ValueError, "each 1 to 4"),
            ([PLANE], {"sampling": [(1, 1)] * 2}, ValueError, "1 pair"),
            ([PLANE], {"color_space": "YCbCr"}, ValueError, "1 plane.*gray.*got 'YCbCr'"),
            ([PLANE] * 3, {"color_space": "HSV"}, ValueError, "'HSV', which is not one at all"),
            ([PLANE], {"orientation": 9}, ValueError, "orientation of 1 to 8, got 9"),
            ([PLANE], {"quant_tables": []}, ValueError, "one quantisation table per plane, got 0"),
            ([PLANE], {"quant_tables": [np.zeros((8, 8), int)]}, ValueError, "entries 1 to 65535"),
            ([PLANE], {"quant_tables": [np.full((8, 8), 65536)]}, ValueError, "entries 1 to 65535"),
            ([PLANE], {"quant_tables": [np.ones((8, 8))]}, TypeError, "of integers, got float64"),
            ([PLANE], {"quant_tables": [np.ones(64, int)]}, ValueError, r"got shape \(64,\)"),
            ([np.full((1, 2, 8, 8), np.nan, np.float32)], {}, ValueError, "NaN"),
        ],
        ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
    )
    def test_refusals(self, planes, options, error, match):
        with pytest.raises(error, match=match):
            fl.DCTImage.from_planes(planes, **{"size_px": (8, 16), **options})
