import gzip
import json
import shutil
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import webdataset
from shard_files import CLASSES, picture, sample, write_shard, write_shards

from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.shards import open_shards
from freqlearn.pipelines.shards.labels import Labels, image_of
from freqlearn.pipelines.shards.listing import are_shards, expand, write_sizes
from freqlearn.pipelines.shards.reading import count_samples, read_samples, sample_offsets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three shards of 5, 1 and 3 samples."""
    return write_shards(tmp_path_factory.mktemp("shards") / "train", [5, 1, 3])


@pytest.fixture(scope="module")
def server(folder):
    """The shards over HTTP."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def keys(url, **options):
    return [one["__key__"] for one in read_samples(str(url), **options)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a-{00..02}.tar", ["a-00.tar", "a-01.tar", "a-02.tar"]),
        ("http://host/{x,y}.tar", ["http://host/x.tar", "http://host/y.tar"]),
        ("pipe:cat {1..2}.tar", ["pipe:cat 1.tar", "pipe:cat 2.tar"]),
        ("a.tar::b.tar", ["a.tar", "b.tar"]),
    ],
)
def test_expands_as_webdataset_does(text, names):
    assert list(expand(text)) == names == webdataset.SimpleShardList(text).urls


def test_folders_and_stars_are_sorted(folder):
    names = [str(folder / f"0{shard}.tar") for shard in range(3)]
    assert list(expand(folder)) == names
    assert list(expand(f"{folder}/*.tar")) == names
    with pytest.raises(ValueError, match=r"none-\*\.tar: expected tar files of such names, found none"):
        expand(f"{folder}/none-*.tar")


def test_tells_shards_from_folders_of_images(folder, two_classes):
    assert all(are_shards(text) for text in (folder, "x/{0..3}.tar", "pipe:cat x", "https://host/x"))
    assert not are_shards(two_classes)


@pytest.mark.parametrize("shard", range(3))
def test_samples_are_webdatasets(folder, shard):
    url = str(folder / f"0{shard}.tar")
    expected = list(webdataset.WebDataset(url, shardshuffle=False))
    got = list(read_samples(url))
    assert [one["__key__"] for one in got] == [one["__key__"] for one in expected]
    assert [(one["jpg"], one["cls"]) for one in got] == [(one["jpg"], one["cls"]) for one in expected]


def test_reading_can_begin_anywhere(folder):
    url = folder / "00.tar"
    every = keys(url)
    assert every == [f"{number:04}" for number in range(5)]
    for first in range(5):
        assert keys(url, first=first) == every[first:]
        for count in range(1, 5 - first):
            assert keys(url, first=first, count=count, size=5) == every[first : first + count]
    with tarfile.open(url) as tar:
        begins = [member.offset for member in tar if member.name.endswith("cls")]
    assert sample_offsets(str(url)).tolist() == begins, "the first member of each sample, as TarWriter sorts them"


@pytest.mark.parametrize("way", ["path", "file:", "pipe:", "http:", "gz", "pipe gz"])
def test_every_way_gives_the_same(folder, server, tmp_path, way):
    plain, packed = folder / "00.tar", tmp_path / "00.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    url = {
        "path": str(plain),
        "file:": f"file:{plain}",
        "pipe:": f"pipe:cat {plain}",
        "http:": f"{server}/00.tar",
        "gz": str(packed),
        "pipe gz": f"pipe:gunzip -c {packed}",
    }[way]
    assert keys(url) == [f"{number:04}" for number in range(5)]
    assert keys(url, first=2, count=2) == ["0002", "0003"]
    assert count_samples(url) == 5


def test_webdatasets_cache(folder, server, tmp_path, monkeypatch):
    monkeypatch.setenv("WDS_CACHE", str(tmp_path / "cache"))
    assert keys(f"{server}/00.tar") == keys(f"{server}/00.tar") == keys(folder / "00.tar")
    assert len(list((tmp_path / "cache").iterdir())) == 1


def cut(path, target, size):
    target.write_bytes(path.read_bytes()[:size])
    return target


def test_truncated_shards_are_named_wherever_they_end(folder, tmp_path):
    whole = folder / "00.tar"
    with tarfile.open(whole) as tar:
        members = tar.getmembers()
    third = members[2]
    for size in (0, 100, third.offset, third.offset + 100, third.offset_data, third.offset_data + 1):
        broken = cut(whole, tmp_path / "broken.tar", size)
        for read in (lambda url: keys(url), lambda url: count_samples(str(url)), lambda url: keys(f"pipe:cat {url}")):
            with pytest.raises(SampleError, match=r"broken\.tar: "):
                read(broken)
    broken = cut(whole, tmp_path / "broken.tar", third.offset_data + 1)
    with pytest.raises(SampleError, match=rf"broken\.tar: in or after member {third.name}: unexpected end of data"):
        keys(broken)


def test_a_damaged_header_is_not_the_end(folder, tmp_path):
    broken = tmp_path / "broken.tar"
    shutil.copy(folder / "00.tar", broken)
    with tarfile.open(broken) as tar:
        offset = tar.getmembers()[4].offset
    with open(broken, "r+b") as file:
        file.seek(offset)
        file.write(b"garbage")
    with pytest.raises(SampleError, match=rf"broken\.tar: .*header or end mark at byte {offset}"):
        keys(broken)
    with pytest.raises(SampleError, match=rf"broken\.tar: .*header or end mark at byte {offset}"):
        open_shards(tmp_path, classes=CLASSES)


def test_a_picture_that_claims_any_size(tmp_path):
    info = tarfile.TarInfo("a.jpg")
    info.size = 1 << 60
    (tmp_path / "huge.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(SampleError, match=r"huge\.tar: in or after member a\.jpg: .* claims 1152921504606846976 bytes"):
        list(read_samples(str(tmp_path / "huge.tar")))


def test_a_sparse_picture(tmp_path):
    info = tarfile.TarInfo("a.jpg")
    sparse = {"major": "1", "minor": "0", "realsize": str(1 << 20), "name": info.name}
    info.pax_headers = {f"GNU.sparse.{field}": value for field, value in sparse.items()}
    info.size = 512
    member = info.tobuf(tarfile.PAX_FORMAT) + b"1\n0\n0\n".ljust(512, b"\0")  # a map of no data: 1 MB of zeros
    (tmp_path / "sparse.tar").write_bytes(member + bytes(1024))
    with pytest.raises(SampleError, match=r"sparse\.tar: .*expected files that are whole, got the sparse file a\.jpg"):
        list(read_samples(str(tmp_path / "sparse.tar")))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME], ids=["extended", "name"])
def test_a_header_that_claims_any_size_takes_no_memory(folder, tmp_path, kind):
    broken = tmp_path / "broken.tar"
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, 1 << 60
    broken.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + (folder / "00.tar").read_bytes())
    for read in (lambda url: keys(url), lambda url: count_samples(str(url)), lambda url: keys(f"pipe:cat {url}")):
        with pytest.raises(SampleError, match=r"broken\.tar: .* (the header at byte 0 claims|expected a tar)"):
            read(broken)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{folder}/none.tar", r"none\.tar: No such file"),
        ("pipe:exit 3", "pipe:exit 3: the command ended with exit status 3"),
        ("pipe:cat {folder}/00.tar; exit 7", "the command ended with exit status 7"),
        ("{server}/none.tar", r"none\.tar: it could not be read, exit status 22 \(an HTTP error such as 404\)"),
        ("pipe:echo no tar file", "expected a tar|could not be opened"),
        ("s9://bucket/x.tar", "s9://bucket/x.tar: .*no gopen handler"),
    ],
)
def test_what_cannot_be_opened_is_named(folder, server, url, message):
    with pytest.raises(SampleError, match=message):
        keys(url.format(folder=folder, server=server))


def test_another_number_than_said(folder):
    with pytest.raises(SampleError, match=r"00\.tar: expected 6 samples, got 5"):
        keys(folder / "00.tar", size=6)
    with pytest.raises(SampleError, match=r"00\.tar: expected 4 samples, got more"):
        keys(folder / "00.tar", count=4, size=4)


def test_sizes_are_counted_or_listed(folder, tmp_path, server):
    assert open_shards(folder).sizes == (5, 1, 3)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert write_sizes(copy, copy / "sizes.json") == {"00.tar": 5, "01.tar": 1, "02.tar": 3}
    assert open_shards(copy).sizes == (5, 1, 3)
    for remote in (server + "/{00..02}.tar", f"pipe:cat {folder}" + "/{00..02}.tar"):
        # Beside the file of classes, for shards that lie on another machine.
        assert open_shards(remote, classes=copy / "classes.txt").sizes == (5, 1, 3)
    (copy / "sizes.json").write_text(json.dumps({"00.tar": 5, "02.tar": 3}))
    with pytest.raises(ValueError, match=r"01\.tar: expected its number of samples in sizes\.json"):
        open_shards(copy)


def test_remote_shards_need_a_number(folder):
    pipes = f"pipe:cat {folder}" + "/{00..02}.tar"
    with pytest.raises(ValueError, match=r"--train-images, --val-images\), or write sizes\.json"):
        open_shards(pipes, classes=CLASSES)
    assert open_shards(pipes, classes=CLASSES, images=7).sizes is None
    assert open_shards(pipes, classes=CLASSES, count=True).sizes == (5, 1, 3)
    with pytest.raises(ValueError, match="expected 8 images as said, got 9"):
        open_shards(folder, images=8)
    with pytest.raises(ValueError, match="expected 7 images as said, got 9"):
        open_shards(pipes, classes=CLASSES, images=7).counted()


def test_classes(folder, tmp_path):
    assert open_shards(folder).classes == CLASSES
    bare = write_shard(tmp_path / "x.tar", [sample(0)])
    with pytest.raises(ValueError, match=r"x\.tar: expected classes\.txt beside the shards"):
        open_shards(bare)
    (tmp_path / "twice.txt").write_text("a\nb\na\n")
    with pytest.raises(ValueError, match=r"twice\.txt: expected different class names, one a line, got 'a' twice"):
        open_shards(bare, classes=tmp_path / "twice.txt")
    with pytest.raises(ValueError, match=r"none\.txt"):
        open_shards(bare, classes=tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("members", "label"),
    [
        ({"cls": b"2"}, 2),
        ({"cls": b"dog\n"}, 1),
        ({"json": b'{"label": 0}'}, 0),
        ({"json": b'{"label": "fox"}'}, 2),
        ({"txt": b"dog"}, 1),
        ({"cls": b"1", "json": b'{"label": 0}', "txt": b"a caption"}, 1),
        ({"json": b'{"other": 0}', "txt": b"cat"}, 0),
    ],
)
def test_labels(members, label):
    assert Labels(CLASSES)({"__key__": "k", **members}, "x.tar") == label


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"jpg": b""}, r"x\.tar/k: expected a label .*'label'\), got \.jpg"),
        ({"cls": b"wolf"}, r"x\.tar/k\.cls: expected the name of a class or its number, 0 to 2, got 'wolf'"),
        ({"cls": b"3"}, r"x\.tar/k\.cls: .* got '3'"),
        ({"json": b'{"label": true}'}, r"x\.tar/k\.json: .* got True"),
        ({"json": b"{"}, r"x\.tar/k\.json: expected JSON"),
        ({"cls": b"\xff"}, r"x\.tar/k\.cls: expected text in UTF-8"),
    ],
)
def test_wrong_labels_are_named(members, message):
    with pytest.raises(SampleError, match=message):
        Labels(CLASSES)({"__key__": "k", **members}, "x.tar")


def test_numbers_as_names_are_refused_where_they_mean_two_things():
    assert Labels(("0", "1"))({"__key__": "k", "cls": b"1"}, "x.tar") == 1
    with pytest.raises(SampleError, match="'1' is the name of class 0 and the number of another"):
        Labels(("1", "2"))({"__key__": "k", "cls": b"1"}, "x.tar")


def test_images(folder):
    for suffix in ("jpg", "jpeg", "png", "webp"):
        image = image_of({"__key__": "k", suffix: b"bytes", "cls": b"0"}, "x.tar")
        assert (image, image.path) == (b"bytes", f"x.tar/k.{suffix}")
    with pytest.raises(SampleError, match=r"x\.tar/k: expected one image .* got \.v2\.jpg"):
        image_of({"__key__": "k", "v2.jpg": b""}, "x.tar")
    with pytest.raises(SampleError, match=r"expected one image .* got \.jpg, \.png"):
        image_of({"__key__": "k", "jpg": b"", "png": b""}, "x.tar")


def test_duplicates_are_named(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for _ in range(2):
            (tmp_path / "k.jpg").write_bytes(picture(0))
            tar.add(tmp_path / "k.jpg", "k.jpg")
    with pytest.raises(SampleError, match=r"x\.tar: k\.jpg: duplicate file name"):
        keys(tmp_path / "x.tar")


def test_fingerprint_is_of_names_and_classes(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shards = open_shards(folder)
    assert shards.fingerprint() == open_shards(copy).fingerprint()
    assert shards.fingerprint() != open_shards(folder, classes=("a", "b", "c")).fingerprint()
    assert shards.fingerprint() != open_shards(f"{folder}/{{00..01}}.tar").fingerprint()


def test_sample_is_seeded(folder):
    shards = open_shards(folder)
    first, again, other = (shards.sample(4, seed=seed).parts for seed in (0, 0, 1))
    assert first == again != other
    assert sum(part.samples for part in first) == len(shards.sample(4)) == 4
    assert len(set(first)) == len(first)
    assert shards.sample(99) is shards


def test_places(folder):
    shards = open_shards(folder)
    places = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0), (2, 1), (2, 2)]
    assert [shards.place_of(index) for index in range(9)] == places
    assert [shards.index_of(*place) for place in places] == list(range(9))


def test_relabelled(folder):
    shards = open_shards(folder)
    assert shards.relabelled(CLASSES) is shards
    wider = shards.relabelled(("ape", *reversed(CLASSES)))
    assert wider.classes == ("ape", "fox", "dog", "cat")
    assert wider.label_classes == CLASSES
    with pytest.raises(ValueError, match="class 'fox' is not among the 2 known classes"):
        shards.relabelled(("cat", "dog"))


def test_an_empty_set_is_refused(tmp_path):
    assert Path(write_shard(tmp_path / "x.tar", [])).exists()
    with pytest.raises(ValueError, match="expected at least one sample, got 0 in 1 shards"):
        open_shards(tmp_path, classes=CLASSES)
