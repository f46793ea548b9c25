"""Packed sets in loaders, evaluations, statistics and presets: as a folder of the same files, with one argument."""

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import webdataset
from packed_files import write_packed

import freqlearn as fl
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.shards import Part, open_shards
from freqlearn.pipelines.stats import stats
from freqlearn.pipelines.unfinished import Unfinished

DCT_24 = fl.ChannelSet.square(24)
SPEC = fl.InputSpec("dct", DCT_24, (3.0,) * 24, (50.0,) * 24, size_px=32, resize_px=48)


@pytest.fixture(scope="module")
def packed(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> fl.PackedSet:
    """two_classes for DCT-24 at 32 of 48 px: 24 training images in 5 shards, 10 validation images in 2."""
    return write_packed(two_classes, tmp_path_factory.mktemp("set"), SPEC)


@pytest.fixture(scope="module")
def files(packed: fl.PackedSet) -> Path:
    """The same files as class folders."""
    return packed.root.parent / "files"


@pytest.fixture(scope="module")
def with_all(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> fl.PackedSet:
    """The same with all channels in the files."""
    return write_packed(two_classes, tmp_path_factory.mktemp("all"), SPEC, channels="all")


def loaded(data: object, transform: object = None, **options: object) -> dict[bytes, int]:
    """Tensor -> label of everything that a loader gives."""
    usual = {"batch_size": 4, "num_workers": 0, "num_threads": 1, "shuffle": False}
    found = {}
    for images, labels in make_loader(data, transform, **(usual | options)):  # type: ignore[arg-type]
        found |= {image.numpy().tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
    return found


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_gives_what_the_same_files_give(packed: fl.PackedSet, files: Path, split: str):
    found = loaded(packed.root / split, SPEC)
    assert found == loaded(files / split, SPEC)
    assert len(found) == packed.splits[split].images
    assert found == loaded(str(packed.root / split))  # the index has the spec


def test_a_whole_set_means_the_split_for_the_purpose(packed: fl.PackedSet, files: Path):
    flipless = fl.presets.classification_eval(SPEC)
    assert loaded(packed) == loaded(packed.root) == loaded(files / "val", SPEC)
    assert loaded(packed.root, flipless, shuffle=True, drop_last=False) == loaded(files / "train", SPEC)


def test_training_order_depends_on_seed_and_epoch_alone(packed: fl.PackedSet):
    def order(workers: int, epoch: int) -> torch.Tensor:
        loader = make_loader(packed, batch_size=4, shuffle=True, num_workers=workers, seed=1)
        loader.set_epoch(epoch)
        return torch.cat([images for images, _ in loader])

    assert torch.equal(order(0, 0), order(2, 0))
    assert not torch.equal(order(0, 0), order(0, 1))


def test_shards_by_a_pattern_are_known_too(packed: fl.PackedSet):
    shards = open_shards(f"{packed.root}/train/{{0001..0003}}.tar")
    assert (shards.packed, len(shards), shards.sizes) == (packed, 15, (5, 5, 5))
    rgb = fl.InputSpec.preset("imagenet-rgb")
    with pytest.raises(ValueError, match=r"packed files carry DCT-24 .* alone, and RGB needs all 192"):
        make_loader(shards, rgb, batch_size=1, shuffle=False)


@pytest.mark.parametrize("folder", ["train", "."])
def test_paths_relative_to_the_working_folder(packed: fl.PackedSet, folder: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(packed.root / "train")
    assert len(open_shards("." if folder == "." else "../train")) == 24
    monkeypatch.chdir(packed.root)
    assert len(open_shards("train")) == 24


def test_samples_in_random_order_are_read_in_longer_runs(packed: fl.PackedSet):
    shards = open_shards(packed.root / "train")
    large = replace(shards, parts=(Part(0, 0, 5120),), images=5120, sizes=(5120,))
    assert [run.samples for run in large.runs()] == [20] * 256
    assert [run.samples for run in replace(large, packed=None).runs()] == [5] * 1024


def test_many_shards_are_shuffled_whole(packed: fl.PackedSet, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("freqlearn.pipelines.shards.shard_set._MANY_SHARDS", 5)
    shards = open_shards(packed.root / "train")
    assert [run.samples for run in shards.runs()] == [5, 5, 5, 5, 4]
    assert len(open_shards(packed.root / "val").runs()) == 10
    assert loaded(shards, SPEC) == loaded(packed.root.parent / "files" / "train", SPEC)


def test_presets_take_a_packed_set(packed: fl.PackedSet, files: Path):
    picture = next((files / "val").glob("*/*.jpg"))
    expected = fl.presets.classification_eval(SPEC)(picture)
    for given in (packed, packed.root, str(packed.root / "index.json")):
        assert torch.equal(fl.presets.classification_eval(given)(picture), expected)
    assert fl.presets.classification_train(packed)(picture).shape == (24, 4, 4)


@pytest.mark.parametrize(
    ("given", "error"),
    [("imagenet-448", ValueError), ("nowhere/at-all", ValueError), (DCT_24, TypeError), (None, TypeError)],
)
def test_presets_say_what_they_take(given: object, error: type[Exception]):
    with pytest.raises(error, match="expected an InputSpec, or a packed set or its folder, got"):
        fl.presets.classification_train(given)  # type: ignore[arg-type]


def test_webdataset_reads_its_shards(packed: fl.PackedSet, files: Path):
    urls = [str(path) for path in packed.shards("val")]
    samples = webdataset.WebDataset(urls, shardshuffle=False).to_tuple("jpg", "cls")
    transform = fl.presets.classification_eval(packed)
    assert {transform(jpg).numpy().tobytes(): int(cls) for jpg, cls in samples} == loaded(files / "val", SPEC)


def test_a_set_with_all_channels_takes_other_sizes_and_rgb(with_all: fl.PackedSet):
    files = with_all.root.parent / "files" / "val"
    for spec in (
        fl.InputSpec.unstandardised(fl.ChannelSet.square(64), 24, 32),
        fl.InputSpec("rgb", None, (0.5,) * 3, (0.2,) * 3, 24, 32),
    ):
        assert loaded(with_all, spec) == loaded(files, spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            fl.InputSpec.unstandardised(fl.ChannelSet.square(32), 32, 48),
            r"and not Y\(0,4\), Y\(1,4\), Y\(2,4\), Y\(4,0\) and 4 more;",
        ),
        (fl.InputSpec.unstandardised(DCT_24, 24, 48), "at size_px 32 and resize_px 48: .* got 24 and 48"),
        (fl.InputSpec.unstandardised(DCT_24, 32, 40), "got 32 and 40"),
        (fl.InputSpec("rgb", None, (0.5,) * 3, (0.2,) * 3, 32, 48), "RGB needs all 192"),
    ],
    ids=["channels", "size", "resize", "rgb"],
)
def test_a_model_that_sees_something_else(packed: fl.PackedSet, spec: fl.InputSpec, message: str):
    with pytest.raises(ValueError, match=message):
        make_loader(packed, spec, batch_size=1, shuffle=False)


def test_a_transform_with_channels_that_are_not_there(packed: fl.PackedSet):
    transform = fl.presets.classification_eval(fl.InputSpec.unstandardised(fl.ChannelSet.square(48), 32, 48))
    with pytest.raises(ValueError, match="and not "):
        make_loader(packed, transform, batch_size=1, shuffle=False)


def damaged(packed: fl.PackedSet, folder: Path) -> Path:
    """A copy that can be damaged."""
    return Path(shutil.copytree(packed.root, folder / "copy"))


def test_a_missing_shard(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    (root / "train" / "0002.tar").unlink()
    with pytest.raises(ValueError, match=r"train/0002.tar: expected this shard of a packed set: No such file"):
        make_loader(root, batch_size=1, shuffle=True)
    shutil.rmtree(root / "val")
    with pytest.raises(ValueError, match=r"val/0000.tar: expected this shard of a packed set: No such file"):
        make_loader(root, batch_size=1, shuffle=False)


def test_a_shard_of_another_size(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    shard = root / "val" / "0001.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    with pytest.raises(
        ValueError, match=r"val/0001.tar: expected \d+ bytes, as index.json says, got \d+; copy it anew"
    ):
        make_loader(root / "val", batch_size=1, shuffle=False)


def test_a_shard_with_other_samples_of_the_same_size(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    shard = root / "val" / "0000.tar"
    content = shard.read_bytes()
    with tarfile.open(shard) as tar:
        begin = tar.getmembers()[-2].offset  # the last sample's picture: zeros from here on are an end mark
    shard.write_bytes(content[:begin] + bytes(len(content) - begin))
    with pytest.raises(SampleError, match=r"val/0000.tar"):
        loaded(root / "val")


def test_a_shard_that_the_index_does_not_have(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    shutil.copy(root / "val" / "0000.tar", root / "val" / "0007.tar")
    with pytest.raises(ValueError, match=r"val/0007.tar: expected shards of the packed set .* has no such one"):
        open_shards(f"{root}/val/*.tar")
    assert len(open_shards(root / "val")) == 10  # its shards are those of the index


def test_an_index_that_is_cut_off(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    index = root / "index.json"
    index.write_text(index.read_text()[:-100])
    for data in (root, root / "train", f"{root}/train/0000.tar"):
        with pytest.raises(ValueError, match=r"index.json: expected the index of a packed set as JSON"):
            make_loader(data, SPEC, batch_size=1, shuffle=False)


def test_a_set_that_is_not_finished(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    unfinished = Unfinished(root / "index.json", "this run")
    unfinished.start()
    unfinished.append("train/0000.tar", {})
    assert len(loaded(root)) == 10  # only just finished
    (root / "index.json").unlink()
    for data in (root, root / "val", f"{root}/val/*.tar"):
        with pytest.raises(ValueError, match=r"expected a packed set, got an unfinished one"):
            make_loader(data, SPEC, batch_size=1, shuffle=False)


def test_another_index_beside_class_folders_is_none(two_classes: Path, tmp_path: Path):
    root = Path(shutil.copytree(two_classes / "val", tmp_path / "val"))
    (root / "index.json").write_text('{"made by": "something else"}')
    plain = fl.InputSpec.unstandardised(DCT_24, 32)
    assert loaded(root, plain) == loaded(two_classes / "val", plain)


def test_splits_of_which_none_is_for_the_purpose(packed: fl.PackedSet, tmp_path: Path):
    root = damaged(packed, tmp_path)
    other = fl.PackedSet.load(root).to_dict()
    for before, after in (("train", "first"), ("val", "second")):
        (root / before).rename(root / after)
    index = json.dumps(other).replace('"train', '"first').replace('"val', '"second')
    (root / "index.json").write_text(index)
    with pytest.raises(ValueError, match=f"pass one of them: {root}/first or {root}/second"):
        make_loader(root, batch_size=1, shuffle=True)
    assert loaded(root / "second") == loaded(packed.root / "val")


def test_statistics_are_those_of_the_same_files(packed: fl.PackedSet, files: Path, tmp_path: Path):
    found = stats(packed.root, tmp_path / "spec.json", progress=False).spec
    expected = stats(files / "train", size_px=32, resize_px=48, channels="24", progress=False).spec
    assert (found.channels, found.size_px, found.resize_px) == (DCT_24, 32, 48)
    assert found.mean == pytest.approx(expected.mean)  # summed in another order
    assert found.std == pytest.approx(expected.std)
    with pytest.raises(ValueError, match="and not "):
        stats(packed.root, channels="all", progress=False)
    with pytest.raises(ValueError, match="got 24 and 27"):
        stats(packed.root, size_px=24, progress=False)
    validation = stats(packed.root / "val", sample=4, progress=False)
    assert validation.statistics.images == 4
