"""DCTImage.keep: the named channels untouched, the others zero, all else as it was."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

import freqlearn as fl
from freqlearn.writing import write_jpeg

CHANNELS = {
    "DCT-24": fl.ChannelSet.square(24),
    "Y": range(64),
    "one of Cr": [191],
    "all": fl.ChannelSet.all(),
}


@pytest.fixture(scope="module")
def jpeg(make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = 6
    return make_jpeg(45, 67, seed=3, quality=95, exif=exif.tobytes())


@pytest.mark.parametrize("decoder", ["native", "pixels"])
@pytest.mark.parametrize("name", CHANNELS)
def test_named_channels_stay_and_the_others_are_zero(name, decoder, jpeg, read_planes):
    image = fl.read_dct(jpeg, decoder=decoder)
    kept = image.keep(CHANNELS[name])
    planes = read_planes(jpeg)[0] if decoder == "native" else image.planes
    for component, (ours, theirs) in enumerate(zip(kept.planes, planes, strict=True)):
        wanted = {channel % 64 for channel in CHANNELS[name] if channel // 64 == component}
        for place in range(64):
            v, u = divmod(place, 8)
            np.testing.assert_array_equal(ours[..., v, u], theirs[..., v, u] if place in wanted else 0)
        assert ours.dtype == theirs.dtype
        assert not ours.flags.writeable
    for ours, theirs in zip(kept.quant_tables, image.quant_tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_all_else_stays(jpeg):
    image = fl.read_dct(jpeg)
    image = image.with_plan(image.plan.hflip())
    before = [plane.copy() for plane in image.planes]
    kept = image.keep([0])
    assert (kept.size_px, kept.sampling, kept.color_space, kept.orientation, kept.plan, kept.path) == (
        image.size_px,
        image.sampling,
        image.color_space,
        6,
        image.plan,
        image.path,
    )
    assert kept.source == "planes"
    assert kept.complete
    for now, then in zip(image.planes, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_keeping_twice_keeps_what_both_have(jpeg):
    image = fl.read_dct(jpeg)
    a, b = fl.ChannelSet.zigzag(20, 4, 1), fl.ChannelSet.square(24)
    for twice, once in zip(image.keep(a).keep(b).planes, image.keep(a & b).planes, strict=True):
        np.testing.assert_array_equal(twice, once)


def test_the_file_stays_known_for_its_metadata(jpeg):
    image = fl.read_dct(jpeg)
    kept = image.keep([0, 1]).keep([0])
    assert kept.jpeg is None  # that would be a file of other coefficients
    for again in (kept, pickle.loads(pickle.dumps(kept))):
        assert again.original_jpeg == jpeg
    planes = fl.DCTImage.from_planes(image.planes, size_px=(45, 67), sampling=image.sampling)
    assert planes.keep([0]).original_jpeg is None
    assert fl.read_dct(jpeg, decoder="pixels").keep([0]).original_jpeg is None


def test_a_file_of_what_is_kept(make_jpeg, read_planes):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 8, "a camera"
    jpeg = make_jpeg(45, 67, quality=90, exif=exif.tobytes())
    kept = fl.read_dct(jpeg).keep(fl.ChannelSet.square(24))
    written = write_jpeg(kept)
    for theirs, ours in zip(read_planes(written)[0], kept.planes, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    assert dict(Image.open(io.BytesIO(written)).getexif()) == {0x0112: 8, 0x010F: "a camera"}
    assert len(written) < len(jpeg)


def test_gray_has_the_channels_of_y(make_jpeg):
    image = fl.read_dct(make_jpeg(20, 20, sampling="gray"))
    (plane,) = image.keep([0, 9, 64]).planes
    np.testing.assert_array_equal(plane[..., 1, 1], image.planes[0][..., 1, 1])
    assert np.count_nonzero(plane.any(axis=(0, 1))) == 2
    assert not image.keep([64]).planes[0].any()


def test_the_picture_is_the_low_pass_one(make_jpeg):
    image = fl.read_dct(make_jpeg(16, 16, quality=95, sampling="4:4:4"))
    flat = image.keep([0, 64, 128]).to_rgb()
    for corner in (np.s_[:8, :8], np.s_[8:, :8]):
        assert (flat[corner] == flat[corner][0, 0]).all()
        means = image.to_rgb()[corner].mean(axis=(0, 1))
        # One rounding, and what clamping to 0..255 changed in the pixels that the means are of.
        assert np.abs(flat[corner][0, 0] - means).max() <= 1


def test_damage_stays_told(jpeg):
    image = fl.read_dct(jpeg[:-200], strict=False)
    kept = image.keep([0])
    assert not kept.complete
    assert kept.warnings == image.warnings
    with pytest.raises(fl.TruncatedJpegError):
        fl.read_dct(jpeg[:-200]).keep([0])


def test_planes_that_are_not_y_cb_cr_are_refused(photo_like):
    file = io.BytesIO()
    Image.fromarray(photo_like(16, 16)).convert("CMYK").save(file, "JPEG")
    planes = [np.zeros((2, 2, 8, 8), np.int16)] * 3
    rgb = fl.DCTImage.from_planes(planes, size_px=(16, 16), color_space="RGB")
    with pytest.raises(ValueError, match=r"expected gray or YCbCr planes, .* got RGB"):
        rgb.keep([0])
    with pytest.raises(ValueError, match="got CMYK"):
        fl.read_dct(file.getvalue(), decoder="native").keep([0])


@pytest.mark.parametrize(
    ("channels", "error", "match"),
    [
        ([], ValueError, "at least one channel"),
        ([192], ValueError, r"in 0\.\.191"),
        ([1, 1], ValueError, "more than once"),
        ([0.5], TypeError, "as an integer"),
        ("24", TypeError, "got the text '24'"),
    ],
    ids=str,
)
def test_bad_channels_are_refused_before_decoding(channels, error, match, jpeg):
    image = fl.read_dct(jpeg)
    with pytest.raises(error, match=match):
        image.keep(channels)
    assert not image.is_decoded
