"""Validation images in which there is nothing to find."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freqlearn.pipelines.detection.average_precision import NOTHING_TO_FIND
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.training import DetectionTraining, train_detector


def test_a_validation_with_nothing_to_find_is_refused(
    detect: Callable[..., DetectOptions],
    changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder],
    tmp_path: Path,
) -> None:
    crowds = changed_shapes(lambda document: [entry.update(iscrowd=1) for entry in document["annotations"]])
    options = detect(val_annotations=crowds.annotations_json, output=tmp_path / "run")
    with pytest.raises(ValueError, match=r"changed\.json: .* something to find, got none in 10; .* val_fraction 0"):
        train_detector(options)
    assert not (tmp_path / "run").exists()


def test_a_score_of_nothing_is_no_number() -> None:
    """Of the validation images, those with objects may be files that cannot be read."""
    facts: dict[str, Any] = {"checkpoint": Path("best.ckpt"), "spec": None, "classes": (), "steps": 2, "images": 4}
    outcome = DetectionTraining(**facts, seconds=1.0, score=NOTHING_TO_FIND, masks=False)
    assert str(outcome) == "best.ckpt: 2 steps, validation box AP unknown: nothing to find in its images"
