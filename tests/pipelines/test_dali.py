"""Loading by DALI on the CPU: its pixels become our channels, and its epochs are whole, exact and resumable."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets, transforms
from freqlearn.pipelines.dali import DaliLoader, make_dali_loader
from freqlearn.pipelines.dali.graph import resized
from freqlearn.pipelines.dali.pixels import PixelsToInput
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.options import TrainOptions

dali = pytest.importorskip("nvidia.dali")

SIZE = 64
ALL = fl.InputSpec.unstandardised(fl.ChannelSet.all(), SIZE, 72)
SMALL = fl.InputSpec.unstandardised(fl.ChannelSet.square(24), SIZE, 72)
SIDES = [(97, 131), (131, 97), (75, 100), (72, 107), (149, 88), (73, 73)]

# A decoder rounds samples of Y, Cb and Cr once, and R, G, B once more. Each rounding is uniform within half a level,
# sqrt(1/12) rms; those of R, G, B come back to a component through a row of JPEG's matrix, whose norm is at most 0.67,
# and whose absolute values sum to 1. The DCT is orthonormal, and a resize averages. So, over all frequencies:
RMS = np.sqrt((1 + 0.67**2) / 12)
# and of any coefficient, whose 64 weights' absolute values sum to at most 8 (0.1: DALI's weights have 15 bits):
LARGEST = 8 * (0.5 + 0.5) + 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_jpeg: Callable[..., bytes], photo_like: Any) -> ClassFolder:
    """Two classes of six files each, of odd sizes: 4:4:4 in "a", gray in "b"; of low contrast, so nothing clips."""
    root = tmp_path_factory.mktemp("dali")
    for name, sampling in (("a", "4:4:4"), ("b", "gray")):
        (root / name).mkdir()
        for number, (height, width) in enumerate(SIDES):
            pixels = (photo_like(height, width, seed=number) * 0.5 + 60).astype(np.uint8)
            data = make_jpeg(height, width, pixels=pixels, sampling=sampling, quality=95)
            (root / name / f"{number}.jpg").write_bytes(data)
    return read_class_folder(root)


@pytest.fixture
def loader(folder: ClassFolder) -> Callable[..., DaliLoader]:
    """`loader(...)`: shuffles the 12 files in batches of 5; options change that."""

    def make(**changes: Any) -> DaliLoader:
        usual: dict[str, Any] = {"batch_size": 5, "shuffle": True, "seed": 3, "num_threads": 1}
        return make_dali_loader(folder, SMALL, **(usual | changes))

    return make


def same(one: Any, other: Any) -> bool:
    """Whether these are the same batches, bit for bit."""
    one, other = list(one), list(other)
    return len(one) == len(other) and all(
        torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(one, other, strict=True)
    )


def run(graph: Callable[[Any], Any], arrays: list[np.ndarray], layout: str = "HWC") -> list[np.ndarray]:
    """What a graph makes of one batch."""
    pipeline = dali.Pipeline(batch_size=len(arrays), num_threads=1, device_id=None)
    with pipeline:
        pipeline.set_outputs(graph(dali.fn.external_source(name="input", layout=layout, ndim=len(layout) or 1)))
    pipeline.feed_input("input", arrays)
    return [np.array(sample) for sample in pipeline.run()[0]]


def decoded(path: Path) -> torch.Tensor:
    """(3, H, W) float32 RGB, by Pillow."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float()


def test_one_convolution_is_matrix_shift_dct_selection_and_standardisation() -> None:
    dctn = pytest.importorskip("scipy.fft").dctn
    channels = fl.ChannelSet.of([130, 0, 9, 64, 191])
    spec = fl.InputSpec("dct", channels, (1.0, -20.0, 3.0, 0.0, 0.5), (2.0, 100.0, 7.0, 30.0, 0.25), 16)
    rgb = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3))
    red, green, blue = np.moveaxis(rgb, -1, 0)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [y - 128, (blue - y) / 1.772, (red - y) / 1.402]  # T.871
    blocks = np.stack(planes, 1).reshape(2, 3, 2, 8, 2, 8).transpose(0, 1, 3, 5, 2, 4)
    coefficients = dctn(blocks, axes=(2, 3), norm="ortho").reshape(2, 192, 2, 2)
    expected = (coefficients[:, list(channels)] - np.reshape(spec.mean, (5, 1, 1))) / np.reshape(spec.std, (5, 1, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = PixelsToInput(spec)(torch.from_numpy(rgb).float())
    assert got.dtype == torch.float32
    assert got.is_contiguous()
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("sides", "size"), [((40, 50), (64, 96)), ((150, 113), (64, 64)), ((64, 64), (64, 64))])
def test_resize_is_torchs_but_for_the_outermost_pixels_of_smaller_pictures(
    sides: tuple[int, int], size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*sides, 3)).astype(np.uint8)
    got = run(lambda images: resized(images, list(size)), [pixels])[0]
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    expected = interpolate(image, size=size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    difference = np.abs(got - expected)
    assert difference[1:-1, 1:-1].max() < 0.01
    # An eighth of a triangle lies beyond the border: DALI gives it to the last pixel, torch to all of them.
    assert difference.max() < (255 / 4 if size < sides else 0.01)


@pytest.mark.parametrize("resize_px", [72, 112])
def test_evaluation_equals_ours_within_the_decoders_rounding(folder: ClassFolder, resize_px: int) -> None:
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), SIZE, resize_px)
    # Sides of 72 and more shrink by at most 2, and what lies at the border is cut off by the centre crop.
    got = make_dali_loader(folder, spec, batch_size=5, shuffle=False, num_threads=1)
    ours = make_loader(folder, spec, batch_size=5, shuffle=False, num_workers=0)
    assert len(got) == len(ours) == 3
    for (images, labels), (expected, expected_labels) in zip(got, ours, strict=True):
        assert torch.equal(labels, expected_labels)
        assert (images.shape, images.dtype, labels.dtype) == (expected.shape, torch.float32, torch.int64)
        difference = (images - expected).unflatten(1, (3, 64))
        assert difference.square().mean((0, 2, 3, 4)).sqrt().max() < RMS
        assert difference.abs().max() < LARGEST
        assert difference[:, 0].abs().max() > 0.01, "they are not decoded alike"


def test_random_crops_equal_ours_with_the_same_boxes(folder: ClassFolder) -> None:
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 152)  # larger than all boxes
    files = [path.read_bytes() for path in folder.paths()]
    crop, flip = transforms.RandomResizedCrop(spec.size_px), transforms.RandomHorizontalFlip(0.5)
    torch.manual_seed(0)
    planned = [flip(crop(fl.read_dct(data))) for data in files]
    boxes = [(img.plan.geometry.box, img.plan.flip_horizontal) for img in planned]
    assert {flipped for _, flipped in boxes} == {True, False}

    def graph(encoded: Any) -> Any:
        fn = dali.fn
        values = np.array([(box.top, box.left, box.height, box.width, flip) for box, flip in boxes], np.int32)
        given = fn.external_source(source=[values], cycle=True)
        part = fn.slice(fn.decoders.image(encoded), given[:2], given[2:4], axis_names="HW")
        return resized(fn.flip(part, horizontal=given[4]), [spec.size_px, spec.size_px])

    pixels = run(graph, [np.frombuffer(data, np.uint8) for data in files], layout="")
    images = PixelsToInput(spec)(torch.from_numpy(np.stack(pixels)))
    expected = torch.stack([transforms.ToFrequencyTensor(spec)(img) for img in planned])
    difference = (images - expected).unflatten(1, (3, 64))
    assert difference.square().mean((0, 2, 3, 4)).sqrt().max() < RMS
    # Where a picture grows, errors of neighbouring pixels are alike, but none is larger than where it does not.
    assert difference.abs().max() < LARGEST


def test_boxes_and_flips_are_random_and_of_training_only(loader: Callable[..., DaliLoader]) -> None:
    train = loader(batch_size=12)
    ((first, labels),), ((second, _),) = list(train), list(train)
    assert not torch.equal(first, second)
    assert sorted(labels.tolist()) == [0] * 6 + [1] * 6
    still = loader(batch_size=12, augment="none", shuffle=True)
    ((one, order),), ((other, other_order),) = list(still), list(still)
    assert not torch.equal(order, other_order), "anew in every epoch"
    assert {picture.sum().item() for picture in one} == {picture.sum().item() for picture in other}


def test_the_number_of_threads_changes_nothing(loader: Callable[..., DaliLoader]) -> None:
    one, other = loader(), loader(num_threads=3, prefetch=1)
    assert same(one, other)
    assert same(one, other)


def test_flip_alone_is_for_pictures_of_the_size(two_classes: Path, folder: ClassFolder) -> None:
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 32)
    source = read_class_folder(two_classes / "val")
    ((images, _),) = make_dali_loader(source, spec, batch_size=10, shuffle=False, augment="flip", hflip=1.0)
    for image, path in zip(images, source.paths(), strict=True):
        with Image.open(path) as photo:
            mirrored = np.array(photo)[:, ::-1].copy()
        assert torch.allclose(image, PixelsToInput(spec)(torch.from_numpy(mirrored).float()[None])[0], atol=1e-2)
    with pytest.raises((ValueError, SampleError)):
        list(make_dali_loader(folder, spec, batch_size=1, shuffle=False, augment="flip"))


@pytest.mark.parametrize("resize_px", [72, None])
def test_rgb_and_the_geometry_are_torchvisions(folder: ClassFolder, resize_px: int | None) -> None:
    spec = fl.InputSpec("rgb", None, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), SIZE, resize_px)
    loaded = make_dali_loader(folder, spec, batch_size=12, shuffle=False, num_threads=1)
    ((images, _),) = loaded
    steps = [v2.Resize(resize_px, antialias=True)] if resize_px else []
    expected = v2.Compose([*steps, v2.CenterCrop(SIZE), lambda image: image / 255, v2.Normalize(spec.mean, spec.std)])
    for image, path in zip(images, folder.paths(), strict=True):
        difference = (image - expected(decoded(path))).abs()[:, 1:-1, 1:-1]
        # The decoders are both libjpeg-turbo; a box that were one pixel off would differ by far more.
        assert difference.max() < 0.02 / 255 / 0.2


def test_subsampled_files_differ_by_the_chroma_of_a_decoder(
    tmp_path: Path, make_jpeg: Callable[..., bytes], record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "a").mkdir()
    for number in range(4):
        (tmp_path / "a" / f"{number}.jpg").write_bytes(make_jpeg(96, 120, seed=number, sampling="4:2:0", quality=95))
    ((images, _),) = make_dali_loader(tmp_path, ALL, batch_size=4, shuffle=False)
    transform = presets.classification_eval(ALL)
    expected = torch.stack([transform(path) for path in read_class_folder(tmp_path).paths()])
    rms = (images - expected).unflatten(1, (3, 64)).square().mean((0, 2, 3, 4)).sqrt()
    record_property("rms of Y, Cb, Cr, dequantised units", [round(value, 3) for value in rms.tolist()])
    assert rms.max() < 2


@pytest.mark.parametrize("world", [1, 2, 5])
def test_evaluation_loads_every_file_once_an_epoch(loader: Callable[..., DaliLoader], world: int) -> None:
    shares = [loader(shuffle=False, batch_size=2, rank=rank, world=world) for rank in range(world)]
    for _ in range(2):
        epoch = [list(share) for share in shares]
        images = torch.cat([images for batches in epoch for images, _ in batches])
        assert len(images) == len(images.unique(dim=0)) == 12
        assert max(len(batches) for batches in epoch) == len(shares[0])
        assert all(len(labels) for batches in epoch for _, labels in batches)


@pytest.mark.parametrize(("world", "batch_size"), [(1, 5), (2, 4), (5, 2), (5, 1)])
def test_training_gives_every_process_as_many_whole_batches_of_other_files(
    loader: Callable[..., DaliLoader], world: int, batch_size: int
) -> None:
    shares = [loader(augment="none", batch_size=batch_size, rank=rank, world=world) for rank in range(world)]
    orders = []
    for _ in range(3):
        epoch = [list(share) for share in shares]
        assert {len(batches) for batches in epoch} == {len(shares[0])} == {12 // world // batch_size}
        images = torch.cat([images for batches in epoch for images, _ in batches])
        assert len(images) == len(images.unique(dim=0)) == len(shares[0]) * world * batch_size
        orders.append(images)
    assert not torch.equal(orders[0], orders[1])


def test_an_epoch_is_whole_steps(loader: Callable[..., DaliLoader]) -> None:
    source = loader(batch_size=2, accumulate=4)
    assert len(list(source)) == len(source) == 4
    with pytest.raises(ValueError, match="12 samples a process are fewer than a step of 14"):
        loader(batch_size=2, accumulate=7, drop_last=True)
    assert len(loader(batch_size=20)) == 1


@pytest.mark.parametrize(("epoch", "batches"), [(0, 0), (0, 1), (1, 2), (1, 3)])
def test_a_state_goes_on_where_it_was_taken(loader: Callable[..., DaliLoader], epoch: int, batches: int) -> None:
    whole = loader(batch_size=4)
    epochs = [list(whole) for _ in range(3)]
    interrupted = loader(batch_size=4)
    for _ in range(epoch):
        list(interrupted)
    iterator = iter(interrupted)
    for _ in range(batches):
        next(iterator)
    state = json.loads(json.dumps(interrupted.state_dict()))
    resumed = loader(batch_size=4)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert (resumed.epoch, state["batches"]) == (epoch, batches)
    assert same(resumed, epochs[epoch][batches:])
    assert same(resumed, epochs[epoch + 1])
    assert same(interrupted, epochs[epoch]), "broken off and begun again"


def test_a_state_of_one_process_is_right_for_all(loader: Callable[..., DaliLoader]) -> None:
    shares = [loader(batch_size=2, rank=rank, world=2) for rank in range(2)]
    iterators = [iter(share) for share in shares]
    for iterator in iterators:
        next(iterator)
    other = loader(batch_size=2, rank=1, world=2)
    other.load_state_dict(shares[0].state_dict())
    assert same(other, iterators[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 0}, "expected a DALI loader's state of version 1, got"),
        ({"batch_size": 3}, "with batch_size 3, and this one has batch_size 5"),
        ({"processes": 2}, "with processes 2, and this one has processes 1"),
        ({"loader": "dali 1.0"}, "with loader dali 1.0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_state_that_does_not_fit_is_refused(
    loader: Callable[..., DaliLoader], change: dict[str, Any], message: str
) -> None:
    source = loader()
    with pytest.raises(ValueError, match=message):
        source.load_state_dict(source.state_dict() | change)


def test_an_epoch_that_does_not_come_next_is_refused_in_training(loader: Callable[..., DaliLoader]) -> None:
    train, evaluation = loader(), loader(shuffle=False)
    train.set_epoch(2)
    with pytest.raises(ValueError, match=r"epoch 2 cannot be chosen: .* epoch 0 comes next"):
        next(iter(train))
    train.set_epoch(0)
    assert len(list(train)) == 2
    evaluation.set_epoch(2)
    assert len(list(evaluation)) == 3


@pytest.mark.parametrize("kind", ["no picture", "empty", "truncated", "missing"])
@pytest.mark.parametrize("shuffle", [True, False], ids=["train", "eval"])
def test_bad_files_are_named(two_classes: Path, tmp_path: Path, kind: str, shuffle: bool) -> None:
    (tmp_path / "a").mkdir()
    good = (two_classes / "val" / "flat" / "0.jpg").read_bytes()
    (tmp_path / "a" / "0.jpg").write_bytes(good)
    bad = tmp_path / "a" / "1.jpg"
    bad.write_bytes({"no picture": b"no picture" * 9, "empty": b"", "truncated": good[:-200]}.get(kind, b""))
    folder = read_class_folder(tmp_path)
    if kind == "missing":
        bad.unlink()
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.square(24), 32, 32)
    source = make_dali_loader(folder, spec, batch_size=2, shuffle=shuffle, num_threads=1)
    with pytest.raises(SampleError) as caught:
        list(source)
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, 'expected device as "cpu", "mixed" or a GPU'),
        ({"batch_size": 0}, "at least 1"),
        ({"rank": 2, "world": 2}, "rank below world"),
        ({"world": 13, "rank": 0}, "an image for each of 13 processes, got 12"),
        ({"drop_last": True, "batch_size": 13}, "12 samples a process are fewer than a step of 13"),
    ],
    ids=["device", "batch size", "rank", "world", "drop_last"],
)
def test_wrong_arguments(loader: Callable[..., DaliLoader], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loader(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["mixed", 0])
def test_a_gpu_that_is_not_there(loader: Callable[..., DaliLoader], device: Any) -> None:
    with pytest.raises(ValueError, match='needs a CUDA GPU, and torch finds none; use device="cpu"'):
        loader(device=device)


def test_without_dali_the_error_says_what_to_install(folder: ClassFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.raises(ImportError, match=r"needs nvidia-dali: pip install 'freqlearn\[dali\]'"):
        make_dali_loader(folder, SMALL, batch_size=1, shuffle=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_bad_image": "skip"}, "loader dali cannot skip bad images"),
        ({"data": None, "train_shards": "x.tar"}, "reads folders of files, and no shards"),
    ],
    ids=["skip", "shards"],
)
def test_options_that_dali_lacks(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainOptions(**({"data": Path("x"), "loader": "dali"} | options))


def test_photos(photos: Path) -> None:
    """Real 4:4:4 and gray photos, evaluation geometry, all channels."""
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 224, 256)
    colour, gray = [], []
    for path in sorted((photos / "imagenet-sample").rglob("*.JPEG")):
        sampling = fl.read_info(path).sampling
        if len(set(sampling)) == 1:
            (colour if len(sampling) == 3 else gray).append(path)
    assert colour
    assert gray
    chosen = colour[:3] + gray[:1]
    files = np.array([str(path.relative_to(photos)).encode() for path in chosen])
    folder = ClassFolder(photos, ("photos",), files, np.zeros(len(chosen), np.int64))
    ((images, _),) = make_dali_loader(folder, spec, batch_size=len(chosen), shuffle=False, num_threads=1)
    transform = presets.classification_eval(spec)
    difference = (images - torch.stack([transform(path) for path in chosen])).unflatten(1, (3, 64))
    # A photo's black and white clip in a decoder, so no bound is known for single coefficients.
    assert difference.square().mean((0, 2, 3, 4)).sqrt().max() < 2 * RMS
