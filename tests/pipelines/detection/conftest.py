"""A small generated COCO dataset of shapes, and ways to write others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.shapes import write_shapes
from freqlearn.pipelines.detection.training import DetectionTraining, train_detector


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with images/ (10 scenes of 96 px, a crowd in the first) and instances.json."""
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=10, size_px=96)


@pytest.fixture(scope="session")
def shapes(shapes_dir: Path) -> CocoFolder:
    """The generated scenes."""
    return CocoFolder(shapes_dir / "images", shapes_dir / "instances.json")


@pytest.fixture
def changed_shapes(shapes_dir: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], CocoFolder]:
    """`changed_shapes(change)`: the generated scenes with another JSON file; `change` gets its content."""

    def make(change: Callable[[dict[str, Any]], Any]) -> CocoFolder:
        document = json.loads((shapes_dir / "instances.json").read_text())
        change(document)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(document))
        return CocoFolder(shapes_dir / "images", path)

    return make


@pytest.fixture(scope="session")
def detect(shapes_dir: Path) -> Callable[..., DetectOptions]:
    """`detect(output=..., ...)`: a training of seconds on the generated scenes."""

    def make(**changes: object) -> DetectOptions:
        usual: dict[str, object] = {
            "images": shapes_dir / "images",
            "annotations": shapes_dir / "instances.json",
            "model": "fasterrcnn_resnet18_fpn",
            "min_size": 48,
            "max_size": 64,
            "proposals": 20,
            "rois": 8,
            "detections": 10,
            "min_score": 0.0,
            "epochs": 2,
            "batch_size": 2,
            "optimizer": "sgd",  # its state is half of Adam's: checkpoints are written sooner
            "lr": 1e-3,
            "workers": 0,
            "accelerator": "cpu",
            "progress": False,
        }
        return DetectOptions(**(usual | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def copies_json(shapes_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JSON file of nine copies each of two of the generated scenes: few steps learn them by heart."""
    document = json.loads((shapes_dir / "instances.json").read_text())
    scenes = [image for image in document["images"] if image["id"] in (2, 3)]
    objects = [entry for entry in document["annotations"] if entry["image_id"] in (2, 3)]
    copies = range(100, 1000, 100)
    document["images"] = [{**image, "id": copy + image["id"]} for copy in copies for image in scenes]
    document["annotations"] = [
        {**entry, "id": 100 * copy + entry["id"], "image_id": copy + entry["image_id"]}
        for copy in copies
        for entry in objects
    ]
    path = tmp_path_factory.mktemp("copies") / "instances.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="session")
def trained_detector(
    detect: Callable[..., DetectOptions], copies_json: Path, tmp_path_factory: pytest.TempPathFactory
) -> DetectionTraining:
    """What a training of 16 steps gives: a Mask R-CNN on DCT-24 that has learnt two scenes by heart."""
    learning: dict[str, object] = {"optimizer": "adamw", "lr": 3e-4, "proposals": 50, "rois": 32, "augment": "none"}
    return train_detector(
        detect(
            output=tmp_path_factory.mktemp("detector") / "run",
            annotations=copies_json,
            val_fraction=1 / 9,
            model="maskrcnn_resnet18_fpn",
            **learning,
        )
    )


@pytest.fixture
def own_shapes(shapes_dir: Path, tmp_path: Path) -> CocoFolder:
    """A copy of the generated scenes whose files a test may change."""
    root = shutil.copytree(shapes_dir, tmp_path / "own")
    return CocoFolder(root / "images", root / "instances.json")
