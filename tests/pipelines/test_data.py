import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from torchvision.datasets import ImageFolder

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines import data as data_module
from freqlearn.pipelines.data import EpochSampler, ImageDataset, SampleError, derived_seed, make_loader, seeded
from freqlearn.pipelines.folders import open_data, read_class_folder
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)


def dataset(two_classes: Path, *, seed: int = 3) -> ImageDataset:
    return ImageDataset(read_class_folder(two_classes / "train"), presets.classification_train(SPEC), seed=seed)


def epochs(source: ImageDataset, *, batch_size: int, workers: int) -> list[torch.Tensor]:
    """All samples of two epochs, each epoch one tensor, in the order in which the loader yields them."""
    loader = make_loader(source, batch_size=batch_size, shuffle=True, workers=workers)
    result = []
    for epoch in range(2):
        assert isinstance(loader.sampler, EpochSampler)
        loader.sampler.set_epoch(epoch)
        result.append(torch.cat([images for images, _ in loader]))
    return result


def test_samples_do_not_depend_on_workers_or_batch_size(two_classes: Path) -> None:
    reference = epochs(dataset(two_classes), batch_size=1, workers=0)
    for batch_size, workers in ((8, 0), (8, 2), (3, 1)):
        got = epochs(dataset(two_classes), batch_size=batch_size, workers=workers)
        assert all(torch.equal(one, other) for one, other in zip(got, reference, strict=True))


def test_samples_depend_on_seed_epoch_and_index(two_classes: Path) -> None:
    samples = dataset(two_classes)
    image = samples[0, 0][0]
    assert torch.equal(image, samples[0, 0][0])
    assert torch.equal(image, samples[0][0])
    assert not torch.equal(image, samples[1, 0][0])
    assert not torch.equal(image, dataset(two_classes, seed=4)[0, 0][0])


def test_sample_is_what_torch_draws_from_the_derived_seed(two_classes: Path) -> None:
    samples = dataset(two_classes, seed=3)
    torch.manual_seed(derived_seed(3, 2, 7))
    expected = presets.classification_train(SPEC)(samples.folder.path(7).read_bytes())
    assert torch.equal(samples[2, 7][0], expected)


def test_callers_random_state_is_kept(two_classes: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    dataset(two_classes)[0, 0]
    with pytest.raises(RuntimeError, match="inside"), seeded(1, 2):
        raise RuntimeError("inside")
    assert torch.equal(torch.rand(3), expected)


def test_derived_seeds_differ() -> None:
    seeds = {derived_seed(seed, epoch, index) for seed in range(8) for epoch in range(8) for index in range(8)}
    assert len(seeds) == 8**3


def test_dataset_can_be_sent_to_a_spawned_worker(two_classes: Path) -> None:
    samples = dataset(two_classes)
    assert torch.equal(pickle.loads(pickle.dumps(samples))[1, 2][0], samples[1, 2][0])


def test_cache_gives_the_same_tensors_without_reading_again(tmp_path: Path, two_classes: Path) -> None:
    copy = shutil.copytree(two_classes / "val", tmp_path / "val")
    cached = ImageDataset(read_class_folder(copy), presets.classification_eval(SPEC), cache=True)
    before = [cached[index][0].clone() for index in range(len(cached))]
    shutil.rmtree(copy)
    assert all(torch.equal(cached[index][0], before[index]) for index in range(len(cached)))


def test_sampler_permutes_anew_in_every_epoch() -> None:
    sampler = EpochSampler(50, shuffle=True, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert {epoch for epoch, _ in first} == {0}
    assert {epoch for epoch, _ in second} == {1}
    assert sorted(index for _, index in first) == sorted(index for _, index in second) == list(range(50))
    assert [index for _, index in first] != [index for _, index in second]
    assert list(EpochSampler(50, shuffle=True, seed=5)) == first
    assert list(EpochSampler(4, shuffle=False)) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_sampler_resumes_in_the_middle_of_an_epoch() -> None:
    whole = EpochSampler(20, shuffle=True, seed=1)
    whole.set_epoch(3)
    expected = list(whole)
    resumed = EpochSampler(20, shuffle=True, seed=1)
    resumed.resume(3, 12)
    resumed.set_epoch(3)
    assert list(resumed) == expected[12:]
    assert list(resumed) == expected, "only one iteration is cut short"
    assert len(resumed) == 20


def test_sampler_shares_an_epoch_among_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [index for _, index in EpochSampler(10, shuffle=True, seed=2)]
    shares = []
    for rank in range(4):
        monkeypatch.setattr(data_module, "_rank_and_world", lambda rank=rank: (rank, 4))
        sampler = EpochSampler(10, shuffle=True, seed=2)
        shares.append([index for _, index in sampler])
        assert len(shares[-1]) == len(sampler) == 3
    assert {index for share in shares for index in share} == set(range(10))
    assert shares[1][0] == whole[1]


def test_last_small_batch_is_dropped_in_training_only(two_classes: Path) -> None:
    folder = dataset(two_classes)
    assert [len(labels) for _, labels in make_loader(folder, batch_size=10, shuffle=True)] == [10, 10]
    assert [len(labels) for _, labels in make_loader(folder, batch_size=10, shuffle=False)] == [10, 10, 4]
    assert [len(labels) for _, labels in make_loader(folder, batch_size=99, shuffle=True)] == [24]


def test_folder_is_read_as_torchvision_reads_it(two_classes: Path) -> None:
    folder, expected = read_class_folder(two_classes / "train"), ImageFolder(two_classes / "train")
    assert list(folder.classes) == expected.classes
    assert [
        (str(path), int(label)) for path, label in zip(folder.paths(), folder.labels, strict=True)
    ] == expected.samples


def test_split_holds_out_the_same_share_of_every_class(two_classes: Path) -> None:
    folder = read_class_folder(two_classes / "train")
    train, val = folder.split(0.25, seed=1)
    assert torch.bincount(torch.tensor(val.labels)).tolist() == [3, 3]
    assert set(train.paths()).isdisjoint(val.paths())
    assert set(train.paths()) | set(val.paths()) == set(folder.paths())
    assert set(folder.split(0.25, seed=1)[1].paths()) == set(val.paths())
    assert set(folder.split(0.25, seed=2)[1].paths()) != set(val.paths())
    assert len(folder.split(0.001)[1]) == 2, "one a class at least"
    assert len(folder.split(0.0)[1]) == 0


def test_open_data_prefers_val_and_holds_out_otherwise(two_classes: Path) -> None:
    given = open_data(two_classes)
    assert given.val is not None
    assert (len(given.train), len(given.val), given.held_out) == (24, 10, None)
    split = open_data(two_classes / "train", val_fraction=0.25, seed=4)
    assert split.val is not None
    assert (len(split.train), len(split.val)) == (18, 6)
    assert split.held_out == {
        "fraction": 0.25,
        "seed": 4,
        "fingerprint": read_class_folder(two_classes / "train").fingerprint(),
    }
    assert open_data(two_classes / "train", val_fraction=0).val is None


def test_fingerprint_is_of_names_not_of_the_place(tmp_path: Path, two_classes: Path) -> None:
    folder = read_class_folder(two_classes / "val")
    copy = shutil.copytree(two_classes / "val", tmp_path / "elsewhere")
    assert read_class_folder(copy).fingerprint() == folder.fingerprint()
    os.rename(copy / "flat" / "0.jpg", copy / "flat" / "new.jpg")
    assert read_class_folder(copy).fingerprint() != folder.fingerprint()


def test_val_labels_are_those_of_training(tmp_path: Path, two_classes: Path) -> None:
    shutil.copytree(two_classes / "train", tmp_path / "train")
    shutil.copytree(two_classes / "val" / "stripes", tmp_path / "val" / "stripes")
    val = open_data(tmp_path).val
    assert val is not None
    assert val.classes == ("flat", "stripes")
    assert set(val.labels.tolist()) == {1}


def test_sample_is_a_subset_that_the_seed_chooses(two_classes: Path) -> None:
    folder = read_class_folder(two_classes / "train")
    chosen = folder.sample(5, seed=1)
    assert len(chosen) == 5
    assert set(chosen.paths()) < set(folder.paths())
    assert chosen.paths() != folder.sample(5, seed=2).paths()
    assert folder.sample(None) is folder


def make_tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        pytest.param((), "no such folder", id="missing"),
        pytest.param(("a.jpg",), "no class folders", id="images without classes"),
        pytest.param(("a/x.jpg", "b/readme.txt"), "class folder 'b' holds no image", id="empty class"),
        pytest.param(("train/a/x.jpg", "val/z/x.jpg"), "'z' is not among the 1 known classes", id="unknown class"),
        pytest.param(("a/x.jpg", "b/y.jpg"), "none can be held out", id="one image a class"),
    ],
)
def test_folder_mistakes_are_named(tmp_path: Path, paths: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_data(make_tree(tmp_path / "data", *paths))


def test_split_fraction_out_of_range(two_classes: Path) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1, got 1"):
        read_class_folder(two_classes / "val").split(1.0)


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_file_is_named_once(tmp_path: Path, two_classes: Path, workers: int) -> None:
    root = shutil.copytree(two_classes / "val", tmp_path / "val")
    bad = root / "flat" / "3.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    samples = ImageDataset(read_class_folder(root), presets.classification_eval(SPEC))
    with pytest.raises(SampleError) as caught:
        list(make_loader(samples, batch_size=4, shuffle=False, workers=workers))
    last_line = str(caught.value).strip().splitlines()[-1]
    assert last_line.count(str(bad)) == 1
