"""The index of a packed set: what was written is read, and what nobody wrote is refused by name."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packed_files import index_of

import freqlearn as fl
from freqlearn.packed_index import PackedShard, PackedSplit
from freqlearn.quality import quality_tables

DCT_24 = fl.ChannelSet.square(24)
SPEC = fl.InputSpec("dct", DCT_24, (3.0,) * 24, (50.0,) * 24, size_px=448, resize_px=512)


def shard(file: str, images: int = 3) -> PackedShard:
    return PackedShard(file, images, 10240, "0123456789abcdef" * 4)


@pytest.fixture
def packed(tmp_path: Path) -> fl.PackedSet:
    splits = {
        "train": PackedSplit(2, (shard("train/0000.tar"), shard("train/0001.tar", 1))),
        "val": PackedSplit(0, (shard("val/0000.tar"),)),
    }
    return index_of(tmp_path, ["cat", "guinea pig", "Äffchen"], SPEC, fl.ChannelSet.square(48) | DCT_24, splits)


def test_what_was_written_is_read(packed: fl.PackedSet, tmp_path: Path):
    for path in (tmp_path, str(tmp_path), tmp_path / "index.json"):
        assert fl.PackedSet.load(path) == packed
    assert (packed.splits["train"].images, packed.splits["train"].bytes) == (4, 20480)
    assert packed.shards("train") == (tmp_path / "train" / "0000.tar", tmp_path / "train" / "0001.tar")
    assert set(packed.channels) >= set(DCT_24)
    assert packed.is_pruned
    with pytest.raises(ValueError, match=f"{tmp_path}: expected one of the splits train, val, got 'test'"):
        packed.shards("test")


def test_tables_are_those_of_the_quality(packed: fl.PackedSet):
    for found, expected in zip(packed.packing.tables, (*quality_tables(90), quality_tables(90)[1]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_index_is_json_that_others_can_read(packed: fl.PackedSet, tmp_path: Path):
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert (index["format"], index["version"]) == ("freqlearn.packed_set", 1)
    assert index["splits"]["train"]["images"] == 4
    assert fl.InputSpec.from_dict(index["spec"]) == SPEC
    assert index["classes"][2] == "Äffchen"


def at(*path: str | int, value: Any) -> Callable[[Any], None]:
    """Puts a value somewhere into a document; `...` takes the field away."""

    def change(index: Any) -> None:
        for step in path[:-1]:
            index = index[step]
        if value is ...:
            del index[path[-1]]
        else:
            index[path[-1]] = value

    return change


FIRST = ("splits", "train", "shards", 0)
WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "another format": (at("format", value="freqlearn.input_spec"), r'expected the index of a packed set \("format"'),
    "a newer version": (at("version", value=2), r"expected version 1 .*, got 2; .*pack the photos anew"),
    "a field that is missing": (at("packing", value=...), r"missing: \['packing'\]"),
    "a field too many": (at("author", value="me"), r"unknown: \['author'\]"),
    "no classes": (at("classes", value=[]), r"classes: expected different names, got none"),
    "a class twice": (at("classes", 1, value="cat"), r"classes: expected different names, got 'cat' twice"),
    "a class of two lines": (at("classes", 1, value="a\nb"), r"classes: expected names of one line .*, got 'a\\nb'"),
    "a class of no text": (
        at("classes", 1, value="a\udcff"),
        r"classes: expected names of Unicode text, got 'a\\udcff'",
    ),
    "classes as text": (at("classes", value="cat"), r"classes: expected a list of names, got 'cat'"),
    "a spec without a number": (at("spec", "mean", value=[1.0]), r"spec: expected 24 numbers as mean"),
    "a spec of pixels": (
        lambda index: index.update(spec=fl.InputSpec.preset("imagenet-rgb").to_dict()),
        r'spec: expected one of the kind "dct", got "rgb"',
    ),
    "a spec of another size": (at("spec", "resize_px", value=480), r"spec: .* packed pictures, 512 px, .* got 480"),
    "a crop between blocks": (at("spec", "size_px", value=440), r"spec: .* to begin on a block, got 440 of 512"),
    "a spec of other channels": (
        at("packing", "channels", "indices", value=[0, 1]),
        r"spec: expected channels that the files carry, got Y\(0,2\), .* too",
    ),
    "channels that are none": (at("packing", "channels", "indices", value=[192]), r"packing\.channels: .*192"),
    "a short side as text": (at("packing", "short_side_px", value="512"), r"packing\.short_side_px: .* integer"),
    "quality 0": (at("packing", "quality", value=0), r"packing\.quality: expected 1 to 100, got 0"),
    "quality true": (at("packing", "quality", value=True), r"packing\.quality: expected an integer, got True"),
    "another quality": (at("packing", "quality", value=91), r"packing\.quality: expected none, .* a quality of 91"),
    "a large side": (at("packing", "short_side_px", value=2**40), r"packing\.short_side_px: expected 8 to 65535, got"),
    "a table of text": (
        at("packing", "quant_tables", 0, value="1" * 64),
        r"packing\.quant_tables: expected 64 integers",
    ),
    "two tables": (at("packing", "quant_tables", 2, value=...), r"packing\.quant_tables: expected three tables"),
    "half a table": (at("packing", "quant_tables", 1, value=[1] * 32), r"packing\.quant_tables: expected 64 integers"),
    "a table with a zero": (at("packing", "quant_tables", 0, 5, value=0), r"packing\.quant_tables: .* 1 to 65535"),
    "a table with 0.5": (
        at("packing", "quant_tables", 0, 5, value=0.5),
        r"packing\.quant_tables: expected 64 integers",
    ),
    "an odd sampling": (at("packing", "sampling", value="4:1:1"), r"packing\.sampling: expected one of 4:4:4, 4:2:0"),
    "a seed of 65 bits": (at("packing", "seed", value=2**64), r"packing\.seed: expected at least"),
    "no splits": (at("splits", value={}), r"splits: expected at least one, got none"),
    "splits in a list": (at("splits", value=[]), r"splits: expected an object, got list"),
    "a split that is a path": (
        lambda index: index["splits"].update({"..": index["splits"]["val"]}),
        r"splits: expected names such as train and val",
    ),
    "no shards": (at("splits", "val", "shards", value=[]), r"splits\.val\.shards: expected at least one, got none"),
    "another sum of images": (at("splits", "val", "images", value=4), r"splits\.val\.images: expected 3, .* got 4"),
    "another sum of bytes": (at("splits", "val", "bytes", value=0), r"splits\.val\.bytes: expected 10240, .* got 0"),
    "more enlarged than there are": (at("splits", "val", "enlarged", value=4), r"val\.enlarged: expected 0 to 3"),
    "a shard elsewhere": (at(*FIRST, "file", value="../../etc/x.tar"), r"train\.shards\[0\]\.file: expected the path"),
    "a shard by its full path": (at(*FIRST, "file", value="/train/0000.tar"), r"shards\[0\]\.file: expected the path"),
    "a shard that is none": (at(*FIRST, "file", value="train/0000.zip"), r"shards\[0\]\.file: expected the path"),
    "a shard of another split": (at(*FIRST, "file", value="val/0000.tar"), r"splits\.train: expected shards in "),
    "a shard twice": (at(*FIRST, "file", value="train/0001.tar"), r"splits\.train\.shards: .* 'train/0001.tar' twice"),
    "more images than bytes": (at(*FIRST, "images", value=10**18), r"train\.shards\[0\]\.images: expected at most "),
    "an empty shard": (at(*FIRST, "images", value=0), r"train\.shards\[0\]\.images: expected at least 1"),
    "a short checksum": (at(*FIRST, "sha256", value="00"), r"splits\.train\.shards\[0\]\.sha256: expected 64"),
    "a shard that is a number": (at(*FIRST, value=7), r"train\.shards\[0\]: expected a shard as an object"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(packed: fl.PackedSet, tmp_path: Path, change: Callable[[Any], None], message: str):
    index = copy.deepcopy(packed.to_dict())
    change(index)
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=message) as raised:
        fl.PackedSet.load(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'index.json'}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"[" * 100_000],
    ids=["empty", "cut off", "list", "null", "not UTF-8", "deep"],
)
def test_a_file_that_is_no_index(tmp_path: Path, content: bytes):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.json: "):
        fl.PackedSet.load(tmp_path)


def test_a_folder_without_an_index(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"index\.json"):
        fl.PackedSet.load(tmp_path)


def test_a_model_of_the_same_geometry_is_taken(packed: fl.PackedSet):
    for resize_px in (512, None):
        packed.check_spec(fl.InputSpec.unstandardised(fl.ChannelSet.of((27, 0, 128)), 448, resize_px))
    with pytest.raises(ValueError, match=r"and not Y\(7,7\); choose among theirs, or pack the photos with more"):
        packed.check_channels([0, 63])
