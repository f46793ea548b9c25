"""Detection's whole pipelines: the same boxes, masks and draws for frequency maps as for torchvision's RGB."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets
from freqlearn.reconstruction import to_ycbcr
from freqlearn.transforms.cleaning import CleanBoxes

ALL = fl.ChannelSet.all()
DCT = fl.InputSpec.preset("imagenet-448").select(fl.ChannelSet.square(24))
RGB = fl.InputSpec.preset("imagenet-rgb")
SIZE = (97, 140)
AUGMENTATIONS = {
    "flip": {},
    "several": {"min_size": [60, 71, 80]},
    "multiscale": {"augment": "multiscale"},
    "jitter": {"augment": "jitter"},
    "none": {"augment": "none"},
    "long side": {"min_size": 90, "max_size": 90},
    "upright": {"exif_orientation": True},
}


def target(count: int, size: tuple[int, int] = SIZE) -> dict[str, object]:
    """Boxes within the picture, the last one of them of no width."""
    rng = torch.Generator().manual_seed(count)
    low, high = torch.rand(2, count, 2, generator=rng).sort(dim=0).values * torch.tensor(size[::-1])
    boxes = torch.cat([low, high], dim=1)
    boxes[-1:, 2] = boxes[-1:, 0]
    return {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "masks": tv_tensors.Mask((torch.rand(count, *size, generator=rng) > 0.5).to(torch.uint8)),
        "labels": torch.arange(count),
        "area": torch.rand(count, generator=rng),
        "image_id": torch.tensor([17]),
        "image_size": size,
        "array": np.zeros(count),
    }


def both(jpeg: bytes, count: int, seed: int, **options):
    results = []
    for spec in (DCT, RGB):
        transform = presets.detection_train(spec, **({"min_size": 80, "max_size": 133} | options))
        torch.manual_seed(seed)
        results.append((*transform(jpeg, target(count)), torch.get_rng_state()))
    return results


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_frequency_maps_and_pixels_have_the_same_targets(name, make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = make_jpeg(*SIZE, exif=exif.tobytes())
    for seed in range(4):
        (maps, ours, state), (pixels, theirs, their_state) = both(jpeg, seed, seed, **AUGMENTATIONS[name])
        assert torch.equal(state, their_state)
        assert type(maps) is type(pixels) is torch.Tensor
        assert maps.dtype == pixels.dtype == torch.float32
        assert maps.shape == (24, *(-(-side // 4) for side in pixels.shape[1:]))
        assert ours["boxes"].canvas_size == theirs["boxes"].canvas_size == tuple(pixels.shape[1:])
        torch.testing.assert_close(ours["boxes"], theirs["boxes"], rtol=0, atol=1e-4)
        assert torch.equal(ours["masks"], theirs["masks"])
        assert ours["masks"].shape == (len(ours["boxes"]), *pixels.shape[1:])
        assert len(ours["boxes"]) <= max(0, seed - 1), "the one without a width is gone"
        for key in ("labels", "area"):
            assert torch.equal(ours[key], theirs[key])
            assert len(ours[key]) == len(ours["boxes"])
        assert ours["image_id"].tolist() == theirs["image_id"].tolist() == [17]
        assert (ours["image_size"], len(ours["array"])) == (SIZE, seed)


def test_rgb_is_torchvisions_own_pipeline(make_jpeg):
    jpeg = make_jpeg(*SIZE)
    steps = [v2.Resize(80, max_size=133), v2.RandomHorizontalFlip(), v2.ToImage()]
    steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(RGB.mean, RGB.std)]
    steps += [v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes(labels_getter=lambda s: (s[1]["labels"], s[1]["area"]))]
    with Image.open(io.BytesIO(jpeg)) as opened:
        picture = opened.convert("RGB")
    for seed in range(3):
        torch.manual_seed(seed)
        values = {key: value for key, value in target(4).items() if key != "array"}
        want, want_target = v2.Compose(steps)(picture, values)
        _, (got, got_target, _) = both(jpeg, 4, seed)
        assert torch.equal(got, want.as_subclass(torch.Tensor))
        for key in ("boxes", "masks", "labels", "area"):
            assert torch.equal(got_target[key], want_target[key])


def test_maps_show_the_picture_that_torchvision_shows(make_jpeg):
    """All channels of the doubled picture, averaged back over 2x2 px: a few levels from torchvision's, on average."""
    jpeg = make_jpeg(*SIZE, sampling="4:4:4", quality=95)
    everything = fl.InputSpec.unstandardised(ALL, 160)
    plain = fl.InputSpec("rgb", None, (0.0,) * 3, (1.0,) * 3, 80)
    for augment in ("flip", "multiscale", "jitter"):
        options = {"min_size": 80, "max_size": 133, "augment": augment, "pad": "black", "scale_range": (0.7, 2.0)}
        torch.manual_seed(3)
        maps, _ = presets.detection_train(everything, **options)(jpeg, target(2))
        torch.manual_seed(3)
        pixels, _ = presets.detection_train(plain, **options)(jpeg, target(2))
        height, width = pixels.shape[1:]
        doubled = torch.from_numpy(to_ycbcr(maps, ALL)[: 2 * height, : 2 * width, 0]) + 128
        luma = 255 * (pixels * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=0)
        difference = torch.nn.functional.avg_pool2d(doubled[None], 2)[0] - luma
        assert difference.square().mean().sqrt() < 6
        assert abs(difference.mean()) < 0.5
        assert luma.std() > 30, "a picture, so that shifted or mirrored ones would differ by more"


@pytest.mark.parametrize("pad", ["mean", "black"])
def test_jitters_square_has_the_padding_s_colour(pad, make_jpeg):
    """Much smaller than the square of 96 px = sqrt(80 * 133) in whole cells: mostly padding, at the corners surely."""
    jpeg = make_jpeg(*SIZE)
    color = {"mean": None, "black": (0.0, 0.0, 0.0)}[pad]
    for spec, side in ((DCT, 24), (RGB, 96)):
        options = {"min_size": 80, "max_size": 133, "augment": "jitter", "pad": pad, "scale_range": (0.3, 0.3)}
        tensor, _ = presets.detection_train(spec, **options)(jpeg, target(1))
        assert tensor.shape[1:] == (side, side)
        want = torch.tensor(spec.flat_values(spec.mean_color if color is None else color))
        corners = torch.stack([tensor[:, 0, 0], tensor[:, 0, -1], tensor[:, -1, 0], tensor[:, -1, -1]])
        assert ((corners - want).abs() < 1e-3).all(dim=1).sum() >= 3
    if pad == "mean":
        assert torch.allclose(want, torch.zeros(3), atol=1e-6), "zero, where torchvision's models pad too"


def test_evaluation_draws_nothing_and_keeps_its_size(make_jpeg):
    jpeg = make_jpeg(50, 67)
    state = torch.get_rng_state()
    for spec, shape in ((DCT, (24, 200, 268)), (RGB, (3, 800, 1072))):
        tensor, got = presets.detection_eval(spec)(jpeg, target(0, (50, 67)))
        assert tensor.shape == shape
        assert got["boxes"].shape == (0, 4)
        assert got["boxes"].canvas_size == (800, 1072)
        assert got["masks"].shape == (0, 800, 1072)
        assert torch.equal(presets.detection_eval(spec)(jpeg), tensor), "without a target"
    assert torch.equal(torch.get_rng_state(), state)


def test_clean_boxes_clips_and_removes_what_is_theirs():
    boxes = torch.tensor([[-5.0, 2, 4, 9], [3, 3, 3.5, 9], [30, 1, 60, 5], [1, 1, 8, 70]])
    values = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(10, 20), clamping_mode=None),
        "masks": tv_tensors.Mask(torch.arange(4)[:, None, None].expand(4, 10, 20)),
        "points": tv_tensors.KeyPoints(torch.arange(8.0).reshape(4, 1, 2), canvas_size=(10, 20)),
        "labels": torch.tensor([5, 6, 7, 8]),
        "image_id": torch.tensor([3]),
        "other": torch.zeros(3),
    }
    picture, got = CleanBoxes()("picture", values)
    assert picture == "picture"
    assert got["boxes"].tolist() == [[0, 2, 4, 9], [1, 1, 8, 10]]
    assert got["labels"].tolist() == [5, 8]
    assert got["masks"][:, 0, 0].tolist() == [0, 3]
    assert isinstance(got["masks"], tv_tensors.Mask)
    assert got["points"][:, 0].tolist() == [[0, 1], [6, 7]]
    assert isinstance(got["points"], tv_tensors.KeyPoints)
    assert (got["image_id"].tolist(), len(got["other"]), len(values["labels"])) == ([3], 3, 4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: presets.detection_train(DCT, augment="more"), ValueError, "got 'more'"),
        (lambda: presets.detection_train(DCT, pad="gray"), ValueError, "got 'gray'"),
        (lambda: presets.detection_eval(RGB, pad="error"), ValueError, '"mean" or "black", got \'error\''),
        (lambda: presets.detection_eval(DCT, min_size=90, max_size=80), ValueError, "at least min_size = 90, got 80"),
        (lambda: CleanBoxes(0.5), ValueError, "min_size of at least 1"),
        (lambda: CleanBoxes()(0, {"boxes": torch.zeros(1, 4)}), TypeError, 'BoundingBoxes at "boxes", got .*Tensor'),
        (lambda: CleanBoxes()(0, {}), TypeError, "got boxes of type NoneType"),
        (lambda: CleanBoxes()(0, 5), TypeError, "expected a target dict"),
        (lambda: CleanBoxes()(0, target(1) | {"masks": torch.zeros(1, 2, 2)}), TypeError, 'Mask at "masks", got T'),
    ],
    ids=["augment", "pad", "no padding", "sizes", "less than a pixel", "plain boxes", "no boxes", "no dict", "masks"],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
