"""Repacking: what evaluation sees of a packed picture and of its photo differs by the rounding of numbers alone."""

import io

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jpeg_builder import NAMED_SAMPLINGS
from operator_checks import make_image
from PIL import Image
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn.quality import quality_tables
from freqlearn.repacking import Repacking, check_sizes, file_channels

SIZE, RESIZED = 64, 96
DCT_24 = fl.ChannelSet.square(24)
# Sums of some dozen float32 values of up to 1024.
FLOAT32 = 5e-3


def written(img):
    return fl.write_jpeg(img, metadata="orientation")


def steps_of(repacking, channels):
    return np.stack(repacking.quant_tables).reshape(-1)[list(channels)].astype(np.float64)[:, None, None]


def assert_seen_alike(photo, repacking, *, channels=None, **options):
    """Evaluation of the photo and of its packed file, by half a quantisation step; not by much less."""
    chosen = fl.ChannelSet.of(channels or repacking.channels)
    spec = fl.InputSpec.unstandardised(chosen, repacking.crop_px, repacking.short_side_px)
    evaluate = fl.presets.classification_eval(spec, **options)
    img = fl.read_dct(photo)
    jpeg = written(repacking(img))
    want, got = (evaluate(source).numpy().astype(np.float64) for source in (photo, jpeg))
    steps = steps_of(repacking, chosen)
    assert (np.abs(got - want) <= steps / 2 + FLOAT32).all()
    on_the_grid = got / steps
    np.testing.assert_allclose(on_the_grid, np.rint(on_the_grid), atol=1e-4)
    return fl.read_dct(jpeg, decoder="native")


@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize(
    ("height", "width", "sampling"),
    [
        (151, 117, "4:2:0"),
        (117, 152, "4:4:4"),
        (96, 96, "4:2:2"),
        (301, 113, "4:1:1"),
        (64, 131, "4:2:0"),
        (23, 17, "4:2:0"),
        (5, 3, "4:4:4"),
        (130, 99, "gray"),
        (8, 400, "4:2:0"),
    ],
    ids=str,
)
def test_evaluation_sees_the_photo_but_for_rounding(make_jpeg, height, width, sampling, quality):
    photo = make_jpeg(height, width, sampling=sampling, seed=height)
    packed = assert_seen_alike(photo, Repacking(RESIZED, SIZE, quality=quality))
    assert min(packed.size_px) == RESIZED
    assert (packed.size_px[0] > packed.size_px[1]) is (height > width)
    assert all((side - SIZE) % 16 == 0 for side in packed.size_px)
    long_side = int(RESIZED * max(height, width) / min(height, width))
    assert long_side - 15 <= max(packed.size_px) <= long_side
    assert packed.color_space == ("gray" if sampling == "gray" else "YCbCr")
    assert set(packed.sampling) == {(1, 1)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size_px=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    sampling=st.sampled_from(sorted(NAMED_SAMPLINGS)),
    channels=st.lists(st.integers(0, 191), min_size=1, max_size=30, unique=True),
    blocks=st.integers(1, 8),
    margin=st.integers(0, 4),
    quality=st.integers(1, 100),
    quantised=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture(size_px, sampling, channels, blocks, margin, quality, quantised, seed):
    crop_px = 8 * blocks
    repacking = Repacking(crop_px + 16 * margin, crop_px, channels=channels, quality=quality)
    photo = make_image(size_px, NAMED_SAMPLINGS[sampling], quantised=quantised, seed=seed)
    evaluate = fl.presets.classification_eval(
        fl.InputSpec.unstandardised(repacking.channels, crop_px, repacking.short_side_px)
    )
    packed = repacking(photo)
    want, got = (evaluate(picture).numpy().astype(np.float64) for picture in (photo, packed))
    assert (np.abs(got - want) <= steps_of(repacking, channels) / 2 + FLOAT32).all()
    for plane, mask in zip(packed.planes, repacking.channels.mask().reshape(3, 8, 8), strict=False):
        assert not plane.any(axis=(0, 1))[~mask].any()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(("height", "width"), [(120, 162), (161, 120)])
def test_exif_orientation_stays(make_jpeg, orientation, height, width):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = make_jpeg(height, width, exif=exif.tobytes(), seed=3)
    packed = assert_seen_alike(photo, Repacking(RESIZED, SIZE))
    assert packed.orientation == orientation
    assert (packed.size_px[0] > packed.size_px[1]) is (height > width)
    if height == 161:  # an even margin, which mirroring does not change
        symmetric = [np.full((8, 8), 8)] * 3  # as transposed pictures have them
        assert_seen_alike(photo, Repacking(RESIZED, SIZE, quant_tables=symmetric), exif_orientation=True)


def test_photos(photos):
    repacking = Repacking(512, 448, channels=DCT_24, quality=75)
    files = [
        *sorted((photos / "imagenet-sample").rglob("*.JPEG"))[::80],
        *sorted((photos / "flowers").rglob("*.jpg"))[::500],
    ]
    assert len(files) > 5
    for file in files:
        assert min(assert_seen_alike(file.read_bytes(), repacking).size_px) == 512


def test_photos_turned_upright_first(make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = make_jpeg(120, 163, exif=exif.tobytes(), seed=3)
    repacking = Repacking(RESIZED, SIZE, quality=90)
    spec = fl.InputSpec.unstandardised(repacking.channels, SIZE, RESIZED)
    upright = fl.transforms.ExifOrient()(fl.read_dct(photo))
    packed = repacking(upright)
    assert packed.orientation == 1
    assert packed.size_px[0] > packed.size_px[1]
    want = fl.presets.classification_eval(spec, exif_orientation=True)(photo).numpy()
    got = fl.presets.classification_eval(spec, exif_orientation=True)(written(packed)).numpy()
    assert (np.abs(got - want) <= steps_of(repacking, repacking.channels) / 2 + FLOAT32).all()


@pytest.mark.parametrize("kind", ["png", "cmyk", "progressive"])
def test_photos_of_other_kinds(photo_like, make_jpeg, kind):
    if kind == "progressive":
        photo = make_jpeg(131, 150, progressive=True)
    else:
        file = io.BytesIO()
        img = Image.fromarray(photo_like(131, 150))
        img.convert("CMYK").save(file, "JPEG") if kind == "cmyk" else img.save(file, "PNG")
        photo = file.getvalue()
    assert_seen_alike(photo, Repacking(RESIZED, SIZE))


@pytest.mark.parametrize(("height", "width"), [(150, 219), (331, 150), (40, 77)], ids=str)
def test_pictures_are_those_of_torchvision(make_jpeg, height, width):
    """The whole picture, margins too, against Pillow's decode and torchvision's resize; at quality 100."""
    photo = make_jpeg(height, width, sampling="4:4:4", quality=95, seed=width)
    packed = Image.open(io.BytesIO(written(Repacking(RESIZED, SIZE, quality=100)(fl.read_dct(photo)))))
    pixels = v2.functional.pil_to_tensor(Image.open(io.BytesIO(photo)))
    resized = v2.functional.resize(pixels, [RESIZED], antialias=True)
    height, width = packed.size[::-1]
    # Where the centre crop begins (halves are rounded to even), less whole blocks.
    top, left = (
        round((side - SIZE) / 2.0) - (inner - SIZE) // 2
        for side, inner in zip(resized.shape[1:], (height, width), strict=True)
    )
    expected = resized[:, top : top + height, left : left + width]
    difference = (v2.functional.pil_to_tensor(packed).int() - expected.int()).abs()
    # Pillow clamps colours before the resize; a picture that is one pixel off differs by more than 10 on average.
    assert difference.max() <= 16
    assert difference.float().mean() < 0.8


def test_channels_that_are_not_wanted_are_zero_and_the_others_as_in_the_whole(make_jpeg):
    img = fl.read_dct(make_jpeg(131, 150))
    whole = Repacking(RESIZED, SIZE, quality=60)(img)
    some = Repacking(RESIZED, SIZE, quality=60, channels=DCT_24)(img)
    for one, other in zip(whole.keep(DCT_24).planes, some.planes, strict=True):
        np.testing.assert_array_equal(one, other)
    jpeg = fl.read_dct(written(some))
    for plane, mask in zip(jpeg.planes, DCT_24.mask().reshape(3, 8, 8), strict=True):
        assert not plane.any(axis=(0, 1))[~mask].any()
        assert plane.any(axis=(0, 1))[mask].all()
    assert len(written(some)) < len(written(whole))


def test_without_chroma_channels_files_are_gray(make_jpeg):
    packed = assert_seen_alike(make_jpeg(131, 150), Repacking(RESIZED, SIZE, channels=range(16)))
    assert packed.color_space == "gray"


def test_without_luma_channels_luma_is_flat(make_jpeg):
    packed = assert_seen_alike(make_jpeg(131, 150), Repacking(RESIZED, SIZE, channels=[64, 65, 128]))
    assert packed.color_space == "YCbCr"
    assert not packed.planes[0].any()


def test_given_tables_are_used(make_jpeg):
    tables = [np.full((8, 8), step) for step in (3, 7, 300)]
    packed = assert_seen_alike(make_jpeg(99, 150), Repacking(RESIZED, SIZE, quant_tables=tables))
    for table, expected in zip(packed.quant_tables, tables, strict=True):
        np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize("quality", [None, 1, 90])
def test_tables_are_those_of_the_quality(make_jpeg, quality):
    packed = Repacking(RESIZED, SIZE, quality=quality)(fl.read_dct(make_jpeg(99, 150)))
    luminance, chrominance = quality_tables(75 if quality is None else quality)
    for table, expected in zip(packed.quant_tables, (luminance, chrominance, chrominance), strict=True):
        np.testing.assert_array_equal(table, expected)


def test_halved_chroma(make_jpeg):
    img = fl.read_dct(make_jpeg(131, 150, sampling="4:4:4"))
    ones = [np.ones((8, 8), int)] * 3
    full, halved = (
        Repacking(RESIZED, SIZE, quant_tables=ones, sampling=sampling)(img) for sampling in ("4:4:4", "4:2:0")
    )
    assert halved.sampling == ((2, 2), (1, 1), (1, 1))
    assert fl.read_dct(written(halved)).info.describe()
    np.testing.assert_array_equal(full.planes[0], halved.planes[0])
    for component in (1, 2):
        samples = [_samples(picture.planes[component]) for picture in (full, halved)]
        small = v2.functional.resize(samples[0][None], [samples[1].shape[0]], antialias=True)[0]
        # Rounding to whole coefficients: half a unit each, of an orthonormal transform.
        assert (samples[1] - small).square().mean().sqrt() < 0.5


def _samples(plane):
    """(H, W) of a plane of quantisation steps 1, by torch's products alone."""
    k = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    basis[0] /= 2**0.5
    blocks = torch.from_numpy(plane.astype(np.float64))
    return torch.einsum("rcvu,vy,ux->rycx", blocks, basis, basis).reshape(8 * blocks.shape[0], 8 * blocks.shape[1])


def test_halved_chroma_of_some_channels_is_part_of_the_whole(make_jpeg):
    img = fl.read_dct(make_jpeg(131, 150))
    whole, some = (
        Repacking(RESIZED, SIZE, sampling="4:2:0", channels=channels)(img) for channels in (range(192), DCT_24)
    )
    carried = file_channels(DCT_24, "4:2:0")
    assert sorted(carried.component(1)) == [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]
    assert sorted(carried.component(0)) == sorted(DCT_24.component(0))
    for one, other in zip(whole.keep(carried).planes, some.planes, strict=True):
        np.testing.assert_array_equal(one, other)
    gray = Repacking(RESIZED, SIZE, sampling="4:2:0")(fl.read_dct(make_jpeg(131, 150, sampling="gray")))
    assert (gray.color_space, gray.sampling) == ("gray", ((1, 1),))


def test_channels_that_halved_chroma_does_not_have():
    assert file_channels(fl.ChannelSet.of([0, 64 + 8 * 4, 64]), "4:2:0").indices == (0, 64, 65, 72, 73)
    with pytest.raises(ValueError, match=r"v and u below 4, got Cb\(4,0\)"):
        file_channels(fl.ChannelSet.of([64 + 8 * 4]), "4:2:0")


def test_long_photos_keep_as_much_as_readers_take(make_jpeg):
    photo = make_jpeg(1, 9000, sampling="4:4:4")
    packed = assert_seen_alike(photo, Repacking(8, 8))
    assert packed.size_px == (8, 65496)
    assert Image.open(io.BytesIO(fl.write_jpeg(packed))).convert("RGB").size == (65496, 8)


@pytest.mark.parametrize(
    ("short_side_px", "crop_px", "sampling", "match"),
    [
        (65504, 64, "4:4:4", "short_side_px of at most 65500, .* got 65504"),
        (100, 64, "4:4:4", "short_side_px = crop_px [+] a multiple of 16, .* got 100 with crop_px 64; use 96"),
        (64, 96, "4:4:4", "got 64 with crop_px 96; use 96"),
        (96, 60, "4:4:4", "crop_px to be a positive multiple of 8 for 4:4:4, got 60"),
        (96, 0, "4:4:4", "positive multiple of 8 for 4:4:4, got 0"),
        (72, 56, "4:2:0", "multiple of 16 for 4:2:0, got 56"),
        (96, 64, "4:2:2", "one of 4:4:4, 4:2:0, got '4:2:2'"),
    ],
)
def test_sizes_that_do_not_fit(short_side_px, crop_px, sampling, match):
    with pytest.raises(ValueError, match=match):
        Repacking(short_side_px, crop_px, sampling=sampling)


def test_sizes_that_fit():
    check_sizes(512, 448)
    check_sizes(256, 224, "4:2:0")
    check_sizes(72, 56)
    check_sizes(448, 448)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"quality": 0}, "1..100, got 0"),
        ({"quality": 75, "quant_tables": [np.ones((8, 8), int)] * 3}, "got both"),
        ({"quant_tables": [np.ones((8, 8), int)]}, "one quantisation table per component, 3, got 1"),
        ({"channels": [192]}, "0..191"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(options, match):
    with pytest.raises(ValueError, match=match):
        Repacking(RESIZED, SIZE, **options)


def test_photos_that_cannot_be_packed(make_jpeg):
    repacking = Repacking(RESIZED, SIZE, quality=100)
    img = fl.read_dct(make_jpeg(131, 150))
    with pytest.raises(ValueError, match="already resized"):
        repacking(fl.transforms.Resize(70)(img))
    wild = np.zeros((12, 12, 8, 8), np.int16)
    wild[..., 0, 0] = 2048
    loud = fl.DCTImage.from_planes([wild], [np.full((8, 8), 2)], size_px=(96, 96))
    with pytest.raises(ValueError, match=r"coefficients of -2047 to 2047, .* got 0 to 4096: choose a lower"):
        repacking(loud)
