"""`predict`: what it finds, writes and draws, against a detector called directly."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_detector import write_detector
from small_spec import SPEC
from torchvision import tv_tensors

from freqlearn import presets
from freqlearn.pipelines import cli
from freqlearn.pipelines.checkpoint import Checkpoint, load_checkpoint
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.predicting import PhotoPrediction, predict
from freqlearn.pipelines.detection.run_lengths import mask_of
from freqlearn.spec import InputSpec

pytest.importorskip("pycocotools")

DCT = replace(SPEC, size_px=128, resize_px=None)
RGB = replace(InputSpec.preset("imagenet-rgb"), size_px=64, resize_px=None)
IDS = {"rectangle": 1, "ellipse": 3, "triangle": 4}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of Mask R-CNN on frequency channels."""
    return write_detector(tmp_path_factory.mktemp("detectors") / "masks.ckpt", DCT)


@pytest.fixture(scope="module")
def detector(file: Path) -> Checkpoint:
    """The same, loaded."""
    return load_checkpoint(file)


def predictions(checkpoint: Checkpoint, *files: Path, output: Path, **options: Any) -> list[PhotoPrediction]:
    usual: dict[str, Any] = {"min_score": 0.0, "accelerator": "cpu"}
    return list(predict(checkpoint, files, output=output, **(usual | options)))


def direct(loaded: Checkpoint, photo: Path) -> dict[str, torch.Tensor]:
    with Image.open(photo) as image:
        size = image.height, image.width
    nothing = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=size)
    transform = presets.detection_eval(loaded.header.spec, min_size=64, max_size=128)
    maps, target = transform(photo.read_bytes(), {"boxes": nothing})
    with torch.inference_mode():
        (found,) = loaded.model([maps], image_sizes=[target["boxes"].canvas_size], output_sizes=[size])
    return found


def test_finds_what_the_detector_finds(detector: Checkpoint, shapes: CocoFolder, tmp_path: Path) -> None:
    files = shapes.paths()[:3]
    found = predictions(detector, *files, output=tmp_path / "out")
    assert [prediction.file for prediction in found] == files
    entries = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert len(entries) == 3
    for path, prediction, entry in zip(files, found, entries, strict=True):
        expected = direct(detector, path)
        height, width = expected["masks"].shape[-2:]
        assert prediction.size_px == (height, width)
        assert {key: entry[key] for key in ("file", "width", "height", "picture")} == {
            "file": str(path), "width": width, "height": height, "picture": f"{path.stem}.png"
        }  # fmt: skip
        assert [d["score"] for d in entry["detections"]] == expected["scores"].tolist()
        names = [detector.header.classes[label - 1] for label in expected["labels"].tolist()]
        assert [(d["label"], d["category_id"]) for d in entry["detections"]] == [(name, IDS[name]) for name in names]
        for detection, box, mask in zip(entry["detections"], expected["boxes"], expected["masks"], strict=True):
            assert detection["box"] == pytest.approx(box.tolist(), abs=1e-9)
            assert mask_of(detection["mask"]).equal(mask[0] > 0.5)
        with Image.open(tmp_path / "out" / entry["picture"]) as picture:
            assert (picture.width % width, picture.height % height) == (0, 0)
        assert str(prediction).startswith(f"{path}: {names[0]} {expected['scores'][0]:.2f}, ")


def test_rgb_and_boxes(shapes: CocoFolder, tmp_path: Path) -> None:
    checkpoint = write_detector(tmp_path / "boxes.ckpt", RGB, network="fasterrcnn_resnet18_fpn")
    path = shapes.path(2)
    (prediction,) = predict(checkpoint, [path], output=tmp_path / "out", min_score=0.0, accelerator="cpu")
    expected = direct(load_checkpoint(checkpoint), path)
    assert [entry.score for entry in prediction.objects] == expected["scores"].tolist()
    assert [entry.mask for entry in prediction.objects] == [None] * len(expected["scores"])
    assert "mask" not in json.loads((tmp_path / "out" / "predictions.json").read_text())[0]["detections"][0]


def test_fewer_and_more_certain(detector: Checkpoint, shapes: CocoFolder, tmp_path: Path) -> None:
    path = shapes.path(0)
    (everything,) = predictions(detector, path, output=tmp_path)
    scores = [entry.score for entry in everything.objects]
    assert len(set(scores)) > 3
    (certain,) = predictions(detector, path, output=tmp_path, min_score=scores[2])
    assert certain.objects == tuple(entry for entry in everything.objects if entry.score > scores[2])
    (two,) = predictions(detector, path, output=tmp_path, top=2)
    assert two.objects == everything.objects[:2]
    (more,) = predictions(detector, path, output=tmp_path, top=12)
    assert len(more.objects) == 12 > len(everything.objects)
    (nothing,) = predictions(detector, path, output=tmp_path, min_score=1.0)
    assert str(nothing) == f"{path}: nothing found with as high a score as asked for"
    assert json.loads((tmp_path / "predictions.json").read_text())[0]["detections"] == []
    (again,) = predictions(detector, path, output=tmp_path)
    assert again.objects == everything.objects, "the detector is left as it was"


@pytest.mark.parametrize("kind", ["dct", "rgb"])
def test_a_turned_photo_is_found_and_drawn_upright(
    kind: str, detector: Checkpoint, shapes: CocoFolder, tmp_path: Path
) -> None:
    """A PNG file with turned pixels and the EXIF orientation that says so is the same photo."""
    if kind == "rgb":
        path = write_detector(tmp_path / "rgb.ckpt", RGB, network="fasterrcnn_resnet18_fpn")
        detector = load_checkpoint(path)
    with Image.open(shapes.path(1)) as image:
        upright = image.convert("RGB")
    assert upright.width != upright.height
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    files = (tmp_path / "upright.png", tmp_path / "turned.png")
    straight, turned = predictions(detector, *files, output=tmp_path / "out")
    assert turned.size_px == straight.size_px == (upright.height, upright.width)
    assert len(straight.objects) > 2
    for one, other in zip(straight.objects, turned.objects, strict=True):
        assert (one.label, one.score) == (other.label, pytest.approx(other.score, abs=1e-4))
        assert one.box == pytest.approx(other.box, abs=0.02)
    pictures = [np.asarray(Image.open(prediction.picture)) for prediction in (straight, turned) if prediction.picture]
    assert (pictures[0] != pictures[1]).mean() < 0.01
    (stored,) = predictions(detector, files[1], output=tmp_path / "out", exif_orientation=False)
    assert stored.size_px == (upright.width, upright.height)


def test_a_turned_jpeg_is_drawn_as_it_is_looked_at(
    detector: Checkpoint, make_jpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    content = make_jpeg(330, 400, exif=exif.tobytes())
    (tmp_path / "turned.jpg").write_bytes(content)
    (prediction,) = predictions(detector, tmp_path / "turned.jpg", output=tmp_path / "out", min_score=1.0)
    assert prediction.size_px == (400, 330)
    assert prediction.picture is not None
    with Image.open(io.BytesIO(content)) as stored, Image.open(prediction.picture) as picture:
        assert picture.tobytes() == stored.convert("RGB").transpose(Image.Transpose.ROTATE_90).tobytes()


@pytest.mark.usefixtures("fresh_logging")
def test_bad_files_are_reported_and_the_others_predicted(
    file: Path, shapes: CocoFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = shapes.path(0)
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:400])
    (tmp_path / "text.jpg").write_text("not a picture")
    files = [tmp_path / "cut.jpg", good, tmp_path / "text.jpg", tmp_path / "missing.jpg"]
    options = ["--output", str(tmp_path / "out"), "--min-score", "0", "--accelerator", "cpu"]
    assert cli.main(["detect", "predict", str(file), *map(str, files), *options]) == 1
    said = capsys.readouterr()
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [str(files[i]) for i in (0, 2, 3)]
    assert said.out.startswith(f"{good}: ")
    entries = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [entry["file"] for entry in entries] == list(map(str, files))
    assert ["error" in entry for entry in entries] == [True, False, True, True]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.json", f"{good.stem}.png"}


def test_names_and_folders(detector: Checkpoint, shapes: CocoFolder, tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "b/1.JPG.jpg", "1.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(shapes.path(0).read_bytes())
    options: dict[str, Any] = {"output": tmp_path / "out", "min_score": 1.0, "batch_size": 3}
    first = predictions(detector, tmp_path, **options)
    pictures = [prediction.picture.name for prediction in first if prediction.picture is not None]
    assert pictures == ["1.png", "1-2.png", "1.JPG.png", "1-3.png"]
    again = predictions(detector, tmp_path, **options)
    assert [prediction.file for prediction in again] == [prediction.file for prediction in first], "no own pictures"
    (own,) = predictions(detector, tmp_path / "out" / "1.png", output=tmp_path / "out", min_score=1.0)
    assert own.error is None, "unless asked for"
    assert own.picture == tmp_path / "out" / "1-2.png", "and what was asked for is not written over"


def test_an_interrupted_call_is_gone_on_with(
    detector: Checkpoint, shapes: CocoFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, out = [*shapes.paths()[:2], shapes.path(0)], tmp_path / "out"  # one of them twice
    expected = predictions(detector, *files, output=tmp_path / "whole", top=2)
    options: dict[str, Any] = {"output": out, "min_score": 0.0, "accelerator": "cpu"}
    running = predict(detector, files, top=2, **options)
    first = [next(running), next(running)]
    running.close()
    assert {path.name for path in out.iterdir()} == {
        "predictions.json.partial", *(f"{path.stem}.png" for path in files)
    }  # fmt: skip
    with open(out / "predictions.json.partial", "a") as file:
        file.write('{"run": "cut off')
    caplog.set_level("INFO", "freqlearn")
    found = predictions(detector, *files, output=out, top=2)
    assert "Going on after 2 of 3 photos" in caplog.text
    assert [entry.objects for entry in found] == [entry.objects for entry in expected]
    assert found[:2] == first
    assert (out / "predictions.json").read_text() == (tmp_path / "whole" / "predictions.json").read_text()
    assert not (out / "predictions.json.partial").exists()
    running = predict(detector, files, top=2, **options)
    next(running)
    running.close()
    (more,) = predictions(detector, files[0], output=out, top=3)
    assert "of another run" in caplog.text
    assert len(more.objects) == 3


def test_mistakes(detector: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="top and batch_size must be at least 1, got 0 and 1"):
        predictions(detector, tmp_path / "a.jpg", output=tmp_path, top=0)
    with pytest.raises(ValueError, match="min_score must be 0 to 1, got 50"):
        predictions(detector, tmp_path / "a.jpg", output=tmp_path, min_score=50)
    with pytest.raises(ValueError, match="found none"):
        predictions(detector, tmp_path, output=tmp_path / "out")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="all photos lie in the output folder itself; give another output"):
        predictions(detector, tmp_path, output=tmp_path)
