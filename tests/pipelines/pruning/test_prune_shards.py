import gzip
import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
import webdataset
from shard_files import picture, sample, write_shard, write_shards

import freqlearn as fl
from freqlearn import ChannelSet
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.pruning import members
from freqlearn.pipelines.shards import open_shards

MASK = ChannelSet.square(24).mask().reshape(3, 8, 8)


def samples(path):
    """A shard's samples by webdataset's own reader."""
    dataset = webdataset.WebDataset(str(path), shardshuffle=False)
    return [{key: value for key, value in one.items() if key in ("__key__", "jpg", "cls")} for one in dataset]


def archive(path, *infos, format=tarfile.PAX_FORMAT):
    """A tar file of headers and contents; of header sizes that are not true too."""
    with tarfile.open(path, "w", format=format) as tar:
        for info, content in infos:
            if info.size == len(content):
                tar.addfile(info, io.BytesIO(content))
            else:
                tar.fileobj.write(info.tobuf(tar.format) + content)
                tar.offset = tar.fileobj.tell()
    return path


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Shards of 5 and 3 samples, and classes.txt."""
    return write_shards(tmp_path_factory.mktemp("shards") / "in", [5, 3])


def test_webdataset_reads_the_pruned_pictures_in_order(shards, tmp_path, prune):
    report = prune(shards, tmp_path / "out")
    for name in ("00.tar", "01.tar"):
        before, after = samples(shards / name), samples(tmp_path / "out" / name)
        assert [one["__key__"] for one in after] == [one["__key__"] for one in before]
        assert [one["cls"] for one in after] == [one["cls"] for one in before]
        for original, left in zip(before, after, strict=True):
            planes = [fl.read_dct(one["jpg"]).planes for one in (original, left)]
            for plane, kept, mask in zip(*planes, MASK, strict=True):
                assert np.array_equal(kept, plane * mask)
    assert len(open_shards(str(tmp_path / "out"))) == 8
    assert {label: tally.pruned for label, tally in report.classes.items() if label} == {"0": 3, "1": 3, "2": 2}
    assert report.lowest[0].startswith(("00.tar/", "01.tar/"))


def test_bytes_depend_on_nothing_but_members(shards, tmp_path, prune):
    again = tmp_path / "again"
    again.mkdir()
    for name in ("00.tar", "01.tar"):  # with other times, owners and permissions
        with tarfile.open(shards / name) as tar:
            infos = [(info, tar.extractfile(info).read()) for info in tar]
        for info, _ in infos:
            info.mtime, info.uid, info.gid, info.uname, info.mode = 1e9, 1234, 4321, "somebody", 0o600
        archive(again / name, *infos)
    prune(shards, tmp_path / "a", threads=1)
    prune(again, tmp_path / "b", threads=5)
    for name in ("00.tar", "01.tar"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_patterns_single_shards_and_folders_give_the_same(shards, tmp_path, prune):
    prune(shards, tmp_path / "folder")
    prune(f"{shards}/{{00..01}}.tar", tmp_path / "braces")
    prune(f"{shards}/*.tar", tmp_path / "star")
    prune(shards / "00.tar", tmp_path / "one")
    prune(shards / "00.tar", tmp_path / "one.tar")
    for name in ("00.tar", "01.tar", "classes.txt"):
        content = (tmp_path / "folder" / name).read_bytes()
        assert (tmp_path / "braces" / name).read_bytes() == (tmp_path / "star" / name).read_bytes() == content
    assert (tmp_path / "one/00.tar").read_bytes() == (tmp_path / "folder/00.tar").read_bytes()
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "folder/00.tar").read_bytes()


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_compressed_shards_stay_compressed(shards, tmp_path, prune, suffix):
    mode = {".tgz": "gz"}.get(suffix, suffix.rpartition(".")[2])
    with tarfile.open(tmp_path / f"a{suffix}", f"w:{mode}") as tar, tarfile.open(shards / "01.tar") as plain:
        for info in plain:
            tar.addfile(info, plain.extractfile(info))
    outputs = []
    for name in ("first", "second"):
        prune(tmp_path / f"a{suffix}", tmp_path / name)
        outputs.append((tmp_path / name / f"a{suffix}").read_bytes())
    assert outputs[0] == outputs[1]
    assert mode != "gz" or outputs[0][4:8] == bytes(4)  # no time in its header (RFC 1952, section 2.3)
    prune(shards / "01.tar", tmp_path / "plain.tar")
    with (
        tarfile.open(tmp_path / "first" / f"a{suffix}", f"r:{mode}") as tar,
        tarfile.open(tmp_path / "plain.tar") as plain,
    ):
        assert [(i.name, tar.extractfile(i).read()) for i in tar] == [
            (i.name, plain.extractfile(i).read()) for i in plain
        ]


def test_a_folder_may_hold_photos_and_shards(shards, tmp_path, prune, make_jpeg):
    source = tmp_path / "in"
    (source / "train").mkdir(parents=True)
    (source / "photo.jpg").write_bytes(make_jpeg(24, 24))
    (source / "train/00.tar").write_bytes((shards / "00.tar").read_bytes())
    assert prune(source, tmp_path / "out").total.pruned == 6
    assert len(samples(tmp_path / "out/train/00.tar")) == 5


def test_a_sample_that_cannot_be_read_is_left_out_as_a_whole(tmp_path, prune):
    source = tmp_path / "in"
    source.mkdir()
    damaged = {**sample(1), "jpg": picture(1)[:100]}
    write_shard(source / "a.tar", [sample(0), damaged, sample(2)])
    (source / "sizes.json").write_text(json.dumps({"a.tar": 3, "other.tar": 7}))
    with pytest.raises(ValueError, match=r"a\.tar/0001\.jpg: .*--on-bad-image skip"):
        prune(source, tmp_path / "out")
    report = prune(source, tmp_path / "out", on_bad_image="skip")
    assert [one["__key__"] for one in samples(tmp_path / "out/a.tar")] == ["0000", "0002"]
    assert json.loads((tmp_path / "out/sizes.json").read_text()) == {"a.tar": 2, "other.tar": 7}
    assert [name for name, _ in report.skipped] == [f"{source}/a.tar/0001.jpg"]
    assert "a.tar/0001.jpg" in (tmp_path / "out/bad_images.csv").read_text()


def test_members_of_other_kinds_and_names(tmp_path, prune):
    names = ["./", "./größe 大.jpg", f"./{'long' * 60}/a.jpg", "./a.b.json", "README", "./__meta__/x.jpg", "./b.png"]
    contents = [b"", picture(1), picture(2), b'{"label": 5}', b"text", picture(3), picture(4, format="PNG")]
    infos = [member(name, content) for name, content in zip(names, contents, strict=True)]
    infos[0][0].type = tarfile.DIRTYPE
    archive(tmp_path / "a.tar", *infos)
    report = prune(tmp_path / "a.tar", tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as before, tarfile.open(tmp_path / "a.tar") as after:
        assert [(info.name, info.type) for info in before] == [(info.name, info.type) for info in after]
        assert before.extractfile("README").read() == b"text"
    assert (report.total.pruned, report.total.copied) == (3, 3)


def test_names_that_are_no_text(tmp_path, prune):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        tar.addfile(
            *[part if isinstance(part, tarfile.TarInfo) else io.BytesIO(part) for part in member(name, picture(0))]
        )
    prune(tmp_path / "a.tar", tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", errors="surrogateescape") as tar:
        assert tar.getnames() == [name]


def test_large_members_are_copied_in_pieces(tmp_path, monkeypatch, prune):
    monkeypatch.setattr(members, "LARGEST_IN_MEMORY", 5000)
    large = np.random.default_rng(0).bytes(3_000_000)
    infos = [member("a.jpg", picture(1)), member("film.mp4", large), member("b.jpg", picture(2))]
    archive(tmp_path / "a.tar", *infos)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    for name in ("a.tar", "a.tar.gz"):
        prune(tmp_path / name, tmp_path / f"out-{name}")
        with tarfile.open(tmp_path / f"out-{name}") as tar:
            assert tar.getnames() == ["a.jpg", "film.mp4", "b.jpg"]
            assert hashlib.sha256(tar.extractfile("film.mp4").read()).digest() == hashlib.sha256(large).digest()


_NAME, _KIND = "expected a name within the archive", "expected a file or a folder, got"
HOSTILE = {
    "absolute": (member("/etc/a.jpg", b"x"), _NAME),
    "upwards": (member("a/../../b.jpg", b"x"), _NAME),
    "symbolic link": (member("a.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"), f"{_KIND} a symbolic link"),
    "hard link": (member("a.jpg", type=tarfile.LNKTYPE, linkname="b.jpg"), f"{_KIND} a hard link"),
    "device": (member("a.jpg", type=tarfile.CHRTYPE), f"{_KIND} a device"),
    "pipe": (member("a.jpg", type=tarfile.FIFOTYPE), f"{_KIND} a device, a pipe or something else"),
    "huge": (member("a.jpg", size=1 << 60), r"a\.jpg: (expected its 1152921504606846976 bytes|unexpected end of data)"),
    "large": (member("a.jpg", size=1 << 20), r"a\.jpg: expected its 1048576 bytes|unexpected end|within a member"),
    "huge header": (
        member("a", type=tarfile.XHDTYPE, size=1 << 60),
        "header at byte [0-9]+ claims more than there can",
    ),
    "huge name": (member("a", type=tarfile.GNUTYPE_LONGNAME, size=1 << 60), "header at byte [0-9]+ claims more"),
    "negative": (member("a.jpg", size=-512), "expected a size of at least 0, got -512"),
    "negative header": (member("a", type=tarfile.XHDTYPE, size=-1024), r"after member 0\.jpg: "),
}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize(("info", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_members_are_refused_and_nothing_is_written(tmp_path, prune, info, message, suffix):
    plain = archive(tmp_path / "hostile.tar", member("0.jpg", picture(0)), info, format=tarfile.GNU_FORMAT)
    if suffix == ".tar.gz":
        (tmp_path / "hostile.tar.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(SampleError, match=message) as caught:
        prune(tmp_path / f"hostile{suffix}", tmp_path / "out.tar")
    assert str(caught.value).startswith(f"{tmp_path}/hostile{suffix}: ")
    assert {path.name for path in tmp_path.iterdir()} <= {"hostile.tar", "hostile.tar.gz"}


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["names", "headers"])
def test_headers_one_within_the_other_without_an_end(tmp_path, prune, kind):
    info, content = member("x", b"20 path=abcdefghijk\n".ljust(512, b"\0"), type=kind)
    (tmp_path / "a.tar").write_bytes((info.tobuf(tarfile.GNU_FORMAT) + content) * 2000)
    with pytest.raises(SampleError, match=r"a\.tar: .* got extended headers alone"):
        prune(tmp_path / "a.tar", tmp_path / "out.tar")


def test_compression_is_told_by_content_and_checked_to_the_end(shards, tmp_path, prune):
    content = (shards / "00.tar").read_bytes()
    packed = gzip.compress(content, mtime=0)
    (tmp_path / "named.tar").write_bytes(packed)
    prune(tmp_path / "named.tar", tmp_path / "out.tar")
    prune(shards / "00.tar", tmp_path / "plain.tar")
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "plain.tar").read_bytes()
    for name, damaged in {"sum": packed[:-8] + bytes(4) + packed[-4:], "cut": packed[:-4]}.items():
        (tmp_path / f"{name}.tar.gz").write_bytes(damaged)
        with pytest.raises(SampleError, match=rf"{name}\.tar\.gz: in or after member .*(CRC|ended)"):
            prune(tmp_path / f"{name}.tar.gz", tmp_path / "damaged.tar")


@pytest.mark.parametrize("damage", ["cut in a header", "cut in a picture", "no end", "garbage", "empty"])
def test_damaged_shards_are_named(shards, tmp_path, prune, damage):
    content = (shards / "00.tar").read_bytes()
    path = tmp_path / "a.tar"
    path.write_bytes(
        {
            "cut in a header": content[: 512 + 2000],
            "cut in a picture": content[:700],
            "no end": content[: content.rindex(b"0004.jpg")],
            "garbage": b"garbage " * 1000,
            "empty": b"",
        }[damage]
    )
    with pytest.raises(SampleError, match=r"a\.tar: "):
        prune(path, tmp_path / "out.tar", on_bad_image="skip")
    assert not (tmp_path / "out.tar").exists()


def test_shards_elsewhere_are_not_fetched(tmp_path, prune):
    with pytest.raises(ValueError, match="expected a local tar file, found none"):
        prune("https://host/{0..1}.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_shards_own_folder_is_no_output(shards, prune):
    with pytest.raises(ValueError, match="expected another place than"):
        prune(f"{shards}/*.tar", shards)
    with pytest.raises(ValueError, match="expected another place than"):
        prune(shards / "00.tar", shards / "00.tar")


def test_a_packed_set_has_checksums(tmp_path, prune):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/index.json").write_text('{"format": "freqlearn.packed_set", "version": 1}')
    with pytest.raises(ValueError, match="pack the photos anew"):
        prune(tmp_path / "in", tmp_path / "out")
