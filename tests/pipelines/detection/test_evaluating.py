"""`evaluate_detector` against a detector run image by image and pycocotools run by hand."""

import contextlib
import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from process_group import in_processes
from small_detector import write_detector
from small_spec import SPEC
from torchvision import tv_tensors

from freqlearn import presets
from freqlearn.pipelines.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from freqlearn.pipelines.detection.average_precision import MEASURES
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.evaluating import DetectionEvaluation, evaluate_detector
from freqlearn.pipelines.training import TrainResult
from freqlearn.pipelines.unfinished import Unfinished
from freqlearn.spec import InputSpec

mask_tools = pytest.importorskip("pycocotools.mask")

DCT = replace(SPEC, size_px=128, resize_px=None)
RGB = replace(InputSpec.preset("imagenet-rgb"), size_px=64, resize_px=None)
QUIET: dict[str, Any] = {"workers": 0, "accelerator": "cpu", "progress": False, "batch_size": 1}


@pytest.fixture(scope="module")
def with_masks(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Mask R-CNN on frequency channels, with a gate that switches by chance, but by what it sees."""
    path = write_detector(tmp_path_factory.mktemp("detectors") / "masks.ckpt", DCT, gate=True)
    loaded = load_checkpoint(path)
    path.unlink()  # 120 MB
    for name in ("weight", "bias"):
        logits = loaded.model.get_parameter(f"gate.logits.{name}")
        torch.nn.init.normal_(logits, generator=torch.Generator().manual_seed(1))
    return loaded


@pytest.fixture(scope="module")
def with_boxes(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Faster R-CNN on pixels."""
    path = tmp_path_factory.mktemp("detectors") / "boxes.ckpt"
    loaded = load_checkpoint(write_detector(path, RGB, network="fasterrcnn_resnet18_fpn"))
    path.unlink()
    return loaded


def detected(loaded: Checkpoint, folder: CocoFolder, images: range) -> list[dict[str, Any]]:
    """COCO results of one image after another, masks pasted by torchvision."""
    transform = presets.detection_eval(loaded.header.spec, min_size=64, max_size=128)
    results: list[dict[str, Any]] = []
    for index in images:
        nothing = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=folder.size_px(index))
        maps, target = transform(folder.path(index).read_bytes(), {"boxes": nothing})
        with torch.inference_mode():
            (found,) = loaded.model(
                [maps], image_sizes=[target["boxes"].canvas_size], output_sizes=[folder.size_px(index)]
            )
        for number, (left, top, right, bottom) in enumerate(found["boxes"].tolist()):
            result: dict[str, Any] = {
                "image_id": folder.image_id(index),
                "category_id": folder.category_ids[int(found["labels"][number]) - 1],
                "bbox": [left, top, right - left, bottom - top],
                "score": float(found["scores"][number]),
            }
            if "masks" in found:
                mask = (found["masks"][number, 0] > 0.5).numpy().astype(np.uint8)
                encoded = mask_tools.encode(np.asfortranarray(mask))
                result["segmentation"] = {"size": encoded["size"], "counts": encoded["counts"].decode()}
            results.append(result)
    return results


def true_to(results: list[dict[str, Any]], document: dict[str, Any]) -> None:
    """Let the objects of a dataset be some of what was detected there, a little moved."""
    document["annotations"] = []
    for result in results[::2]:
        left, top, width, height = result["bbox"]
        number = len(document["annotations"])
        entry = {
            **{key: result[key] for key in ("image_id", "category_id")},
            "id": number + 1,
            "bbox": [left + number % 3, top, width, height * (1 - number % 4 / 10)],
            "area": width * height,
            "iscrowd": int(number % 11 == 10),
        }
        if "segmentation" in result:
            entry["segmentation"] = result["segmentation"]
        document["annotations"].append(entry)


@pytest.fixture(scope="module")
def found_with_masks(with_masks: Checkpoint, shapes: CocoFolder) -> list[dict[str, Any]]:
    """What Mask R-CNN finds in the first four scenes."""
    return detected(with_masks, shapes, range(4))


@pytest.fixture
def own_truth(
    changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder], found_with_masks: list[dict[str, Any]]
) -> CocoFolder:
    """Scenes in which there is much of what Mask R-CNN finds."""
    return changed_shapes(lambda document: true_to(found_with_masks, document))


def by_hand(folder: CocoFolder, results: list[dict[str, Any]], iou_type: str, images: int) -> list[float | None]:
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    other = {"bbox": "segmentation", "segm": "bbox"}[iou_type]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(str(folder.annotations_json))
        own = [{key: value for key, value in result.items() if key != other} for result in results]
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(own), iou_type)
        evaluation.params.imgIds = folder.image_ids[:images]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [None if value == -1 else value for value in evaluation.stats[:6].tolist()]


def evaluated(checkpoint: Checkpoint | Path, folder: CocoFolder, **options: Any) -> DetectionEvaluation:
    return evaluate_detector(checkpoint, folder.images_dir, folder.annotations_json, **(QUIET | options))


def test_mask_rcnn_on_channels(
    with_masks: Checkpoint, own_truth: CocoFolder, found_with_masks: list[dict[str, Any]], tmp_path: Path
) -> None:
    result = evaluated(with_masks, own_truth, first=4, predictions=tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text()) == found_with_masks
    expected = by_hand(own_truth, found_with_masks, "bbox", 4)
    assert [result.boxes[name] for name in MEASURES] == expected
    assert 0.05 < (expected[0] or 0) < 1
    assert result.masks is not None
    assert [result.masks[name] for name in MEASURES] == by_hand(own_truth, found_with_masks, "segm", 4)
    assert (result.images, result.held_out, result.skipped) == (4, False, ())
    means = [np.mean([ap[f"{kind}_AP"] for ap in result.per_category.values()]) for kind in ("box", "mask")]
    assert means == pytest.approx([result.boxes["AP"], result.masks["AP"]])


def test_faster_rcnn_on_pixels(
    with_boxes: Checkpoint,
    shapes: CocoFolder,
    changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder],
    tmp_path: Path,
) -> None:
    found = detected(with_boxes, shapes, range(2))
    truth = changed_shapes(lambda document: true_to(found, document))
    result = evaluated(with_boxes, truth, first=2, predictions=tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text()) == found
    assert [result.boxes[name] for name in MEASURES] == by_hand(truth, found, "bbox", 2)
    assert (result.masks, result.channels, result.mean_channels, result.mean_bytes) == (None, "rgb", None, None)
    sizes = [64 * 64 * max(shapes.size_px(i)) / min(shapes.size_px(i)) for i in range(2)]
    assert result.bytes_per_image == pytest.approx(4 * 3 * np.mean(sizes), rel=0.02)  # sides are rounded to px
    assert "masks" not in str(result)


def test_what_a_gate_leaves_on(with_masks: Checkpoint, shapes: CocoFolder) -> None:
    result = evaluated(with_masks, shapes, first=3, batch_size=2)  # the gate sees none of a batch's padding
    transform = presets.detection_eval(with_masks.header.spec, min_size=64, max_size=128)
    on, cells = [], []
    for index in range(3):
        nothing = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=shapes.size_px(index))
        maps, _ = transform(shapes.path(index).read_bytes(), {"boxes": nothing})
        with torch.inference_mode():
            on.append(int(with_masks.model.get_submodule("gate")(maps[None], return_mask=True)[1].sum()))
        cells.append(maps[0].numel())
    assert (result.in_channels, result.mean_channels) == (5, pytest.approx(np.mean(on)))
    assert result.bytes_per_image == pytest.approx(4 * 5 * np.mean(cells))
    assert result.mean_bytes == pytest.approx(4 * np.mean(np.multiply(on, cells)))
    assert f"gate      {result.mean_channels:.1f} channels on average" in str(result)


def test_two_processes_find_the_same(with_masks: Checkpoint, own_truth: CocoFolder, tmp_path: Path) -> None:
    def found(name: str) -> Any:
        return json.loads(evaluated(with_masks, own_truth, first=3, predictions=tmp_path / name).to_json())

    alone = found("alone.json")
    together = in_processes(tmp_path / "processes", lambda: found("together.json"))
    for result in (alone, *together):
        assert result.pop("seconds") > 0
    assert together == [alone, alone]
    assert (tmp_path / "together.json").read_text() == (tmp_path / "alone.json").read_text()
    assert list(tmp_path.glob("*.partial*")) == []


def test_only_the_part_that_was_held_out(shapes: CocoFolder, tmp_path: Path) -> None:
    held_out = {"fraction": 0.2, "seed": 3, "fingerprint": shapes.first(5).fingerprint()}
    checkpoint = write_detector(
        tmp_path / "held.ckpt", DCT, network="fasterrcnn_resnet18_fpn", held_out=held_out, proposals=5
    )
    part = evaluated(checkpoint, shapes, first=5, predictions=tmp_path / "part.json")
    assert (part.images, part.held_out) == (1, True)
    (expected,) = shapes.first(5).split(0.2, seed=3)[1].image_ids
    assert {result["image_id"] for result in json.loads((tmp_path / "part.json").read_text())} == {expected}
    assert str(part).startswith(f"1 image that training held out of {shapes.annotations_json} in ")
    assert not evaluated(checkpoint, shapes, first=2).held_out


def test_classes_are_told_by_name(
    with_masks: Checkpoint, own_truth: CocoFolder, shapes: CocoFolder, tmp_path: Path
) -> None:
    """Of a dataset with other ids, another order, and one class less."""
    document = json.loads(own_truth.annotations_json.read_text())
    new = {1: 70, 4: 5}  # rectangle, triangle
    document["categories"] = [{"id": 70, "name": "rectangle"}, {"id": 5, "name": "triangle"}]
    kept = [entry for entry in document["annotations"] if entry["category_id"] in new]
    document["annotations"] = [entry | {"category_id": new[entry["category_id"]]} for entry in kept]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    result = evaluate_detector(
        with_masks, shapes.images_dir, other, first=2, predictions=tmp_path / "found.json", **QUIET
    )
    whole = evaluated(with_masks, own_truth, first=2)
    for name in ("rectangle", "triangle"):
        assert result.per_category.get(name) == whole.per_category.get(name)
    assert "ellipse" not in result.per_category
    assert {found["category_id"] for found in json.loads((tmp_path / "found.json").read_text())} <= {70, 5}


def test_boxes_alone_where_annotations_have_no_masks(
    with_masks: Checkpoint,
    changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def without(document: dict[str, Any]) -> None:
        for entry in document["annotations"]:
            entry.pop("segmentation")

    with caplog.at_level(logging.WARNING, "freqlearn"):
        result = evaluated(with_masks, changed_shapes(without), first=1)
    assert result.masks is None
    assert "has no segmentation: only boxes are measured" in caplog.text


def test_nothing_of_a_kind_is_a_dash_and_null(
    with_masks: Checkpoint, changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder]
) -> None:
    empty = changed_shapes(lambda document: document.update(annotations=[]))
    result = evaluated(with_masks, empty, first=1)
    assert set(result.boxes.values()) == {None}
    assert str(result).splitlines()[-2].split() == ["boxes", *"------"]
    assert json.loads(result.to_json())["boxes"]["AP"] is None
    assert "per_category" not in json.loads(result.to_json(per_category=False))


def test_what_cannot_be_read(with_boxes: Checkpoint, shapes: CocoFolder, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in shapes.paths():
        (images / path.name).write_bytes(path.read_bytes())
    bad = images / shapes.path(1).name
    bad.write_bytes(bad.read_bytes()[:300])
    (images / shapes.path(2).name).unlink()
    options = {**QUIET, "first": 3}
    result = evaluate_detector(with_boxes, images, shapes.annotations_json, on_bad_image="skip", **options)
    assert result.images == 1
    assert [name for name, _ in result.skipped] == [str(images / shapes.path(i).name) for i in (1, 2)]
    assert "\nskipped   2 that cannot be read; what follows is over the rest\n" in str(result)
    with pytest.raises(ValueError, match="found none"):
        evaluate_detector(with_boxes, images, shapes.annotations_json, **options)
    (images / shapes.path(0).name).write_bytes(b"no picture")
    with pytest.raises(ValueError, match="none of 3 images could be read"):
        evaluate_detector(with_boxes, images, shapes.annotations_json, on_bad_image="skip", **options)


def test_an_interrupted_evaluation_is_gone_on_with(
    with_masks: Checkpoint,
    own_truth: CocoFolder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in own_truth.paths():
        (images / path.name).write_bytes(path.read_bytes())
    last = images / own_truth.path(2).name
    whole = last.read_bytes()
    last.write_bytes(whole[:300])
    options = {**QUIET, "first": 3, "predictions": tmp_path / "found.json"}
    with pytest.raises(ValueError, match=last.name):
        evaluate_detector(with_masks, images, own_truth.annotations_json, **options)
    assert not (tmp_path / "found.json").exists()
    last.write_bytes(whole)
    caplog.set_level("INFO", "freqlearn")
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "remove", lambda self: None)  # as if it were killed just before
        result = evaluate_detector(with_masks, images, own_truth.annotations_json, **options)
    assert "Going on after 2 of 3 images" in caplog.text
    expected = evaluated(with_masks, own_truth, first=3, predictions=tmp_path / "expected.json")
    again = evaluate_detector(with_masks, images, own_truth.annotations_json, **options)
    assert "Going on after 3 of 3 images" in caplog.text
    assert replace(result, seconds=0) == replace(expected, seconds=0) == replace(again, seconds=0)
    assert (tmp_path / "found.json").read_text() == (tmp_path / "expected.json").read_text()
    assert [path.name for path in tmp_path.glob("*.partial*")] == []


def test_a_classifier_is_no_detector(trained: TrainResult, shapes: CocoFolder) -> None:
    with pytest.raises(CheckpointError, match=r"expected a detector, .* got a classifier \(small on DCT-24"):
        evaluated(trained.checkpoint, shapes)
