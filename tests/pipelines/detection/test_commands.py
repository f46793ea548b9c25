"""`freqlearn detect`: its commands from end to end, and what commands say of checkpoints of the other kind."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from freqlearn.pipelines.checkpoint import read_header
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.detection.training import DetectionTraining
from freqlearn.pipelines.training import TrainResult

pytestmark = pytest.mark.usefixtures("fresh_logging")


@pytest.fixture
def data(shapes_dir: Path) -> list[str]:
    return ["--images", str(shapes_dir / "images"), "--annotations", str(shapes_dir / "instances.json")]


SMALL = [
    *("--model", "fasterrcnn_resnet18_fpn", "--min-size", "48", "--max-size", "64", "--proposals", "20", "--rois", "8"),
    *("--batch-size", "4", "--workers", "0", "--accelerator", "cpu", "--no-progress"),
]


def test_train(data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    line = ["detect", "train", *data, *SMALL, "--channels", "0-3,64,128", "--output", str(run), "--val-fraction", "0.3"]
    assert main([*line, "--max-steps", "1"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith(f"{run}/best.ckpt: 1 step, validation box AP ")
    assert "pictures of 48 px" in output.err
    assert yaml.safe_load((run / "config.yaml").read_text())["channels"] == "0-3,64,128"
    assert main(["detect", "train", "--config", str(run / "config.yaml"), "--max-steps", "2", "--resume"]) == 0
    assert capsys.readouterr().out.startswith(f"{run}/best.ckpt: 2 steps, ")
    assert main(["info", str(run / "last.ckpt")]) == 0
    assert "fasterrcnn_resnet18_fpn (" in (text := capsys.readouterr().out)
    assert text.endswith("classes: rectangle, ellipse, triangle\n")


def test_evaluate(
    trained_detector: DetectionTraining, data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["detect", "evaluate", str(trained_detector.checkpoint), *data, "--first", "3", "--workers", "0"]
    line += ["--accelerator", "cpu", "--no-progress"]
    results = tmp_path / "results.json"
    assert main([*line, "--json", "--first", "1", "--predictions", str(results)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["images"] == 1
    assert facts["channels"] == "DCT-24"
    assert set(facts["boxes"]) == set(facts["masks"])
    assert "per_category" not in facts
    assert {entry["image_id"] for entry in json.loads(results.read_text())} == {1}
    assert main([*line, "--per-category"]) == 0
    text = capsys.readouterr().out
    assert "3 images of " in text
    assert "boxes" in text
    assert "AP in %" in text


def test_predict(
    trained_detector: DetectionTraining, shapes_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = sorted((shapes_dir / "images").iterdir())[0]
    (tmp_path / "bad.jpg").write_text("no picture")
    folder = tmp_path / "found"
    line = ["detect", "predict", str(trained_detector.checkpoint), str(photo), str(tmp_path / "bad.jpg")]
    assert main([*line, "-o", str(folder), "--min-score", "0", "--top", "2", "--accelerator", "cpu"]) == 1
    output = capsys.readouterr()
    first, last = output.out.splitlines()
    assert first.startswith(f"{photo}: ")
    assert last == f"Wrote {folder}/: predictions.json and the pictures"
    assert output.err.count("\n") == 1
    assert "bad.jpg" in output.err
    good, bad = json.loads((folder / "predictions.json").read_text())
    assert len(good["detections"]) == 2
    assert "bad.jpg" in bad["error"]
    with Image.open(photo) as original, Image.open(folder / good["picture"]) as drawn:
        assert drawn.width / drawn.height == original.width / original.height


def test_profile(trained_detector: DetectionTraining, capsys: pytest.CaptureFixture[str]) -> None:
    header = read_header(trained_detector.checkpoint)
    height, width = header.training["min_size"], header.training["max_size"]
    regions = f"{header.arguments['proposals']} proposals, {header.arguments['detections']} masks, 3 classes"
    assert main(["profile", str(trained_detector.checkpoint), "--depth", "1"]) == 0
    text = capsys.readouterr().out
    assert "maskrcnn_resnet18_fpn" in text
    padded = "x".join(str(-(-side // 32) * 32 // 4) for side in (height, width))
    assert f"on DCT-24, {height}x{width} px, {regions}; input 24x{padded}" in text
    assert main(["profile", str(trained_detector.checkpoint), "--depth", "1", "--shape", "100x64"]) == 0
    assert "; input 24x32x16" in capsys.readouterr().out
    assert main(["profile", str(trained_detector.checkpoint), "--gate"]) == 2
    assert "which takes only shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        ("evaluate DETECTOR --data PHOTOS", "freqlearn detect evaluate"),
        ("predict DETECTOR PHOTOS", "freqlearn detect predict"),
        ("export DETECTOR", "expected a classifier"),
        ("sensitivity DETECTOR --data PHOTOS --output OUTPUT", "expected a classifier"),
        ("train --data PHOTOS --output DETECTORS --resume --model small", "freqlearn detect train goes on with"),
        ("detect evaluate CLASSIFIER DATA", "freqlearn evaluate"),
        ("detect predict CLASSIFIER PHOTOS", "freqlearn predict"),
        ("detect train DATA --output CLASSIFIERS --resume", "freqlearn train goes on with"),
        ("detect train DATA --backbone DETECTOR --output OUTPUT", "expected the checkpoint of a classifier"),
    ],
)
def test_a_checkpoint_of_the_other_kind_is_one_line(
    line: str,
    way_out: str,
    trained: TrainResult,
    trained_detector: DetectionTraining,
    two_classes: Path,
    data: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = {
        "CLASSIFIER": [str(trained.checkpoint)],
        "CLASSIFIERS": [str(trained.checkpoint.parent)],
        "DETECTOR": [str(trained_detector.checkpoint)],
        "DETECTORS": [str(trained_detector.checkpoint.parent)],
        "PHOTOS": [str(two_classes)],
        "OUTPUT": [str(tmp_path / "output")],
        "DATA": data,
    }
    assert main([part for word in line.split() for part in words.get(word, [word])]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert way_out in error
    assert ".ckpt" in error


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("detect train", "required: images, annotations (see freqlearn detect train --help)"),
        ("detect train --images none --annotations none.json", "none: no such folder"),
        ("detect train DATA --model resnet18", "--model: expected one of 'fasterrcnn_resnet18_fpn'"),
        ("detect train DATA --milestones 3", "--milestones"),
        ("detect train DATA --first 1000", "expected to take the first 1 to 10 images, got 1000"),
        ("detect rank DATA --top 0", "top must be 1 to 192"),
        ("detect rank DATA --method energy --target-channels 24", "target_channels is for a gate"),
        ("detect rank DATA --method ablation", "--method: expected one of 'gate'"),
        ("detect rank DATA --spec imagenet-24", "imagenet-24: neither a spec file nor a preset"),
        ("detect rank DATA --resume --output none", "none/config.yaml: no such file"),
        ("detect evaluate none.ckpt DATA", "none.ckpt: no such checkpoint"),
    ],
)
def test_mistakes_are_one_line(
    line: str,
    message: str,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([part for word in line.split() for part in (data if word == "DATA" else [word])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("freqlearn: ")
    assert error.count("\n") == 1
    assert message in error


def test_missing_pycocotools_says_what_to_install(
    trained_detector: DetectionTraining,
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    for line in (["detect", "train", *data], ["detect", "evaluate", str(trained_detector.checkpoint), *data]):
        assert main([*line, "--accelerator", "cpu", "--workers", "0"]) == 2
        error = capsys.readouterr().err
        assert error.endswith("pip install 'freqlearn[detection]'\n")
        assert error.count("\n") == 1
