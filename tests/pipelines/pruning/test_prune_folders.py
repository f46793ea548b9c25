import json
import math
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import freqlearn as fl
from freqlearn import ChannelSet, InputSpec
from freqlearn.fidelity import luma_psnr
from freqlearn.pipelines.checkpoint import read_header
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.importance import Importance

pytestmark = pytest.mark.usefixtures("fresh_logging")

DCT_24 = ChannelSet.square(24)
SPEC = InputSpec.unstandardised(DCT_24, 32, 40)


@pytest.fixture(scope="module")
def pruned(source, tmp_path_factory, prune):
    """The source with DCT-24 only, and the report."""
    output = tmp_path_factory.mktemp("pruned") / "out"
    return output, prune(source, output)


def test_every_jpeg_file_keeps_these_channels_and_no_other(source, jpegs, pruned):
    output, _ = pruned
    mask = DCT_24.mask().reshape(3, 8, 8)
    for name in jpegs:
        original, left = (fl.read_dct(folder / name, decoder="native") for folder in (source, output))
        assert left.sampling == original.sampling
        for plane, before, kept in zip(left.planes, original.planes, mask, strict=False):
            assert np.array_equal(plane, before * kept)


@pytest.mark.filterwarnings("error")
def test_others_open_the_files(source, jpegs, pruned):
    output, _ = pruned
    for name in jpegs:
        with Image.open(source / name) as original, Image.open(output / name) as image:
            image.load()
            assert (image.format, image.size, image.mode) == ("JPEG", original.size, original.mode)
            assert image.getexif().get(0x0112) == original.getexif().get(0x0112)


def test_what_is_no_jpeg_file_of_ycbcr_is_copied(source, jpegs, pruned, contents):
    output, report = pruned
    before, after = contents(source), contents(output)
    assert set(after) == {*before, "prune.json"}
    for name in set(before) - set(jpegs):
        assert after[name] == before[name]
    assert (report.total.pruned, report.total.kept, report.total.copied) == (5, 1, 3)
    assert report.total.copied_bytes == sum(len(before[name]) for name in set(before) - set(jpegs))


def test_the_report_counts_bytes_and_psnr(source, jpegs, pruned):
    output, report = pruned
    total = report.total
    assert total.bytes_before == sum((source / name).stat().st_size for name in jpegs)
    assert total.bytes_after == sum((output / name).stat().st_size for name in jpegs)
    psnr = {name: luma_psnr(fl.read_dct(output / name), fl.read_dct(source / name)) for name in jpegs}
    assert total.psnr_mean_db == pytest.approx(math.fsum(psnr.values()) / 5)
    assert report.lowest == (min(psnr, key=psnr.get), min(psnr.values()))
    assert set(report.classes) == {"", "photos/cat", "photos/dog"}
    assert report.classes["photos/cat"].bytes_before == sum((source / name).stat().st_size for name in jpegs[:2])
    written = json.loads((output / "prune.json").read_text())
    assert written == report.to_dict()
    assert written["total"]["bytes_after"] == total.bytes_after
    assert written["options"]["channels"] == sorted(DCT_24)
    assert "times smaller" in str(report)


def test_files_that_grow_are_listed(tmp_path, make_jpeg, prune):
    source = tmp_path / "in"
    source.mkdir()
    # An optimised progressive file with all channels left can only become larger as a baseline one.
    (source / "a.jpg").write_bytes(make_jpeg(200, 200, progressive=True, optimise=True, quality=60))
    report = prune(source, tmp_path / "out", channels="all")
    sizes = [(folder / "a.jpg").stat().st_size for folder in (source, tmp_path / "out")]
    assert sizes[1] > sizes[0]
    assert report.grew == [("a.jpg", *sizes)]
    assert report.total.same_luma == 1
    assert "1 grew: a.jpg" in str(report)


def test_threads_and_repeats_change_no_byte(source, tmp_path, pruned, prune, contents):
    prune(source, tmp_path / "one", threads=1)
    prune(source, tmp_path / "seven", threads=7)
    for output in (tmp_path / "one", tmp_path / "seven"):
        other = contents(output)
        other["prune.json"] = other["prune.json"].replace(str(output).encode(), str(pruned[0]).encode())
        assert other == contents(pruned[0])


@pytest.mark.parametrize("tolerance", [0.0, 8.0])
def test_a_model_sees_the_same(source, jpegs, tmp_path, prune, tolerance):
    SPEC.save(tmp_path / "spec.json")
    report = prune(source, tmp_path / "out", for_=str(tmp_path / "spec.json"), tolerance=tolerance)
    evaluate = fl.presets.classification_eval(SPEC, tolerance=tolerance)
    for name in os.listdir(source / "photos/cat"):
        before, after = (evaluate(folder / "photos/cat" / name) for folder in (source, tmp_path / "out"))
        assert torch.equal(before, after)
    assert report.total.pruned == len(jpegs)
    assert report.options["for"] == SPEC.to_dict()


def test_more_tolerance_leaves_fewer_bytes_and_the_whole_picture_more(source, tmp_path, prune):
    SPEC.save(tmp_path / "spec.json")
    sizes = [
        prune(source, tmp_path / str(number), for_=str(tmp_path / "spec.json"), **options).total.bytes_after
        for number, options in enumerate(
            [{"tolerance": 40.0}, {"tolerance": 4.0}, {"tolerance": 4.0, "whole_picture": True}]
        )
    ]
    assert sizes == sorted(set(sizes))


def test_turned_pictures_are_pruned_for_what_a_model_of_upright_ones_sees(source, tmp_path, prune):
    spec = InputSpec.unstandardised(DCT_24, 32, 40)
    spec.save(tmp_path / "spec.json")
    prune(source, tmp_path / "out", for_=str(tmp_path / "spec.json"), exif_orientation=True, tolerance=4.0)
    evaluate = fl.presets.classification_eval(spec, exif_orientation=True, tolerance=4.0)
    assert torch.equal(evaluate(source / "photos/cat/a.jpg"), evaluate(tmp_path / "out/photos/cat/a.jpg"))


def test_the_top_of_an_importance(source, tmp_path, prune):
    Importance(np.arange(192.0)[::-1].copy(), "energy").save(tmp_path / "rank")
    report = prune(source, tmp_path / "out", channels=str(tmp_path / "rank/importance.json"), top=5)
    assert report.options["channels"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("metadata", "orientation", "comment"), [("keep", 6, True), ("orientation", 6, False), ("none", None, False)]
)
def test_metadata(tmp_path, make_jpeg, prune, metadata, orientation, comment):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    (tmp_path / "a.jpg").write_bytes(make_jpeg(16, 16, exif=exif.tobytes()))
    prune(tmp_path / "a.jpg", tmp_path / "b.jpg", metadata=metadata)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif().get(0x0112) == orientation
        assert (image.getexif().get(0x010E) is not None) == comment
    assert json.loads((tmp_path / "b.jpg.json").read_text())["total"]["pruned"] == 1


def test_progressive_files(source, jpegs, tmp_path, prune):
    prune(source, tmp_path / "out", progressive=True)
    assert all(fl.read_info(tmp_path / "out" / name).process == "progressive" for name in jpegs)


def test_a_file_that_cannot_be_read_stops_it(source, tmp_path, prune):
    broken = shutil.copytree(source, tmp_path / "in")
    (broken / "photos/dog/b.JPEG").write_bytes((source / "photos/cat/a.jpg").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"b\.JPEG: .*--on-bad-image skip"):
        prune(broken, tmp_path / "out")
    report = prune(broken, tmp_path / "out", on_bad_image="skip")  # goes on
    assert not (tmp_path / "out/photos/dog/b.JPEG").exists()
    assert report.total.skipped == report.classes["photos/dog"].skipped == 1
    assert [name for name, _ in report.skipped] == [str(broken / "photos/dog/b.JPEG")]
    assert "b.JPEG" in (tmp_path / "out/bad_images.csv").read_text()
    assert not (tmp_path / "out/prune.json.partial").exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"], ids=["empty", "a page"])
def test_no_picture_under_a_jpeg_files_name(tmp_path, make_jpeg, prune, content):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(content)
    (tmp_path / "in/b.jpg").write_bytes(make_jpeg(16, 16))
    with pytest.raises(ValueError, match=r"a\.jpg: "):
        prune(tmp_path / "in", tmp_path / "out")
    assert prune(tmp_path / "in", tmp_path / "out", on_bad_image="skip").total.skipped == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_that_are_no_text(tmp_path, make_jpeg, prune, contents):
    folder = tmp_path / "in"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.jpg")
    (folder / name).write_bytes(make_jpeg(16, 16))
    (folder / os.fsdecode(b"bad\xff.jpg")).write_bytes(b"")
    report = prune(folder, tmp_path / "out", on_bad_image="skip")
    assert {name, "prune.json", "bad_images.csv"} == set(contents(tmp_path / "out"))
    assert r"bad\xff.jpg" in (tmp_path / "out/bad_images.csv").read_text()
    assert r"caf\xe9.jpg" in str(report)


def test_the_command_prints_a_table_or_json(source, tmp_path, capsys):
    assert main(["prune", str(source), str(tmp_path / "a"), "--channels", "24", "--no-progress"]) == 0
    assert "PSNR of Y, dB" in capsys.readouterr().out
    assert main(["prune", str(source), str(tmp_path / "b"), "--channels", "24", "--no-progress", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "b/prune.json").read_text())


def test_the_help_says_what_the_literal_form_loses(capsys):
    assert main(["prune", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "a file's channels are not the model's where a resize lies between them" in text
    assert "--for" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": None}, "expected either for .* or channels .*, got neither"),
        ({"for_": "imagenet-448", "channels": 24}, "got both"),
        ({"tolerance": 1.0}, "go with for"),
        ({"for_": "x", "channels": None, "tolerance": -1.0}, "tolerance must be a number of at least 0"),
        ({"for_": "x", "channels": None, "top": 3}, "top needs channels"),
        ({"metadata": "some"}, "metadata must be one of orientation, keep, none"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"output": None}, "expected where to write to"),
    ],
)
def test_options_that_contradict_each_other(tmp_path, options, message):
    from freqlearn.pipelines.pruning.options import PruneOptions

    with pytest.raises(ValueError, match=message):
        PruneOptions(**{"source": "in", "output": tmp_path, "channels": 24, **options})


def test_a_spec_of_pixels_sees_everything(source, tmp_path, prune):
    with pytest.raises(ValueError, match="expected a spec of frequency channels, got one of pixels"):
        prune(source, tmp_path / "out", for_="imagenet-rgb")
    assert not (tmp_path / "out").exists()


def test_photos_of_all_samplings(photos, tmp_path, prune):
    source = tmp_path / "in"
    source.mkdir()
    for path in sorted((photos / "imagenet-sample").iterdir())[:12]:
        shutil.copy(path, source)
    spec = InputSpec.unstandardised(DCT_24, 448, 512)
    spec.save(tmp_path / "spec.json")
    report = prune(source, tmp_path / "out", for_=str(tmp_path / "spec.json"), tolerance=2.0)
    evaluate = fl.presets.classification_eval(spec, tolerance=2.0)
    for path in source.iterdir():
        assert torch.equal(evaluate(path), evaluate(tmp_path / "out" / path.name))
    assert report.total.bytes_before > 2 * report.total.bytes_after


def test_for_a_checkpoint_is_for_its_spec(source, tmp_path, prune, trained):
    report = prune(source / "photos", tmp_path / "out", for_=str(trained.checkpoint))
    assert report.options["for"] == read_header(trained.checkpoint).spec.to_dict()
    with pytest.raises(ValueError, match=r"misnamed\.png: .*32"):  # 24 px, and evaluation does not resize
        prune(source, tmp_path / "all", for_=str(trained.checkpoint))


def test_rgb_files_have_no_channels_of_their_own_but_a_model_sees_them(source, tmp_path, prune):
    (tmp_path / "in").mkdir()
    y = fl.read_dct(source / "photos/cat/größe 大.jpg")
    rgb = fl.DCTImage.from_planes(y.planes, y.quant_tables, size_px=y.size_px, color_space="RGB")
    fl.write_jpeg(rgb, tmp_path / "in/a.jpg")
    assert prune(tmp_path / "in", tmp_path / "literal").total.kept == 1
    assert (tmp_path / "literal/a.jpg").read_bytes() == (tmp_path / "in/a.jpg").read_bytes()
    SPEC.save(tmp_path / "spec.json")
    assert prune(tmp_path / "in", tmp_path / "out", for_=str(tmp_path / "spec.json"), tolerance=4.0).total.pruned == 1
    evaluate = fl.presets.classification_eval(SPEC, tolerance=4.0)
    assert torch.equal(evaluate(tmp_path / "in/a.jpg"), evaluate(tmp_path / "out/a.jpg"))
