import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.datasets import ImageFolder

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines import cli
from freqlearn.pipelines.data import ImageDataset, derived_seed, seeded
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.run_data import open_data
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)


def dataset(two_classes: Path, *, seed: int = 3) -> ImageDataset:
    return ImageDataset(read_class_folder(two_classes / "train"), presets.classification_train(SPEC), seed=seed)


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


@pytest.mark.usefixtures("fresh_logging")
def test_folder_that_may_not_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which torchvision's ImageFolder takes it for. The refusal is made up: whoever is root may read everything."""
    root = make_tree(tmp_path / "data", "a/1/x.jpg", "a/2/x.jpg", "b/x.jpg")
    scandir = os.scandir

    def refusing(path: str | os.PathLike[str]) -> Any:
        if os.fspath(path) == str(root / "a" / "2"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(PermissionError):
        read_class_folder(root)
    assert cli.main(["train", "--data", str(root), "--output", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == f"freqlearn: {root}/a/2: Permission denied\n"


def test_order_of_folders_below_a_class_is_torchvision_s(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "data", "b/x.PNG", "b/1/z.jpg", "b/1/a.webp", "a/k.jpg", "a/B/x.jpg", "a/note.txt")
    folder, expected = read_class_folder(root), ImageFolder(root)
    assert [(str(path), label) for path, label in zip(folder.paths(), folder.labels.tolist(), strict=True)] == (
        expected.samples
    )


def test_split_fraction_out_of_range(two_classes: Path) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1, got 1"):
        read_class_folder(two_classes / "val").split(1.0)
