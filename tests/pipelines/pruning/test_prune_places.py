import errno
import json
import os
import shutil
import stat

import pytest

import freqlearn as fl
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.shards.writing import CountedFile

pytestmark = pytest.mark.usefixtures("fresh_logging")


@pytest.fixture
def copy(source, tmp_path):
    """The source, to be pruned in place."""
    return shutil.copytree(source, tmp_path / "photos")


def test_in_place_gives_the_same_files(source, copy, tmp_path, prune, contents):
    os.chmod(copy / "photos/cat/a.jpg", 0o640)
    times = {name: (copy / name).stat().st_mtime_ns for name in ("labels.csv", "photos/dog/cmyk.jpg")}
    prune(copy, in_place=True)
    prune(source, tmp_path / "out")
    elsewhere, here = contents(tmp_path / "out"), contents(copy)
    reports = [json.loads(files.pop("prune.json")) for files in (elsewhere, here)]
    assert elsewhere == here
    assert reports[0]["total"] == reports[1]["total"]
    assert stat.S_IMODE((copy / "photos/cat/a.jpg").stat().st_mode) == 0o640
    assert times == {name: (copy / name).stat().st_mtime_ns for name in times}  # what stays is not touched


def test_in_place_again_changes_nothing(copy, prune, contents):
    prune(copy, in_place=True)
    before = contents(copy)
    report = prune(copy, in_place=True)
    after = contents(copy)
    assert report.total.bytes_before == report.total.bytes_after
    assert {k: v for k, v in before.items() if k != "prune.json"} == {
        k: v for k, v in after.items() if k != "prune.json"
    }


def test_in_place_leaves_links_alone(copy, tmp_path, prune, make_jpeg):
    outside = tmp_path / "outside"
    outside.mkdir()
    original = make_jpeg(24, 24)
    (outside / "a.jpg").write_bytes(original)
    (copy / "link.jpg").symlink_to(outside / "a.jpg")
    (copy / "folder").symlink_to(outside)
    report = prune(copy, in_place=True)
    assert report.total.pruned == 5
    assert (copy / "link.jpg").is_symlink()
    assert (outside / "a.jpg").read_bytes() == original


def test_elsewhere_links_are_followed(copy, tmp_path, prune):
    (copy / "link.jpg").symlink_to(copy / "photos/cat/a.jpg")
    (copy / "photos/round").symlink_to(copy)
    prune(copy, tmp_path / "out")
    assert (tmp_path / "out/link.jpg").read_bytes() == (tmp_path / "out/photos/cat/a.jpg").read_bytes()
    assert not (tmp_path / "out/link.jpg").is_symlink()
    assert not (tmp_path / "out/photos/round").exists()


def test_a_folder_of_many_names_is_pruned_under_the_first(copy, tmp_path, prune):
    for name in "mgtbwqekz":
        (copy / name).symlink_to(copy / "photos")
    prune(copy, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["b"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("photos", "or within it"),
        ("photos/photos/cat", "or within it"),
        ("photos/new", "or within it"),
        ("link/new", "or within it"),
        ("full", "expected a new or empty folder"),
        ("file", "expected a folder to write to, got a file"),
    ],
)
def test_a_folder_goes_to_a_folder_of_its_own(copy, tmp_path, prune, contents, output, message):
    (tmp_path / "link").symlink_to(copy)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/note.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message):
        prune(copy, tmp_path / output)
    assert contents(tmp_path) == before


def test_a_file_goes_to_a_file(source, tmp_path, prune):
    picture = source / "photos/cat/a.jpg"
    for output, message in (
        (picture, "expected another place than"),
        (tmp_path, "expected a file to write"),
        (tmp_path / "none/b.jpg", "expected an existing folder"),
    ):
        with pytest.raises(ValueError, match=message):
            prune(picture, output)
    with pytest.raises(ValueError, match="none is none"):
        prune(picture, tmp_path / "b.jpg", report=tmp_path / "none/r.json")
    assert os.listdir(tmp_path) == []
    report = prune(picture, tmp_path / "b.jpg", report=tmp_path / "r.json")
    assert sorted(os.listdir(tmp_path)) == ["b.jpg", "r.json"]
    assert report.total.bytes_after == (tmp_path / "b.jpg").stat().st_size


@pytest.mark.parametrize("name", ["labels.csv", "photos/dog/real.png", "photos/dog/a PNG.jpg"])
def test_a_file_alone_must_be_a_jpeg_file(source, tmp_path, prune, name):
    with pytest.raises(ValueError, match=f"{name}: expected a JPEG file, got another"):
        prune(source / name, tmp_path / "pruned.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place(copy, prune):
    picture = copy / "photos/cat/a.jpg"
    before = fl.read_dct(picture.read_bytes())
    prune(picture, in_place=True)
    assert [plane.any() for plane in fl.read_dct(picture).planes] == [plane.any() for plane in before.planes]
    assert not fl.read_dct(picture).planes[0][..., 4:, :].any()
    with pytest.raises(ValueError, match="leave the output"):
        prune(picture, copy / "other.jpg", in_place=True)


@pytest.mark.parametrize("source", ["none", "none.jpg", "empty", "none-{0..1}.tar"])
def test_there_must_be_something_to_prune(tmp_path, prune, source):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no such file or folder|found none"):
        prune(tmp_path / source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(copy, tmp_path, prune):
    os.mkfifo(copy / "pipe.jpg")
    with pytest.raises(ValueError, match=r"pipe\.jpg: expected a file or a folder, got a pipe"):
        prune(copy, tmp_path / "out")


def test_a_report_elsewhere_is_no_part_of_the_source(copy, tmp_path, prune, contents):
    report = copy / "report.json"
    prune(copy, in_place=True, report=report)
    assert json.loads(report.read_text())["total"]["pruned"] == 5
    assert prune(copy, tmp_path / "out", report=report).total.copied == 3
    assert "report.json" not in contents(tmp_path / "out")


@pytest.mark.parametrize("taken", ["prune.json", "photos/cat/a.jpg"])
def test_a_report_writes_over_nothing_else(copy, tmp_path, prune, contents, taken):
    if taken == "prune.json":
        (copy / taken).write_text('{"plums": 3}')
    before = contents(copy)
    options = {} if taken == "prune.json" else {"report": copy / taken}
    for output, in_place in ((None, True), (tmp_path / "out", False)):
        with pytest.raises(ValueError, match=rf"{taken}: expected no file or an earlier report, got something else"):
            prune(copy, output, in_place=in_place, **options)
    assert contents(copy) == before
    assert not (tmp_path / "out").exists()


def test_names_of_classes_stay_on_their_line(tmp_path, prune, make_jpeg):
    for name in ("a\nb\x1b[2J", "größe"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.jpg").write_bytes(make_jpeg(24, 24))
    shown = str(prune(tmp_path / "in", tmp_path / "out"))
    assert r"a\nb\x1b[2J " in shown
    assert "größe " in shown


@pytest.mark.parametrize("on_bad_image", ["error", "skip"])
def test_a_full_disk_stops_it_and_the_same_command_goes_on(
    source, tmp_path, prune, contents, monkeypatch, on_bad_image
):
    original, written = CountedFile.write, iter(range(1000))

    def write(self, data):
        if next(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(CountedFile, "write", write)
        with pytest.raises(OSError, match=r"No space left on device: .*out"):
            prune(source, tmp_path / "out", on_bad_image=on_bad_image)
    assert not [name for name in contents(tmp_path / "out") if name.endswith(".tmp")]
    assert not (tmp_path / "out/prune.json").exists()
    assert prune(source, tmp_path / "out").total.pruned == 5


def test_a_full_disk_leaves_originals_alone(copy, prune, contents, monkeypatch):
    before = contents(copy)

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CountedFile, "write", write)
    with pytest.raises(OSError, match="No space left on device"):
        prune(copy, in_place=True)
    after = contents(copy)
    after.pop("prune.json.partial")
    assert after == before


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write everywhere")
def test_a_read_only_output(source, tmp_path, prune):
    (tmp_path / "out").mkdir(mode=0o555)
    with pytest.raises(PermissionError):
        prune(source, tmp_path / "out")


def test_an_output_that_cannot_be_made_is_one_line(source, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status = main(["prune", str(source), str(tmp_path / "file/out"), "--channels", "24", "--no-progress"])
    assert status == 2
    assert capsys.readouterr().err.startswith(f"freqlearn: {tmp_path}/file/out: Not a directory")


def test_files_of_a_folder_without_permission_are_named(copy, tmp_path, prune, monkeypatch):
    from freqlearn.pipelines.pruning import files

    def read(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "read_bytes", read)
    with pytest.raises(ValueError, match=r"\.jpg: Permission denied|misnamed.png: Permission denied"):
        prune(copy, tmp_path / "out")
