"""DCTImage.keep_visible: an evaluation makes the same tensor of what is left, to the bit, and no more is left."""

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jpeg_builder import NAMED_SAMPLINGS
from operator_checks import make_image
from PIL import Image

import freqlearn as fl
from freqlearn import presets
from freqlearn.bands import band
from freqlearn.operator import axes, planes_of

ASSETS = Path(__file__).parents[1] / "assets"
SAMPLINGS = NAMED_SAMPLINGS | {"3:2": ((3, 3), (2, 2), (1, 2)), "chroma finer": ((1, 1), (2, 2), (2, 1))}
DCT_24 = fl.ChannelSet.square(24)
SIDES = st.integers(1, 90)


def spec_of(channels, size_px, resize_px):
    return fl.InputSpec.unstandardised(fl.ChannelSet.of(channels), size_px, resize_px)


def assert_same_to_the_bit(spec, before, after, **options):
    evaluate = presets.classification_eval(spec, **options)
    want, got = (evaluate(picture).numpy() for picture in (before, after))
    np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))


def written(img):
    return img if img.planes[0].dtype == np.float32 else fl.write_jpeg(img, metadata="orientation")


def places_of(plane):
    """Of a (rows, cols, 8, 8) plane, the coefficients (v, u) that are not zero everywhere."""
    return set(zip(*np.nonzero(plane.any(axis=(0, 1))), strict=True))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size_px=st.tuples(SIDES, SIDES),
    sampling=st.sampled_from([*sorted(SAMPLINGS), "RGB"]),
    channels=st.lists(st.integers(0, 191), min_size=1, max_size=30, unique=True),
    blocks=st.integers(1, 8),
    larger=st.integers(0, 30),
    tolerance=st.sampled_from([0.0, 0.0, 1e-6, 0.3, 2.0, 30.0, 1e9]),
    whole_picture=st.booleans(),
    exif_orientation=st.booleans(),
    orientation=st.integers(1, 8),
    quantised=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_evaluation_sees_the_same(
    size_px,
    sampling,
    channels,
    blocks,
    larger,
    tolerance,
    whole_picture,
    exif_orientation,
    orientation,
    quantised,
    seed,
):
    spec = spec_of(channels, 8 * blocks, 8 * blocks + larger)
    drawn = make_image(size_px, SAMPLINGS.get(sampling, SAMPLINGS["4:4:4"]), seed=seed, quantised=quantised)
    img = fl.DCTImage.from_planes(
        drawn.planes,
        drawn.quant_tables,
        size_px=size_px,
        sampling=drawn.sampling,
        orientation=orientation,
        color_space="RGB" if sampling == "RGB" else None,
    )
    kept = img.keep_visible(spec, tolerance=tolerance, whole_picture=whole_picture, exif_orientation=exif_orientation)
    options = {"tolerance": tolerance, "exif_orientation": exif_orientation}
    assert_same_to_the_bit(spec, img, kept, **options)
    assert_same_to_the_bit(spec, written(img), written(kept), **options)
    for ours, theirs in zip(kept.planes, img.planes, strict=True):
        np.testing.assert_array_equal(ours, np.where(ours == 0, 0, theirs))


def files():
    names = []
    for path in sorted(ASSETS.glob("*.jpg")):
        try:
            if fl.read_info(path).color_space in ("gray", "YCbCr", "RGB"):
                names.append(path.name)
        except fl.UnsupportedJpegError:
            continue
    return names


@pytest.mark.parametrize("name", files())
def test_files_of_all_kinds(name):
    jpeg = (ASSETS / name).read_bytes()
    height, width = fl.read_info(jpeg).size_px
    for spec in (spec_of(DCT_24, 32, 40), spec_of(range(192), 8, min(height, width)), spec_of([0], 64, 72)):
        for tolerance in (0.0, 1.0):
            kept = fl.read_dct(jpeg).keep_visible(spec, tolerance=tolerance)
            assert_same_to_the_bit(spec, jpeg, kept, tolerance=tolerance)
            assert_same_to_the_bit(spec, jpeg, fl.write_jpeg(kept), tolerance=tolerance)


@pytest.mark.parametrize("tolerance", [0.0, 2.0, 10.0])
def test_photos(tolerance, photos):
    spec = fl.InputSpec.preset("dctnet-resnet50-24")
    sizes = [0, 0]
    for path in sorted((photos / "imagenet-sample").glob("*.JPEG"))[::60]:
        img = fl.read_dct(path)
        if img.source != "native":
            continue
        data = fl.write_jpeg(img.keep_visible(spec, tolerance=tolerance))
        assert_same_to_the_bit(spec, path, data, tolerance=tolerance)
        assert Image.open(io.BytesIO(data)).convert("RGB").size == img.size_px[::-1]
        sizes[0] += len(data)
        sizes[1] += len(fl.write_jpeg(img))
    assert sizes[0] < 0.9 * sizes[1]


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0", "gray"])
@pytest.mark.parametrize(("size_px", "resize_px"), [((150, 210), 40), ((150, 210), 64), ((31, 40), 72)], ids=str)
def test_what_goes_is_what_the_readable_operator_gives_no_weight_above_the_tolerance(size_px, resize_px, sampling):
    drawn = make_image(size_px, SAMPLINGS[sampling], seed=1)
    ones = [np.ones_like(plane) for plane in drawn.planes]
    img = fl.DCTImage.from_planes(ones, drawn.quant_tables, size_px=size_px, sampling=drawn.sampling)
    spec = spec_of(DCT_24, 32, resize_px)
    for tolerance in (0.5, 3.0, 20.0):
        kept = img.keep_visible(spec, tolerance=tolerance)
        assert_same_to_the_bit(spec, img, kept, tolerance=tolerance)
        for component, influence in enumerate(weights_of(img, spec, lambda at: at.sum(axis=2))):
            np.testing.assert_array_equal(
                [(v, u) in places_of(kept.planes[component]) for v in range(8) for u in range(8)],
                [v + u == 0 or influence[v, u] >= tolerance for v in range(8) for u in range(8)],
            )


def weights_of(img, spec, over_blocks):
    """(8, 8) of each plane: the most that one quantisation step changes a value, in one block (max) or in all (sum)."""
    height, width = (int(spec.resize_px * side / min(img.size_px)) for side in img.size_px)
    top, left = (round((side - spec.size_px) / 2) for side in (height, width))
    plan = img.plan.resize(height, width).crop(top=top, left=left, height=spec.size_px, width=spec.size_px)
    for component, plane in enumerate(planes_of(img)[: len(img.planes)]):
        places = [divmod(place, 8) for place in spec.channels.component(component)]
        sides = []
        for axis, frequencies in zip(axes(plane, plan.geometry), zip(*places, strict=True), strict=True):
            weights = np.abs(band(axis, tuple(sorted(set(frequencies))), dtype="float64").weights)
            sides.append(over_blocks(weights.reshape(*weights.shape[:2], -1, 8)).max(axis=(0, 1)))
        yield np.outer(*sides) * img.quant_tables[component]


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_blocks_at_the_edge_of_what_is_kept_count(sampling):
    img = make_image((200, 300), SAMPLINGS[sampling], seed=2)
    spec = spec_of(range(192), 32, 48)
    evaluate = presets.classification_eval(spec)
    whole = evaluate(img).numpy()
    for component, plane in enumerate(img.keep_visible(spec).planes):
        rows, cols = (np.flatnonzero(plane.any(axis=axes)) for axes in ((1, 2, 3), (0, 2, 3)))
        assert 0 < rows[0] <= rows[-1] < plane.shape[0] - 1
        assert 0 < cols[0] <= cols[-1] < plane.shape[1] - 1
        for edge in (np.s_[rows[0]], np.s_[rows[-1]], np.s_[:, cols[0]], np.s_[:, cols[-1]]):
            planes = [p.copy() for p in img.planes]
            planes[component][edge][..., 0, 0] += 100
            changed = fl.DCTImage.from_planes(planes, img.quant_tables, size_px=img.size_px, sampling=img.sampling)
            assert (evaluate(changed).numpy() != whole).any()


@pytest.mark.parametrize("sampling", ["4:4:4", "gray"])
def test_without_a_resize_the_files_channels_are_the_models(sampling):
    img = make_image((64, 96), SAMPLINGS[sampling])
    spec = spec_of(DCT_24, 32, None)
    for theirs, ours, inside in zip(
        img.keep(DCT_24).planes,
        img.keep_visible(spec, whole_picture=True).planes,
        img.keep_visible(spec).planes,
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
        crop = np.s_[2:6, 4:8]
        np.testing.assert_array_equal(inside[crop], theirs[crop])
        assert np.count_nonzero(inside) == np.count_nonzero(inside[crop])


def test_components_that_the_model_does_not_take_go():
    img = make_image((64, 96), SAMPLINGS["4:2:0"])
    kept = img.keep_visible(spec_of([0, 1, 128], 32, 40), whole_picture=True)
    assert [bool(plane.any()) for plane in kept.planes] == [True, False, True]


def test_a_tolerance_that_allows_everything_leaves_the_dc():
    img = make_image((64, 96), SAMPLINGS["4:2:0"])
    kept = img.keep_visible(spec_of(range(192), 32, 40), tolerance=1e300, whole_picture=True)
    for ours, theirs in zip(kept.planes, img.keep([0, 64, 128]).planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_spec_that_sees_everything_costs_no_copy():
    img = make_image((64, 64), SAMPLINGS["4:2:0"])
    kept = img.keep_visible(spec_of(range(192), 48, 48))
    for ours, theirs in zip(kept.planes, img.planes, strict=True):
        assert ours is theirs


def test_all_else_stays(make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = make_jpeg(60, 80, exif=exif.tobytes())
    img = fl.read_dct(jpeg)
    img = img.with_plan(img.plan.hflip())
    before = [plane.copy() for plane in img.planes]
    kept = img.keep_visible(spec_of(DCT_24, 32, 40), tolerance=1.0)
    assert (kept.size_px, kept.sampling, kept.color_space, kept.orientation, kept.plan, kept.source) == (
        img.size_px,
        img.sampling,
        img.color_space,
        6,
        img.plan,
        "planes",
    )
    for again in (kept, pickle.loads(pickle.dumps(kept))):
        assert again.original_jpeg == jpeg
    for now, then, ours in zip(img.planes, before, kept.planes, strict=True):
        np.testing.assert_array_equal(now, then)
        assert not ours.flags.writeable
    for ours, theirs in zip(kept.quant_tables, img.quant_tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_damage_stays_told(make_jpeg):
    jpeg = make_jpeg(60, 80)[:-200]
    spec = spec_of(DCT_24, 32, 40)
    kept = fl.read_dct(jpeg, strict=False).keep_visible(spec)
    assert not kept.complete
    assert kept.warnings == fl.read_dct(jpeg, strict=False).warnings
    with pytest.raises(fl.TruncatedJpegError):
        fl.read_dct(jpeg).keep_visible(spec)


def test_cmyk_is_taken_as_pixels_or_refused(photo_like, tmp_path):
    path = tmp_path / "cmyk.jpg"
    Image.fromarray(photo_like(60, 80)).convert("CMYK").save(path)
    spec = spec_of(DCT_24, 32, 40)
    img = fl.read_dct(path)
    assert_same_to_the_bit(spec, path, img.keep_visible(spec, tolerance=1.0), tolerance=1.0)
    with pytest.raises(ValueError, match=r"cmyk\.jpg: expected gray, YCbCr or equally sampled RGB planes, got CMYK"):
        fl.read_dct(path, decoder="native").keep_visible(spec)


def test_too_small_a_picture_where_nothing_resizes_it(make_jpeg, tmp_path):
    path = tmp_path / "small.jpg"
    path.write_bytes(make_jpeg(31, 80))
    with pytest.raises(ValueError, match=r"small\.jpg: expected at least 32x32 px .* got 31x80"):
        fl.read_dct(path).keep_visible(spec_of(DCT_24, 32, None))


@pytest.mark.parametrize(
    ("spec", "options", "error", "match"),
    [
        (DCT_24, {}, TypeError, "expected an InputSpec, got ChannelSet"),
        (fl.InputSpec.preset("imagenet-rgb"), {}, ValueError, "kind \"dct\".*got kind 'rgb'"),
        (spec_of(DCT_24, 32, 40), {"tolerance": -1.0}, ValueError, "tolerance of 0 or more, got -1.0"),
        (spec_of(DCT_24, 32, 40), {"tolerance": float("nan")}, ValueError, "finite tolerance"),
        (spec_of(DCT_24, 32, 40), {"negligible": -1}, ValueError, "finite negligible of 0 or more, got -1"),
        (spec_of(DCT_24, 32, 40), {"tolerance": "1"}, TypeError, "tolerance as a number, got '1'"),
    ],
    ids=["a channel set", "rgb", "negative", "nan", "negative negligible", "text"],
)
def test_bad_arguments(spec, options, error, match):
    with pytest.raises(error, match=match):
        make_image((64, 96), SAMPLINGS["4:2:0"]).keep_visible(spec, **options)


@pytest.mark.parametrize("resize_px", [40, 64, 130])
@pytest.mark.parametrize(
    ("sampling", "quantised"), [("4:4:4", True), ("4:2:0", True), ("4:2:0", False), ("gray", True)], ids=str
)
def test_negligible_is_what_alone_changes_no_value_by_as_much(sampling, quantised, resize_px):
    img = make_image((100, 130), SAMPLINGS[sampling], seed=4, quantised=quantised)
    spec = spec_of(DCT_24, 32, resize_px)
    everything = img.keep_visible(spec)
    for negligible in (1.0, 8.0):
        kept = img.keep_visible(spec, negligible=negligible)
        for component, weights in enumerate(weights_of(img, spec, lambda at: at.max(axis=2))):
            ours, theirs = kept.planes[component], everything.planes[component]
            goes = np.abs(theirs * weights) < negligible
            goes[..., 0, 0] = False
            np.testing.assert_array_equal(ours, np.where(goes, 0, theirs))
            assert goes[..., 1:, 1:].any()


def test_one_negligible_coefficient_changes_less_than_it_says():
    spec = spec_of(DCT_24, 32, 48)
    img = make_image((100, 130), SAMPLINGS["4:2:0"], seed=5)
    evaluate = presets.classification_eval(spec)
    whole, everything, kept = evaluate(img).numpy(), img.keep_visible(spec), img.keep_visible(spec, negligible=4.0)
    rng = np.random.default_rng(0)
    for component in range(3):
        gone = np.argwhere((kept.planes[component] == 0) & (everything.planes[component] != 0))
        for place in gone[rng.integers(0, len(gone), 20)]:
            planes = [p.copy() for p in img.planes]
            planes[component][tuple(place)] = 0
            one = fl.DCTImage.from_planes(planes, img.quant_tables, size_px=img.size_px, sampling=img.sampling)
            assert 0 < np.abs(evaluate(one).numpy() - whole).max() < 4.0 + 1e-3  # of float32


def test_from_many_threads_at_once():
    images = [make_image((64 + 8 * i, 96), SAMPLINGS["4:2:0"], seed=i) for i in range(24)]
    spec = spec_of(DCT_24, 32, 48)
    alone = [img.keep_visible(spec, tolerance=2.0) for img in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda img: img.keep_visible(spec, tolerance=2.0), images * 4))
    for ours, theirs in zip(together, alone * 4, strict=True):
        for one, other in zip(ours.planes, theirs.planes, strict=True):
            np.testing.assert_array_equal(one, other)
