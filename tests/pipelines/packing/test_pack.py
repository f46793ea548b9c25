"""`freqlearn pack`: what is in the shards and in the index, and what it takes."""

import hashlib
import io
import json
import os
import shutil
import tarfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import webdataset
from folder_contents import contents
from PIL import Image

import freqlearn as fl
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.packing.checking import check
from freqlearn.pipelines.packing.options import PackOptions
from freqlearn.pipelines.packing.running import pack
from freqlearn.pipelines.stats import stats
from freqlearn.quality import quality_tables
from freqlearn.repacking import Repacking

DCT_24 = fl.ChannelSet.square(24)


def samples_of(root, split):
    """(shard, key, JPEG, label) of a split, by webdataset."""
    found = []
    for path in sorted((root / split).glob("*.tar")):
        for sample in webdataset.WebDataset(str(path), shardshuffle=False):
            found.append((path.name, sample["__key__"], sample["jpg"], int(sample["cls"])))
    return found


def test_shards_hold_every_photo_as_evaluation_sees_it(mixed_photos, mixed_set):
    classes = ["cat", "wild dog"]
    assert (mixed_set / "classes.txt").read_text().splitlines() == classes
    repacking = Repacking(48, 32, channels=DCT_24, quality=80)
    for split, count in (("train", 10), ("val", 4)):
        samples = samples_of(mixed_set, split)
        assert len(samples) == len({key for _, key, _, _ in samples}) == count
        assert max(Counter(shard for shard, *_ in samples).values()) == 3
        packed = Counter()
        for photo in (path for path in (mixed_photos / split).glob("*/*") if path.suffix != ".txt"):
            jpeg = fl.write_jpeg(repacking(fl.read_dct(photo)), metadata="orientation")
            packed[jpeg, classes.index(photo.parent.name)] += 1
        assert packed == Counter((jpeg, label) for _, _, jpeg, label in samples)


def test_pictures_are_files_that_pillow_reads(mixed_set):
    orientations = Counter()
    for _, _, jpeg, _ in samples_of(mixed_set, "train"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            img = Image.open(io.BytesIO(jpeg))
            img.load()
        assert min(img.size) == 48
        orientations[img.getexif().get(0x0112, 1)] += 1
    assert orientations == {1: 8, 6: 2}


def test_names_say_which_photo_it_is(mixed_set):
    names = sorted(key.partition("-")[2] for _, key, _, _ in samples_of(mixed_set, "train"))
    assert names == sorted(
        ["plain", "picture", *["portrait_of_a_dog", "tiny", "gray", "turned-_"] * 2],
    )
    assert [key.partition("-")[0] for _, key, _, _ in samples_of(mixed_set, "train")] == [f"{i:07}" for i in range(10)]


def test_index_says_what_there_is(mixed_photos, mixed_set):
    packed = PackedSet.load(mixed_set)
    assert packed.classes == ("cat", "wild dog")
    assert (packed.channels, packed.spec.channels) == (DCT_24, DCT_24)
    assert (packed.spec.size_px, packed.spec.resize_px, packed.packing.short_side_px) == (32, 48, 48)
    assert (packed.packing.quality, packed.packing.sampling, packed.packing.seed) == (80, "4:4:4", 0)
    luminance, chrominance = quality_tables(80)
    for table, expected in zip(packed.packing.tables, (luminance, chrominance, chrominance), strict=True):
        np.testing.assert_array_equal(table, expected)
    # The tiny photos alone are smaller than 48 px: one a class.
    assert {name: (split.images, split.enlarged) for name, split in packed.splits.items()} == {
        "train": (10, 2),
        "val": (4, 0),
    }
    for name, split in packed.splits.items():
        assert [mixed_set / shard.file for shard in split.shards] == sorted((mixed_set / name).iterdir())
        for shard in split.shards:
            content = (mixed_set / shard.file).read_bytes()
            assert (shard.bytes, shard.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    measured = stats(mixed_photos / "train", size_px=32, resize_px=48, channels="24", progress=False).spec
    np.testing.assert_allclose(packed.spec.mean, measured.mean, rtol=1e-9)
    np.testing.assert_allclose(packed.spec.std, measured.std, rtol=1e-9)


def test_bytes_depend_on_photos_and_options_alone(mixed_photos, mixed_set, pack_options, tmp_path):
    elsewhere = shutil.copytree(mixed_photos, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    for threads in (1, 5):
        pack(pack_options(tmp_path / f"{threads}", data=elsewhere, threads=threads))
        assert contents(tmp_path / f"{threads}") == contents(mixed_set)
    with tarfile.open(next((mixed_set / "train").iterdir())) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")


def test_the_seed_orders_the_photos(mixed_set, pack_options, tmp_path):
    pack(pack_options(tmp_path / "other", seed=1))
    one, other = (
        [(jpeg, label) for *_, jpeg, label in samples_of(root, "train")] for root in (mixed_set, tmp_path / "other")
    )
    assert one != other
    assert sorted(one) == sorted(other)
    labels = [label for _, label in one]
    assert labels not in (sorted(labels), sorted(labels, reverse=True))


def with_bad_photo(mixed_photos, folder):
    photos = Path(shutil.copytree(mixed_photos, folder))
    bad = photos / "train/cat/tiny.JPEG"
    bad.write_bytes(bad.read_bytes()[:-40])
    return photos, bad


def test_a_bad_photo_is_an_error_that_names_it(mixed_photos, pack_options, tmp_path):
    photos, bad = with_bad_photo(mixed_photos, tmp_path / "photos")
    with pytest.raises(ValueError, match=rf"{bad}: .*--on-bad-image skip"):
        pack(pack_options(tmp_path / "packed", data=photos))
    assert not (tmp_path / "packed/index.json").exists()


def test_bad_photos_can_be_left_out(mixed_photos, mixed_set, pack_options, tmp_path):
    photos, bad = with_bad_photo(mixed_photos, tmp_path / "photos")
    report = pack(pack_options(tmp_path / "packed", data=photos, on_bad_image="skip"))
    assert report.to_dict()["splits"]["train"]["skipped"] == 1
    assert [one["file"] for one in report.to_dict()["skipped"]] == [str(bad)]
    assert str(bad) in (tmp_path / "packed/bad_images.csv").read_text()
    packed = PackedSet.load(tmp_path / "packed")
    assert packed.splits["train"].images == 9
    assert packed.splits["train"].enlarged == 1
    assert check(tmp_path / "packed", data=photos, progress=False) == []
    good = Counter((jpeg, label) for _, key, jpeg, label in samples_of(mixed_set, "train"))
    without = Counter((jpeg, label) for _, key, jpeg, label in samples_of(tmp_path / "packed", "train"))
    assert without < good


def test_a_shard_without_any_good_photo_is_left_out(mixed_photos, pack_options, tmp_path):
    photos, _ = with_bad_photo(mixed_photos, tmp_path / "photos")
    pack(pack_options(tmp_path / "packed", data=photos, on_bad_image="skip", shard_images=1))
    packed = PackedSet.load(tmp_path / "packed")
    assert len(packed.splits["train"].shards) == 9
    assert len(list((tmp_path / "packed/train").iterdir())) == 9
    for path in (photos / "val").glob("*/*"):
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of the photos of val can be read; the first: "):
        pack(pack_options(tmp_path / "other", data=photos, on_bad_image="skip"))


def test_class_folders_alone_are_one_split(mixed_photos, pack_options, tmp_path):
    pack(pack_options(tmp_path / "packed", data=mixed_photos / "val"))
    assert list(PackedSet.load(tmp_path / "packed").splits) == ["train"]


def test_splits_have_the_classes_of_training(mixed_photos, pack_options, tmp_path):
    photos = Path(shutil.copytree(mixed_photos, tmp_path / "photos"))
    shutil.rmtree(photos / "val/cat")
    shutil.copytree(photos / "val", photos / "test")
    pack(pack_options(tmp_path / "packed", data=photos))
    packed = PackedSet.load(tmp_path / "packed")
    assert list(packed.splits) == ["train", "val", "test"]
    assert [label for *_, label in samples_of(tmp_path / "packed", "test")] == [1, 1]
    (photos / "val/wild dog").rename(photos / "val/fox")
    with pytest.raises(ValueError, match="class folder 'fox' is not among the 2 known classes"):
        pack(pack_options(tmp_path / "other", data=photos))


@pytest.mark.parametrize("name", [b" a", b"a\nb", b"\xff"], ids=["blank", "two lines", "no text"])
def test_classes_that_a_list_cannot_hold(make_jpeg, pack_options, tmp_path, name):
    folder = tmp_path / "photos" / os.fsdecode(name)
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(make_jpeg(40, 40))
    with pytest.raises(ValueError, match=r"photos: class folders: expected names of .*; rename them"):
        pack(pack_options(tmp_path / "out", data=tmp_path / "photos"))
    assert not (tmp_path / "out").exists()


def test_a_spec_says_sizes_channels_mean_and_std(pack_options, tmp_path):
    spec = fl.InputSpec("dct", DCT_24, (3.0,) * 24, (50.0,) * 24, size_px=32, resize_px=64)
    spec.save(tmp_path / "spec.json")
    given = {"spec": str(tmp_path / "spec.json"), "size": None, "crop": None}
    pack(pack_options(tmp_path / "same", **given, channels=None))
    packed = PackedSet.load(tmp_path / "same")
    assert (packed.spec, packed.channels) == (spec, DCT_24)
    pack(pack_options(tmp_path / "more", **given, channels="64"))
    packed = PackedSet.load(tmp_path / "more")
    assert (packed.spec, packed.channels) == (spec, fl.ChannelSet.square(64))
    pack(pack_options(tmp_path / "fewer", **given, channels="0-2,64"))
    packed = PackedSet.load(tmp_path / "fewer")
    assert packed.spec == spec.select(fl.ChannelSet.of([0, 1, 2, 64]))


def test_halved_chroma(mixed_photos, pack_options, tmp_path):
    pack(pack_options(tmp_path / "packed", sampling="4:2:0"))
    assert check(tmp_path / "packed", data=mixed_photos, progress=False) == []
    samplings = {fl.read_info(jpeg).sampling for _, _, jpeg, _ in samples_of(tmp_path / "packed", "train")}
    assert samplings == {((1, 1),), ((2, 2), (1, 1), (1, 1))}


@pytest.mark.parametrize("count", [1, 2, 3, "JPEG"])
def test_tables_from_a_file(make_jpeg, pack_options, tmp_path, count):
    if count == "JPEG":
        path = tmp_path / "other.jpg"
        path.write_bytes(make_jpeg(20, 20, quality=33))
        tables = [*quality_tables(33), quality_tables(33)[1]]
    else:
        path = tmp_path / "tables.json"
        listed = [(np.arange(64) + 1 + number).tolist() for number in range(count)]
        listed[-1] = np.reshape(listed[-1], (8, 8)).tolist()
        path.write_text(json.dumps(listed))
        tables = [np.arange(64).reshape(8, 8) + 1 + min(number, count - 1) for number in range(3)]
    pack(pack_options(tmp_path / "packed", quality=None, quant_tables=path))
    packing = PackedSet.load(tmp_path / "packed").packing
    assert packing.quality is None
    for table, expected in zip(packing.tables, tables, strict=True):
        np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{}", "expected a list of quantisation tables, got dict"),
        ("[]", "expected one, two or three quantisation tables, got 0"),
        ("[[1, 2]]", r"table 0 of shape \(8, 8\)"),
        ("[[[1], [1, 2]]]", "64 entries of quantisation table 0"),
        (json.dumps([[0] * 64]), "entries 1 to 65535, got"),
        (json.dumps([[1.5] * 64]), "of integers, got float64"),
        ("nothing", "Expecting value"),
    ],
)
def test_tables_that_are_none(pack_options, tmp_path, text, match):
    path = tmp_path / "tables.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{path}: .*{match}"):
        pack(pack_options(tmp_path / "packed", quality=None, quant_tables=path))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"size": 50}, "short_side_px = crop_px"),
        ({"crop": 20, "size": 36}, "crop_px to be a positive multiple of 8"),
        ({"quality": 101}, "quality in 1..100, got 101"),
        ({"channels": "70000"}, "channels: "),
        ({"top": 3}, "top 3 is for an importance file"),
        ({"sampling": "4:2:0", "channels": "96-96"}, "v and u below 4, got Cb"),
        ({"spec": "imagenet-rgb", "size": None, "crop": None}, "frequency channels"),
        ({"spec": "nowhere.json", "size": None, "crop": None}, "neither a spec file nor a preset"),
    ],
    ids=str,
)
def test_options_that_cannot_be_packed(pack_options, tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        pack(pack_options(tmp_path / "packed", **changes))
    assert not (tmp_path / "packed").exists()


def test_a_spec_must_resize(pack_options, tmp_path):
    fl.InputSpec.unstandardised(DCT_24, 32).save(tmp_path / "spec.json")
    with pytest.raises(ValueError, match="a spec that resizes photos for evaluation, got one without resize_px"):
        pack(pack_options(tmp_path / "packed", spec=str(tmp_path / "spec.json"), size=None, crop=None))
    fl.InputSpec.unstandardised(DCT_24, 32, 40).save(tmp_path / "spec.json")
    with pytest.raises(ValueError, match=r"spec.json \(resize_px .*\): expected short_side_px"):
        pack(pack_options(tmp_path / "packed", spec=str(tmp_path / "spec.json"), size=None, crop=None))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"data": Path("d")}, "freqlearn pack DIR OUT; or"),
        ({"data": Path("d"), "output": Path("o")}, "spec, or the channels .* got neither"),
        ({"data": Path("d"), "output": Path("o"), "spec": "s", "crop": 448}, "s says the sizes"),
        ({"data": Path("d"), "output": Path("o"), "channels": 24, "quality": 3, "quant_tables": Path("q")}, "got both"),
        (
            {"data": Path("d"), "output": Path("o"), "channels": 24, "shard_images": 0},
            "shard_images must be at least 1",
        ),
        ({"data": Path("d"), "output": Path("o"), "channels": 24, "threads": 0}, "threads must be at least 1"),
        (
            {"check": Path("o"), "quality": 3, "seed": 4},
            "--check reads what was packed, and how: leave out quality, seed",
        ),
    ],
    ids=str,
)
def test_options_that_contradict_each_other(options, match):
    with pytest.raises(ValueError, match=match):
        PackOptions(**options)


def test_the_command_reports(mixed_photos, tmp_path, capsys):
    argv = ["pack", str(mixed_photos), str(tmp_path / "packed"), "--size=48", "--crop=32", "--channels=24"]
    assert main([*argv, "--no-progress", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    train = report["splits"]["train"]
    assert (train["images"], train["shards"], train["enlarged"], train["skipped"]) == (10, 1, 2, 0)
    files = [path for path in (mixed_photos / "train").glob("*/*") if path.suffix != ".txt"]
    assert train["photo_bytes"] == sum(os.path.getsize(path) for path in files)
    assert train["jpeg_bytes"] == sum(len(jpeg) for _, _, jpeg, _ in samples_of(tmp_path / "packed", "train"))
    assert train["shard_bytes"] == os.path.getsize(tmp_path / "packed/train/0000.tar")
    assert main([*argv, "--no-progress"]) == 2
    assert "got one with a packed set" in capsys.readouterr().err
