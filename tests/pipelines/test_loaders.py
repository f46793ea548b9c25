import json
import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2 import Compose

import freqlearn as fl
from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.batching import PlansToBatch
from freqlearn.pipelines.data import ImageDataset, SampleError, SeededDataset
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.sampling import EpochSampler
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)
RGB = InputSpec.preset("imagenet-rgb")

Samples = list[tuple[torch.Tensor, int]]


@pytest.fixture
def loader(two_classes: Path) -> Callable[..., ImageLoader]:
    """`loader(...)`: shuffles the 24 training files in batches of 4, without workers; options change that."""

    def make(**changes: Any) -> ImageLoader:
        usual: dict[str, Any] = {"batch_size": 4, "shuffle": True, "num_workers": 0, "seed": 3}
        return make_loader(two_classes / "train", SPEC, **(usual | changes))

    return make


def samples(batches: Any) -> Samples:
    """Images and labels one by one, in order."""
    return [sample for images, labels in batches for sample in zip(images, labels.tolist(), strict=True)]


def same(one: Samples, other: Samples) -> bool:
    """Whether the same samples came in the same order, bit for bit."""
    return len(one) == len(other) and all(
        torch.equal(a, b) and label == other_label for (a, label), (b, other_label) in zip(one, other, strict=True)
    )


def some(loader: ImageLoader, batches: int) -> tuple[Samples, dict[str, Any]]:
    """The first batches of an iteration that is then broken off, and the state after them (as JSON would keep it)."""
    iterator = iter(loader)
    seen = samples(next(iterator) for _ in range(batches))
    return seen, json.loads(json.dumps(loader.state_dict()))


@pytest.mark.parametrize(("workers", "batch_size"), [(0, 1), (0, 8), (1, 3), (2, 8)])
def test_workers_and_batch_size_change_nothing(
    loader: Callable[..., ImageLoader], workers: int, batch_size: int
) -> None:
    reference, other = loader(), loader(num_workers=workers, batch_size=batch_size)
    for epoch in range(2):
        reference.set_epoch(epoch)
        other.set_epoch(epoch)
        assert same(samples(other), samples(reference))


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize(("workers", "batch_size"), [(0, 4), (1, 4), (2, 2)])
def test_an_epoch_goes_on_with_other_workers_and_batches(
    loader: Callable[..., ImageLoader], before: int, workers: int, batch_size: int
) -> None:
    whole = loader()
    whole.set_epoch(2)
    expected = samples(whole)
    interrupted = loader(num_workers=before)
    interrupted.set_epoch(2)
    seen, state = some(interrupted, 3)
    assert (state["epoch"], state["samples"]) == (2, 12), "what workers have prepared does not count"
    resumed = loader(num_workers=workers, batch_size=batch_size)
    resumed.load_state_dict(state)
    assert resumed.epoch == 2
    assert resumed.state_dict() == state
    assert same(seen + samples(resumed), expected)
    assert same(samples(resumed), samples(whole)), "the next epoch"


@pytest.mark.parametrize("crop", ["random_resized", "none"])
@pytest.mark.parametrize("options", [{}, {"num_threads": 1}, {"num_workers": 2}, {"num_workers": 1, "num_threads": 2}])
def test_batches_hold_what_the_transform_gives_alone(two_classes: Path, crop: Any, options: dict[str, int]) -> None:
    folder = read_class_folder(two_classes / "train")
    transform = presets.classification_train(SPEC, crop=crop, brightness=0.3)
    alone = ImageDataset(folder, transform, seed=3)
    source = make_loader(folder, transform, batch_size=7, shuffle=True, seed=3, **({"num_workers": 0} | options))
    assert isinstance(source.collate_fn, PlansToBatch)
    source.set_epoch(1)
    order = EpochSampler(24, shuffle=True, seed=3)
    order.set_epoch(1)
    assert same(samples(source), [alone[key] for key in order][:21])


def test_what_workers_need_can_be_sent_to_spawned_ones(loader: Callable[..., ImageLoader]) -> None:
    source = loader(num_workers=1, shuffle=False)
    dataset, collate, init = pickle.loads(pickle.dumps((source.dataset, source.collate_fn, source.worker_init_fn)))
    assert callable(init)
    images, _ = collate([dataset[0, index] for index in range(4)])
    assert torch.equal(images, next(iter(source))[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_the_default_generator_is_left_alone(loader: Callable[..., ImageLoader], workers: int) -> None:
    source = loader(num_workers=workers)
    before = torch.get_rng_state()
    for _ in source:
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_transforms_are_applied_to_samples(two_classes: Path) -> None:
    steps = [len, lambda size: torch.tensor(float(size))]
    source = make_loader(two_classes / "val", Compose(steps), batch_size=10, shuffle=False, num_workers=0)
    sizes = [path.stat().st_size for path in read_class_folder(two_classes / "val").paths()]
    assert [size.item() for size, _ in samples(source)] == sizes
    prepared = Compose([bytes, presets.classification_eval(SPEC)])  # takes bytes, and no path
    expected = samples(make_loader(two_classes / "val", SPEC, batch_size=10, shuffle=False, num_workers=0))
    source = make_loader(two_classes / "val", prepared, batch_size=10, shuffle=False, num_workers=0)
    assert same(samples(source), expected)


def test_resuming_a_resumed_epoch(loader: Callable[..., ImageLoader]) -> None:
    expected = samples(loader())
    first, state = some(loader(), 1)
    resumed = loader(batch_size=6)
    resumed.load_state_dict(state)
    second, state = some(resumed, 2)
    assert state["samples"] == 16
    last = loader(batch_size=1)
    last.load_state_dict(state)
    assert same(first + second + samples(last), expected)


def test_each_pass_is_the_next_epoch(loader: Callable[..., ImageLoader]) -> None:
    alone, told = loader(), loader()
    for epoch in range(3):
        assert alone.epoch == epoch
        told.set_epoch(epoch)
        assert same(samples(alone), samples(told))


def test_an_epoch_can_be_repeated_and_begun_again(loader: Callable[..., ImageLoader]) -> None:
    source = loader()
    some(source, 2)
    first = samples(source)
    assert len(first) == 24
    assert same(first, samples(loader())), "broken off and begun again"
    source.set_epoch(0)
    assert same(samples(source), first)


def test_epoch_chosen_after_iter_counts(loader: Callable[..., ImageLoader]) -> None:
    source = loader()
    iterator = iter(source)
    source.set_epoch(5)
    expected = loader()
    expected.set_epoch(5)
    assert same(samples(iterator), samples(expected))


@pytest.mark.parametrize("workers", [0, 1])
def test_state_after_the_last_batch_is_the_end_of_the_epoch(loader: Callable[..., ImageLoader], workers: int) -> None:
    _, state = some(loader(num_workers=workers), 6)
    assert (state["epoch"], state["samples"]) == (0, 24)
    resumed = loader(num_workers=workers)
    resumed.load_state_dict(state)
    assert samples(resumed) == []
    expected = loader()
    expected.set_epoch(1)
    assert same(samples(resumed), samples(expected))


def test_state_after_an_epoch_is_the_start_of_the_next(loader: Callable[..., ImageLoader]) -> None:
    source = loader()
    samples(source)
    state = source.state_dict()
    assert (state["epoch"], state["samples"]) == (1, 0)
    resumed = loader()
    resumed.load_state_dict(state)
    assert same(samples(resumed), samples(source))


def test_choosing_another_epoch_moves_the_state(loader: Callable[..., ImageLoader]) -> None:
    source = loader()
    some(source, 2)
    source.set_epoch(4)
    assert (source.state_dict()["epoch"], source.state_dict()["samples"]) == (4, 0)


def test_state_of_the_same_files_elsewhere_can_be_loaded(
    loader: Callable[..., ImageLoader], two_classes: Path, tmp_path: Path
) -> None:
    _, state = some(loader(), 2)
    copy = shutil.copytree(two_classes / "train", tmp_path / "copy")
    make_loader(copy, SPEC, batch_size=4, shuffle=True, seed=3).load_state_dict(state)
    os.rename(copy / "flat" / "0.jpg", copy / "flat" / "new.jpg")
    with pytest.raises(ValueError, match=r"of a loader with files \w+, .* by the same files"):
        make_loader(copy, SPEC, batch_size=4, shuffle=True, seed=3).load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"version": 2}, "expected a loader's state of version 1, got {'version': 2", id="version"),
        pytest.param({"size": 30}, "with size 30, and this one has size 24", id="another size"),
        pytest.param({"seed": 4}, "with seed 4, and this one has seed 3", id="another seed"),
        pytest.param({"shuffle": False}, "with shuffle False, and this one has shuffle True", id="another order"),
        pytest.param({"samples": 25}, "samples at most 24, got epoch 0 and samples 25", id="too far"),
        pytest.param({"samples": -1}, "got epoch 0 and samples -1", id="negative"),
        pytest.param({"epoch": None}, "got epoch None", id="no epoch"),
        pytest.param({"epoch": True}, "got epoch True", id="no number"),
        pytest.param({"epoch": 2**63}, "got epoch 9223372036854775808", id="too many bits"),
    ],
)
def test_state_that_does_not_fit_is_refused(
    loader: Callable[..., ImageLoader], change: dict[str, Any], message: str
) -> None:
    source = loader()
    before = source.state_dict()
    with pytest.raises(ValueError, match=message):
        source.load_state_dict(before | change)
    assert source.state_dict() == before


def test_state_of_something_else_is_refused(loader: Callable[..., ImageLoader]) -> None:
    with pytest.raises(ValueError, match=r"expected a loader's state of version 1, got \[1, 2\]"):
        loader().load_state_dict([1, 2])  # type: ignore[arg-type]


def test_spec_means_augmentation_where_shuffled(two_classes: Path) -> None:
    folder = read_class_folder(two_classes / "val")
    shuffled = make_loader(folder, SPEC, batch_size=10, shuffle=True, num_workers=0)
    given = make_loader(folder, presets.classification_train(SPEC), batch_size=10, shuffle=True, num_workers=0)
    assert same(samples(shuffled), samples(given))
    in_order = samples(make_loader(folder, SPEC, batch_size=10, shuffle=False, num_workers=0))
    transform = presets.classification_eval(SPEC)
    expected = [(transform(folder.path(i)), int(folder.labels[i])) for i in range(len(folder))]
    assert same(in_order, expected)


def test_rgb_spec_is_pillow_s_pipeline(two_classes: Path) -> None:
    spec = InputSpec(kind="rgb", channels=None, mean=RGB.mean, std=RGB.std, size_px=32, resize_px=None)
    source = make_loader(two_classes / "val", spec, batch_size=5, shuffle=False, num_workers=1)
    images, _ = next(iter(source))
    assert images.shape == (5, 3, 32, 32)
    first = presets.classification_eval(spec)(two_classes / "val" / "flat" / "0.jpg")
    assert torch.equal(images[0], first)


def test_image_folder_with_its_own_transform(two_classes: Path) -> None:
    root = two_classes / "val"
    own = ImageFolder(root, loader=fl.read_bytes, transform=presets.classification_train(SPEC))
    listed = ImageFolder(root)
    expected = samples(make_loader(root, SPEC, batch_size=3, shuffle=True, num_workers=0, seed=1))
    for data, transform in ((own, None), (listed, SPEC)):
        source = make_loader(data, transform, batch_size=3, shuffle=True, num_workers=1, seed=1)
        assert same(samples(source), expected)


def test_target_transform_of_a_listed_image_folder(two_classes: Path) -> None:
    swapped = ImageFolder(two_classes / "val", target_transform=lambda label: 1 - label)
    labels = [label for _, label in samples(make_loader(swapped, SPEC, batch_size=5, shuffle=False, num_workers=0))]
    assert labels == [1] * 5 + [0] * 5


def test_any_dataset_with_a_length_and_an_index() -> None:
    data = TensorDataset(torch.arange(7), torch.arange(7) % 2)
    source = make_loader(data, batch_size=3, shuffle=False, num_workers=0)
    assert [images.tolist() for images, _ in source] == [[0, 1, 2], [3, 4, 5], [6]]
    assert source.state_dict()["files"] is None


def test_last_small_batch_is_dropped_where_shuffled(loader: Callable[..., ImageLoader]) -> None:
    def sizes(**options: Any) -> list[int]:
        source = loader(**options)
        lengths = [len(labels) for _, labels in source]
        assert len(lengths) == len(source)
        return lengths

    assert sizes(batch_size=10) == [10, 10]
    assert sizes(batch_size=10, drop_last=False) == [10, 10, 4]
    assert sizes(batch_size=10, shuffle=False) == [10, 10, 4]
    assert sizes(batch_size=10, shuffle=False, drop_last=True) == [10, 10]
    assert sizes(batch_size=99) == [24]


def test_what_is_dropped_is_not_gone_through_after_resuming(loader: Callable[..., ImageLoader]) -> None:
    _, state = some(loader(batch_size=10), 2)
    resumed = loader(batch_size=10)
    resumed.load_state_dict(state)
    assert samples(resumed) == []
    assert resumed.epoch == 1


def test_defaults(loader: Callable[..., ImageLoader]) -> None:
    source = loader(num_workers=None)
    assert source.num_workers >= 1
    assert source.persistent_workers
    assert source.prefetch_factor == 2
    assert source.pin_memory is torch.cuda.is_available()
    assert not loader().persistent_workers


def test_mistakes_are_named(two_classes: Path, loader: Callable[..., ImageLoader]) -> None:
    root = two_classes / "val"
    with_transform = ImageFolder(root, transform=presets.classification_eval(SPEC))
    own = ImageDataset(read_class_folder(root), presets.classification_eval(SPEC), seed=1)
    for data, transform, seed, error, message in (
        (root / "none", SPEC, None, ValueError, "no such folder"),
        (two_classes, SPEC, None, ValueError, r"with train, val: pass .*train$"),
        (root, None, None, ValueError, "expected a transform"),
        (with_transform, SPEC, None, ValueError, "give the transform to it"),
        (own, SPEC, None, ValueError, "has its own transform and seed"),
        (own, None, 2, ValueError, "has its own transform and seed"),
        (iter([]), None, None, TypeError, "with a length and an index, got list_iterator"),
        ([], None, None, ValueError, "got an empty dataset"),
        (root, "train", None, TypeError, "expected a transform .*, got 'train'"),
        (ImageFolder(root), None, None, ValueError, "expected a transform .*, got None"),
        (root, SPEC, "3", TypeError, "seeds and epochs as integers, got .'3'"),
        (root, SPEC, 2**64, ValueError, r"from -2\*\*63 to 2\*\*63 - 1, got .18446744073709551616"),
    ):
        with pytest.raises(error, match=message):
            make_loader(data, transform, batch_size=1, shuffle=False, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="24 samples a process are fewer than a batch of 25"):
        loader(batch_size=25, drop_last=True)
    with pytest.raises(TypeError, match="batch_size as an integer, got '8'"):
        loader(batch_size="8")
    with pytest.raises(TypeError, match=r"an epoch as an integer, got 1\.5"):
        loader().set_epoch(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", ["folder", "ImageFolder"])
@pytest.mark.parametrize("damage", ["cut off", "bad code"])
def test_bad_file_is_named_once(tmp_path: Path, two_classes: Path, workers: int, kind: str, damage: str) -> None:
    root = shutil.copytree(two_classes / "val", tmp_path / "val")
    bad = root / "flat" / "3.jpg"
    data = bad.read_bytes()
    # The end is looked for when the picture is opened, codes are read when it is decoded.
    bad.write_bytes(data[:300] if damage == "cut off" else data[:-200] + b"\xff\x00" * 99 + data[-2:])
    data = (
        root
        if kind == "folder"
        else ImageFolder(root, loader=fl.read_bytes, transform=presets.classification_eval(SPEC))
    )
    source = make_loader(data, SPEC if kind == "folder" else None, batch_size=4, shuffle=False, num_workers=workers)
    with pytest.raises(SampleError) as caught:
        list(source)
    assert str(caught.value).startswith(f"{bad}: ")
    assert str(caught.value).count(str(bad)) == 1
    assert "Traceback" not in str(caught.value), "of a worker either"


def test_sample_without_a_file_is_named_by_its_index() -> None:
    class Broken:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            raise ValueError("no such sample")

    with pytest.raises(SampleError, match="sample 2: no such sample"):
        SeededDataset(Broken())[2]


def test_workers_leave_ctrl_c_to_the_main_process(loader: Callable[..., ImageLoader]) -> None:
    source = loader(num_workers=1)
    iterator = iter(source)
    seen = samples([next(iterator)])
    for worker in multiprocessing.active_children():
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGINT)  # as a terminal does
    assert same(seen + samples(iterator), samples(loader()))
