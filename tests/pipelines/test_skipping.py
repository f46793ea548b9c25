"""Loaders that leave out images that cannot be read."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.bad_images import BAD_IMAGES, list_bad_images
from freqlearn.pipelines.data import ImageDataset, SampleError, UnreadableError, pointing_to_skip
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.sampling import EpochSampler
from freqlearn.spec import InputSpec

DCT = InputSpec.unstandardised(ChannelSet.square(24), 32)
RGB = InputSpec(kind="rgb", channels=None, mean=(0.0,) * 3, std=(1.0,) * 3, size_px=32, resize_px=None)

# Indices of the 24 files that cannot be read: one is gone, one cut off, one has codes that no Huffman table has. The
# last is noticed when the picture is decoded, with its batch, and by us only: Pillow makes something of it.
MISSING, CUT, DAMAGED = 2, 7, 11
BAD = {"batches": {MISSING, CUT, DAMAGED}, "samples": {MISSING, CUT, DAMAGED}, "rgb": {MISSING, CUT}}
KINDS = list(BAD)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xda") + 20  # soon after the scan's header, so that every crop comes upon it
    data[start : start + 40] = b"\xff\x00" * 20
    path.write_bytes(data)


@pytest.fixture(scope="module")
def good(two_classes: Path) -> ClassFolder:
    return read_class_folder(two_classes / "train")


@pytest.fixture(scope="module")
def some_bad(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    folder = read_class_folder(shutil.copytree(two_classes / "train", tmp_path_factory.mktemp("some") / "train"))
    folder.path(MISSING).unlink()
    folder.path(CUT).write_bytes(folder.path(CUT).read_bytes()[:300])
    damage(folder.path(DAMAGED))
    return folder


def loader(folder: ClassFolder, kind: str, **changes: Any) -> ImageLoader:
    options: dict[str, Any] = {"batch_size": 4, "shuffle": True, "num_workers": 0, "seed": 3} | changes
    spec = RGB if kind == "rgb" else DCT
    transform: Any = (presets.classification_train if options["shuffle"] else presets.classification_eval)(spec)
    if kind == "samples":  # not one that batches are decoded with
        whole = transform
        transform = lambda data: whole(bytes(data))  # noqa: E731
    return make_loader(folder, transform, **options)


def order(epoch: int) -> list[int]:
    sampler = EpochSampler(24, shuffle=True, seed=3)
    sampler.set_epoch(epoch)
    return [index for _, index in sampler]


def batches(source: ImageLoader, epoch: int = 1) -> list[tuple[torch.Tensor, torch.Tensor]]:
    source.set_epoch(epoch)
    return [(images, labels) for images, labels in source]


def assert_same(one: Any, other: Any) -> None:
    assert len(one) == len(other)
    for (images, labels), (other_images, other_labels) in zip(one, other, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 1])
def test_the_others_are_what_they_would_be(
    good: ClassFolder, some_bad: ClassFolder, tmp_path: Path, kind: str, workers: int
) -> None:
    indices = order(1)
    if kind == "rgb":  # Pillow's picture of the damaged file is another one
        good = read_class_folder(shutil.copytree(good.root, tmp_path / "train"))
        damage(good.path(DAMAGED))
    expected = []
    for number, (images, labels) in enumerate(batches(loader(good, kind))):
        kept = [i for i in range(4) if indices[4 * number + i] not in BAD[kind]]
        expected.append((images[kept], labels[kept]))
    source = loader(some_bad, kind, num_workers=workers, on_error="skip")
    assert_same(batches(source), expected)
    assert source.bad_images.keys() == {str(some_bad.path(index)) for index in BAD[kind]}
    assert source.bad_images[str(some_bad.path(MISSING))] == "No such file or directory"
    assert len(source) == 6


def test_position_counts_what_was_left_out(some_bad: ClassFolder) -> None:
    whole = batches(loader(some_bad, "batches", on_error="skip"))
    source = loader(some_bad, "batches", on_error="skip")
    source.set_epoch(1)
    iterator = iter(source)
    for _ in range(3):
        next(iterator)
    assert source.state_dict()["samples"] == 12
    resumed = loader(some_bad, "batches", on_error="skip", num_workers=1)
    resumed.load_state_dict(source.state_dict())
    assert_same(list(resumed), whole[3:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shuffle", "workers"), [(True, 0), (False, 0), (False, 1)])
def test_error_is_the_default(some_bad: ClassFolder, kind: str, shuffle: bool, workers: int) -> None:
    with pytest.raises(UnreadableError, match=r"^\S+\.jpg: "):
        list(loader(some_bad, kind, shuffle=shuffle, num_workers=workers))
    message = r"No such file or directory; remove the file, or leave such files out: --on-bad-image skip$"
    with pytest.raises(ValueError, match=message), pointing_to_skip():
        list(loader(some_bad, kind, shuffle=False, num_workers=workers))


@pytest.fixture
def all_but_three(two_classes: Path, tmp_path: Path) -> ClassFolder:
    """Of 24 files only 5, 6 and 20 can be read; every other bad one is noticed in its batch only."""
    folder = read_class_folder(shutil.copytree(two_classes / "train", tmp_path / "train"))
    for index in set(range(24)) - {5, 6, 20}:
        if index % 2:
            damage(folder.path(index))
        else:
            folder.path(index).write_bytes(b"")
    return folder


@pytest.mark.parametrize("kind", ["batches", "samples"])
@pytest.mark.parametrize("workers", [0, 1])
def test_training_batches_of_bad_images_are_filled_up_to_two(
    all_but_three: ClassFolder, kind: str, workers: int
) -> None:
    """By the next that can be read in the data set, with the randomness that they have in that epoch."""
    alone = ImageDataset(all_but_three, presets.classification_train(DCT), seed=3)
    indices = order(1)
    found = batches(loader(all_but_three, kind, on_error="skip", num_workers=workers))
    assert len(found) == 6, "every process makes every step"
    for number, (images, labels) in enumerate(found):
        of_batch = indices[4 * number : 4 * number + 4]
        expected = [index for index in of_batch if index in (5, 6, 20)]
        following = [(of_batch[-1] + step) % 24 for step in range(1, 24)]
        more = [index for index in following if index in (5, 6, 20) and index not in of_batch]
        expected += more[: max(0, 2 - len(expected))]
        assert labels.tolist() == all_but_three.labels[expected].tolist()
        assert torch.equal(images, torch.stack([alone[1, index][0] for index in expected]))


def test_batch_of_one_is_filled_up_to_one(all_but_three: ClassFolder) -> None:
    sizes = [len(labels) for _, labels in loader(all_but_three, "batches", on_error="skip", batch_size=1)]
    assert sizes == [1] * 24


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_yields_what_is_left(all_but_three: ClassFolder, workers: int) -> None:
    source = loader(all_but_three, "batches", on_error="skip", shuffle=False, num_workers=workers)
    assert [labels.tolist() for _, labels in source] == [
        all_but_three.labels[list(indices)].tolist() for indices in ((5, 6), (20,))
    ]
    assert len(source.bad_images) == 21
    assert source.state_dict()["samples"] == 0, "the next epoch's"


def test_nothing_can_be_read(all_but_three: ClassFolder) -> None:
    for index in (5, 6, 20):
        all_but_three.path(index).unlink()
    with pytest.raises(SampleError, match=r"one of 2\d images in a row that cannot be read"):
        next(iter(loader(all_but_three, "batches", on_error="skip")))
    source = loader(all_but_three, "batches", on_error="skip", shuffle=False)
    assert list(source) == []
    assert len(source.bad_images) == 24


@pytest.mark.parametrize("workers", [0, 1])
def test_mistakes_are_not_skipped(two_classes: Path, workers: int) -> None:
    """A transform that suits no file would otherwise leave all of them out."""
    spec = InputSpec.unstandardised(ChannelSet.square(24), 64)  # the files have 32 px, and nothing is resized
    source = make_loader(two_classes / "val", spec, batch_size=5, shuffle=False, num_workers=workers, on_error="skip")
    with pytest.raises(SampleError, match="expected at least 64x64 px") as caught, pointing_to_skip():
        list(source)
    assert "skip" not in str(caught.value)


def test_unknown_mode(two_classes: Path) -> None:
    with pytest.raises(ValueError, match=r"on_error to be one of .'raise', 'skip'., got 'replace'"):
        make_loader(two_classes / "val", DCT, batch_size=5, shuffle=False, on_error="replace")  # type: ignore[arg-type]


def test_list_has_each_file_once(tmp_path: Path) -> None:
    assert list_bad_images(tmp_path, {}) == ({}, 0)
    assert not (tmp_path / BAD_IMAGES).exists()
    odd = b"odd \xff.jpg".decode("utf-8", "surrogateescape")
    found = {"b.jpg": 'why, "exactly"', "a.jpg": "a.jpg: cut off", odd: "name in no encoding"}
    assert list_bad_images(tmp_path, found) == (found | {"a.jpg": "cut off"}, 3)
    assert list_bad_images(tmp_path, {"a.jpg": "again", "c.jpg": "new", odd: "again"}) == ({"c.jpg": "new"}, 4)
    with open(tmp_path / BAD_IMAGES, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["file", "reason"],
        ["a.jpg", "cut off"],
        ["b.jpg", 'why, "exactly"'],
        ["c.jpg", "new"],
        ["odd \\xff.jpg", "name in no encoding"],
    ]
