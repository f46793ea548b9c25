"""`freqlearn pack --check` names everything that was done to a packed set, and nothing else."""

import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

import freqlearn as fl
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.packing.checking import check
from freqlearn.pipelines.shards.writing import write_shard
from freqlearn.repacking import Repacking

DCT_24 = fl.ChannelSet.square(24)
SHARD = "train/0001.tar"


@pytest.fixture
def copied(mixed_set, tmp_path):
    return Path(shutil.copytree(mixed_set, tmp_path / "packed"))


def faults(root, data=None):
    return check(root, data=data, threads=2, progress=False)


def assert_only(found, *patterns):
    """As many faults as patterns, each of its own."""
    assert len(found) == len(patterns), found
    for fault, pattern in zip(found, patterns, strict=True):
        assert re.search(pattern, fault), (fault, pattern)


def edit_index(root, change):
    index = json.loads((root / "index.json").read_text())
    change(index)
    (root / "index.json").write_text(json.dumps(index))


def members_of(root):
    with tarfile.open(root / SHARD) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def rewrite(root, members):
    """Write the second shard anew and let the index agree to its bytes: what a checksum does not tell."""
    written = write_shard(root / SHARD, members)

    def agree(index):
        shard = index["splits"]["train"]["shards"][1]
        index["splits"]["train"]["bytes"] += written.size_bytes - shard["bytes"]
        shard.update(bytes=written.size_bytes, sha256=written.sha256)

    edit_index(root, agree)


def with_picture(root, jpeg):
    """The second shard with another first picture; its name."""
    members = members_of(root)
    name = members[0][0]
    rewrite(root, [(name, jpeg), *members[1:]])
    return re.escape(f"{SHARD}/{name}: ")


def test_nothing_is_wrong_with_what_was_packed(mixed_photos, mixed_set):
    assert faults(mixed_set) == []
    assert faults(mixed_set, mixed_photos) == []
    assert check(mixed_set / "index.json", threads=1, progress=False) == []


def test_a_shard_is_missing(copied):
    (copied / SHARD).unlink()
    assert_only(faults(copied), f"{SHARD}: No such file", f"{SHARD}: expected 3 images, got 0")


def test_a_shard_is_cut_off(copied):
    content = (copied / SHARD).read_bytes()
    (copied / SHARD).write_bytes(content[: len(content) // 2])
    found = faults(copied)
    assert_only(
        found,
        f"{SHARD}: expected {len(content)} bytes, got {len(content) // 2}",
        f"{SHARD}: (unexpected end|expected a tar file's header)",
        f"{SHARD}: expected 3 images, got [012]",
    )


@pytest.mark.parametrize("where", ["picture", "padding"])
def test_a_byte_is_another(copied, where):
    content = bytearray((copied / SHARD).read_bytes())
    with tarfile.open(copied / SHARD) as tar:
        member = tar.next()
    place = member.offset_data + member.size // 2 if where == "picture" else len(content) - 1
    content[place] ^= 0x10
    (copied / SHARD).write_bytes(content)
    found = faults(copied)
    assert re.search(f"{SHARD}: expected the checksum [0-9a-f]{{12}}", found[0])
    assert all(SHARD in fault for fault in found)


def test_a_header_is_damaged(copied):
    content = bytearray((copied / SHARD).read_bytes())
    with tarfile.open(copied / SHARD) as tar:
        second = tar.getmembers()[2]
    content[second.offset + 150] ^= 1
    (copied / SHARD).write_bytes(content)
    assert_only(
        faults(copied), "expected the checksum", "expected a tar file's header", f"{SHARD}: expected 3 images, got 0"
    )


def test_a_header_claims_more_than_there_can_be(copied):
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, 1 << 60
    (copied / SHARD).write_bytes(info.tobuf(tarfile.GNU_FORMAT) + (copied / SHARD).read_bytes()[512:])
    assert_only(faults(copied), "expected the checksum", "the header at byte 0 claims more", "expected 3 images, got 0")


@pytest.mark.parametrize("kind", ["large", "sparse"])
def test_a_member_claims_more_than_there_can_be(copied, kind):
    if kind == "large":
        info = tarfile.TarInfo("0000003-a.jpg")
        info.size = 1 << 60
        content = info.tobuf(tarfile.GNU_FORMAT)
        wrong = "member 0000003-a.jpg: expected no more than the file's bytes, got 1152921504606846976"
    else:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            info = tarfile.TarInfo("0000003-a.jpg")
            info.size = 512
            sparse = {"major": "1", "minor": "0", "realsize": str(1 << 50), "name": info.name}
            info.pax_headers = {f"GNU.sparse.{field}": value for field, value in sparse.items()}
            tar.addfile(info, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
        content, wrong = file.getvalue(), "expected files alone, got 0000003-a.jpg, which is none"
    (copied / SHARD).write_bytes(content)
    assert_only(faults(copied), f"{SHARD}: expected .* got ", wrong, f"{SHARD}: expected 3 images, got 0")


def test_a_shard_too_many(copied):
    shutil.copy(copied / SHARD, copied / "val/0009.tar")
    (copied / "val/notes.txt").write_text("not a shard")
    assert_only(faults(copied), "val/0009.tar: expected the shards that the index names, got one more")


def test_shards_exchanged(copied):
    one, other = (copied / name for name in ("train/0000.tar", SHARD))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    found = "\n".join(faults(copied))
    assert all(name in found for name in ("train/0000.tar: expected", f"{SHARD}: expected"))
    assert "expected samples in the order of their names" in found


def test_classes_are_others(copied):
    (copied / "classes.txt").write_text("wild dog\ncat\n")
    assert_only(faults(copied), "classes.txt: expected the index's 2 classes, one a line")
    (copied / "classes.txt").unlink()
    assert_only(faults(copied), "classes.txt: No such file")


def test_the_index_is_missing_or_damaged(copied):
    text = (copied / "index.json").read_text()
    (copied / "index.json").unlink()
    assert_only(faults(copied), "index.json: expected the index of a packed set: No such file")
    for damaged, pattern in ((text[:-9], "JSON"), (text.replace('"packing"', '"parking"'), "unknown: .'parking'")):
        (copied / "index.json").write_text(damaged)
        assert_only(faults(copied), f"index.json: .*{pattern}")


@pytest.mark.parametrize(
    ("change", "patterns"),
    [
        (
            lambda index: index["splits"]["train"].update(images=11),
            ["images: expected 10, the sum of its shards, got 11"],
        ),
        (lambda index: index["splits"]["train"].update(bytes=1), ["bytes: expected .* the sum of its shards, got 1"]),
        (lambda index: index["classes"].append("fox"), ["expected the index's 3 classes"]),
        (lambda index: index["classes"].reverse(), ["expected the index's 2 classes"]),
    ],
    ids=["images", "bytes", "one class more", "classes turned round"],
)
def test_the_index_says_something_else(copied, change, patterns):
    edit_index(copied, change)
    assert_only(faults(copied), *patterns)


def test_the_index_says_other_counts_that_add_up(copied):
    def change(index):
        split = index["splits"]["train"]
        split["images"] += 1
        split["shards"][1]["images"] += 1

    edit_index(copied, change)
    assert_only(faults(copied), f"{SHARD}: expected 4 images, got 3")


def test_the_index_says_other_channels_tables_sizes_sampling(copied):
    index = (copied / "index.json").read_text()

    def changed(change):
        (copied / "index.json").write_text(index)
        edit_index(copied, change)
        return faults(copied)

    fewer = fl.ChannelSet.of(range(4), name="fewer")
    spec = fl.InputSpec.unstandardised(fewer, 32, 48)
    found = changed(
        lambda index: (index["packing"].update(channels=fewer.to_dict()), index.update(spec=spec.to_dict()))
    )
    assert len(found) == 14 + 2 * 12  # a line for each component; two are gray
    assert sum("channels that the index does not name, got others: Y(1,0)" in one for one in found) == 14
    found = changed(lambda index: index["packing"]["quant_tables"][0].reverse())
    assert_only(found, "packing.quality: .* the tables are not those of a quality of 80")
    found = changed(
        lambda index: (index["packing"].update(quality=None), index["packing"]["quant_tables"][0].reverse())
    )
    assert len(found) == 14
    assert all("expected the index's quantisation table of component 0" in one for one in found)
    found = changed(lambda index: index["packing"].update(sampling="4:2:0"))
    assert len(found) == 14 - 2  # but for the gray ones
    assert all(
        "expected sampling factors ((2, 2), (1, 1), (1, 1)), got ((1, 1), (1, 1), (1, 1))" in one for one in found
    )
    found = changed(lambda index: (index["packing"].update(short_side_px=64), index["spec"].update(resize_px=64)))
    assert len(found) == 14
    assert all("expected a short side of 64 px" in one for one in found)


def packed_as(make_jpeg, **changes):
    options = {"channels": DCT_24, "quality": 80} | changes
    sizes = options.pop("sizes", (48, 32))
    return fl.write_jpeg(Repacking(*sizes, **options)(fl.read_dct(make_jpeg(70, 90, seed=5))))


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"sizes": (64, 32)}, "expected a short side of 48 px and sides of 32 px and a multiple of 16, got 64x80 px"),
        ({"channels": fl.ChannelSet.square(32)}, r"expected zero .* got others: Y\(0,4\), Y\(1,4\), .*Y\(4,0\)"),
        ({"quality": 79}, "expected the index's quantisation table of component 0"),
        ({"sampling": "4:2:0"}, r"expected sampling factors \(\(1, 1\), "),
    ],
    ids=["size", "channels", "tables", "sampling"],
)
def test_a_picture_was_packed_otherwise(copied, make_jpeg, changes, pattern):
    name = with_picture(copied, packed_as(make_jpeg, **changes))
    found = faults(copied)
    assert re.search(name + pattern, "\n".join(found)), found
    assert all(re.search(name, fault) for fault in found)


def test_a_picture_is_none(copied, make_jpeg):
    jpeg = packed_as(make_jpeg)
    for content in (b"", b"no picture", jpeg[: len(jpeg) // 2]):
        name = with_picture(copied, content)
        assert_only(faults(copied), name + "expected a JPEG file that can be decoded")
    name = with_picture(copied, jpeg[:-2])
    assert_only(faults(copied), name + "missing EOI marker")


def test_a_picture_of_other_colours(copied, make_jpeg):
    img = fl.read_dct(packed_as(make_jpeg, channels=range(192)))
    rgb = fl.DCTImage.from_planes(img.planes, img.quant_tables, size_px=img.size_px, color_space="RGB")
    name = with_picture(copied, fl.write_jpeg(rgb))
    found = faults(copied)
    assert re.search(name + "expected gray or YCbCr, got RGB", "\n".join(found)), found


@pytest.mark.parametrize(
    ("label", "pattern"),
    [
        (b"2", "expected 0 to 1, got b'2'"),
        (b"cat", "expected 0 to 1"),
        (b"-1", "expected 0 to 1"),
        (b"", "expected 0 to 1"),
    ],
)
def test_a_label_makes_no_sense(copied, label, pattern):
    members = members_of(copied)
    rewrite(copied, [members[0], (members[1][0], label), *members[2:]])
    assert_only(faults(copied), re.escape(members[1][0]) + ": " + pattern)


def test_members_that_do_not_belong_together(copied):
    members = members_of(copied)
    rewrite(copied, members[:1] + members[2:])
    assert_only(faults(copied), r"expected a picture \(jpg\) and a label \(cls\), got jpg")
    rewrite(copied, [*members, ("0000005-zzz.json", b"{}")])
    assert_only(faults(copied), r"0000005-zzz: .* got json", "expected 3 images, got 4")
    rewrite(copied, [*members, *members[-2:]])
    assert_only(
        faults(copied), "expected each member once, got .*jpg twice", "expected each member once, got .*cls twice"
    )
    rewrite(copied, [*members[2:4], *members[:2], *members[4:]])
    assert_only(faults(copied), "expected samples in the order of their names")
    rewrite(copied, members[:-2])
    assert_only(faults(copied), "expected 3 images, got 2")


def test_links_in_a_shard(copied):
    with tarfile.open(copied / SHARD, "a") as tar:
        link = tarfile.TarInfo("9999999-link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    content = (copied / SHARD).read_bytes()

    def agree(index):
        shard = index["splits"]["train"]["shards"][1]
        index["splits"]["train"]["bytes"] += len(content) - shard["bytes"]
        shard.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    edit_index(copied, agree)
    assert_only(faults(copied), "expected files alone, got 9999999-link.jpg, which is none")


def test_only_photos_tell_that_pictures_were_exchanged(mixed_photos, copied):
    members = members_of(copied)
    rewrite(copied, [(members[0][0], members[2][1]), members[1], (members[2][0], members[0][1]), *members[3:]])
    assert faults(copied) == []
    found = faults(copied, mixed_photos)
    assert len(found) == 2
    assert all("expected what evaluation sees of" in fault for fault in found)


def test_only_photos_tell_that_a_coefficient_is_another(mixed_photos, copied):
    members = members_of(copied)
    img = fl.read_dct(members[0][1])
    luma = img.planes[0].copy()
    luma[4, 2, 0, 1] += 1  # within the centre crop
    changed = fl.DCTImage.from_planes([luma, *img.planes[1:]], img.quant_tables, size_px=img.size_px)
    name = with_picture(copied, fl.write_jpeg(changed))
    assert faults(copied) == []
    assert_only(faults(copied, mixed_photos), name + r"expected what evaluation sees of .*, but Y\(0,1\) differs by")


def test_only_photos_tell_that_labels_or_names_are_others(mixed_photos, copied):
    members = members_of(copied)
    other = {b"0": b"1", b"1": b"0"}[members[1][1]]
    rewrite(copied, [members[0], (members[1][0], other), *members[2:]])
    assert faults(copied) == []
    assert_only(faults(copied, mixed_photos), rf"cls: expected the photo's class, {members[1][1].decode()}, got")
    renamed = [(name.replace("0000003-", "0000003-x"), content) for name, content in members]
    rewrite(copied, renamed)
    assert faults(copied) == []
    assert_only(faults(copied, mixed_photos), "expected the name of one of the photos' samples")


def test_only_photos_tell_how_many_were_enlarged(mixed_photos, copied):
    edit_index(copied, lambda index: index["splits"]["train"].update(enlarged=3))
    assert faults(copied) == []
    assert_only(faults(copied, mixed_photos), "train: expected 3 enlarged photos, as the index says, got 2")


def test_photos_of_something_else(mixed_photos, copied):
    assert_only(faults(copied, mixed_photos / "val")[-1:], "expected photos of this split, found none")


def test_the_command_names_every_fault_and_exits_with_1(mixed_photos, copied, capsys):
    argv = ["pack", f"--check={copied}", "--no-progress"]
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{copied}: everything is as it was packed\n"
    (copied / SHARD).unlink()
    (copied / "classes.txt").unlink()
    assert main(argv) == 1
    lines = capsys.readouterr().out.splitlines()
    assert_only(lines, "classes.txt", f"{SHARD}: No such file", f"{SHARD}: expected 3 images")
    assert main([*argv, str(mixed_photos), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"packed_set": str(copied), "faults": lines}


def test_the_set_is_read_as_it_was_packed(mixed_set):
    assert PackedSet.load(mixed_set).to_dict() == json.loads((mixed_set / "index.json").read_text())
    assert np.isfinite(PackedSet.load(mixed_set).spec.std).all()
