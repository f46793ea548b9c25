"""`train_detector`: what it writes, what its checkpoints carry, and what a validation measures."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback

from freqlearn.models.detection import FrequencyMaskRCNN
from freqlearn.pipelines.bad_images import BAD_IMAGES
from freqlearn.pipelines.checkpoint import load_checkpoint, read_header
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.evaluating import evaluate_detector
from freqlearn.pipelines.detection.learner import LOSSES
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.training import DetectionTraining, train_detector

Detect = Callable[..., DetectOptions]


def logged(folder: Path) -> dict[str, list[float]]:
    """What was logged at the ends of epochs, by name."""
    columns: dict[str, list[float]] = {}
    for path in sorted((folder / "logs").glob("*/metrics.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value and name.startswith(("train/", "val/")):
                        columns.setdefault(name, []).append(float(value))
    return columns


def test_the_folder_of_a_training(trained_detector: DetectionTraining) -> None:
    folder = trained_detector.checkpoint.parent
    assert trained_detector.steps == 16
    assert trained_detector.images == 32
    assert {path.name for path in folder.iterdir()} >= {"best.ckpt", "last.ckpt", "config.yaml", "logs"}
    plain = yaml.safe_load((folder / "config.yaml").read_text())
    assert DetectOptions(**plain).plain() == plain, "the options that `--config config.yaml` gives"
    assert str(trained_detector).endswith(f"16 steps, validation mask AP {trained_detector.average_precision:.3f}")


def test_epochs_are_logged_loss_by_loss(trained_detector: DetectionTraining) -> None:
    metrics = logged(trained_detector.checkpoint.parent)
    parts = [metrics[f"train/{name}"] for name in LOSSES]
    assert metrics["train/loss"] == pytest.approx([sum(epoch) for epoch in zip(*parts, strict=True)], rel=1e-5)
    assert metrics["train/loss"][-1] < 0.5 * metrics["train/loss"][0]
    assert all(math.isfinite(value) for values in metrics.values() for value in values)
    assert len(metrics["val/box_AP"]) == len(metrics["val/mask_AP"]) == len(metrics["val/mask_AP50"]) == 2
    assert trained_detector.average_precision == pytest.approx(max(metrics["val/mask_AP"]))


def test_the_header_builds_the_detector(trained_detector: DetectionTraining, detect: Detect, copies_json: Path) -> None:
    checkpoint = load_checkpoint(trained_detector.checkpoint)
    whole = CocoFolder(detect().images, copies_json)
    header = checkpoint.header
    assert header.is_detector
    assert isinstance(checkpoint.model, FrequencyMaskRCNN)
    assert header.classes == ("rectangle", "ellipse", "triangle")
    assert header.training["category_ids"] == [1, 3, 4]
    assert header.spec.size_px == 96, "blocks are taken of a picture twice as large"
    assert header.held_out == {"fraction": 1 / 9, "seed": 0, "fingerprint": whole.fingerprint()}
    assert header.network_title.startswith("maskrcnn_resnet18_fpn (min_anchor 4, proposals 50, rois 32")
    assert checkpoint.model.roi_heads.box_predictor.cls_score.out_features == 4, "with the background"


def test_the_best_checkpoint_evaluates_as_validated(
    trained_detector: DetectionTraining, detect: Detect, copies_json: Path
) -> None:
    best = trained_detector.checkpoint
    found = evaluate_detector(best, detect().images, copies_json, accelerator="cpu", workers=0, progress=False)
    assert found.held_out, "the very images that were validated on"
    metrics = logged(trained_detector.checkpoint.parent)
    epoch = metrics["val/mask_AP"].index(max(metrics["val/mask_AP"]))
    assert found.masks is not None
    for kind, scores in (("box", found.boxes), ("mask", found.masks)):
        validated = {name: metrics[f"val/{kind}_{name}"][epoch] for name, score in scores.items() if score is not None}
        assert {name: scores[name] for name in validated} == pytest.approx(validated, abs=1e-6)
    assert found.boxes["AP50"], "something was learnt, so what was compared is not only zeros"


def test_no_mask_of_a_validation_is_in_a_checkpoint(trained_detector: DetectionTraining) -> None:
    state = torch.load(trained_detector.checkpoint.with_name("last.ckpt"), weights_only=True)
    (process,) = state["processes"]
    assert process["metrics"] == {}, "all that was counted has been logged"


@pytest.mark.parametrize("input", ["dct", "rgb"])
def test_a_step_in_bfloat16_of_a_jittered_batch(detect: Detect, tmp_path: Path, input: str) -> None:
    common = {"input": input, "augment": "jitter", "val_fraction": 0.0, "max_steps": 1}
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        result = train_detector(detect(output=tmp_path / precision, precision=precision, **common))
        assert result.average_precision is None
        assert result.checkpoint.name == "last.ckpt"
        state = torch.load(result.checkpoint, weights_only=True)
        assert all(torch.isfinite(value).all() for value in state["state_dict"].values())
        losses[precision] = logged(tmp_path / precision)["train/loss"][0]
    # The step's weights and pictures are the same; bfloat16 has 8 bits, and which regions are drawn depends on them.
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.05)


def test_bad_images_are_skipped_and_listed(detect: Detect, shapes_dir: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in (shapes_dir / "images").iterdir():
        damaged = path.stem in ("000002", "000003")
        (images / path.name).write_bytes(path.read_bytes()[: 200 if damaged else None])
    options = detect(images=images, output=tmp_path / "run", on_bad_image="skip", epochs=1, spec=None)
    assert train_detector(options).steps == 4
    listed = (options.output / BAD_IMAGES).read_text() if options.output else ""
    assert "000002.jpg" in listed
    assert "000003.jpg" in listed
    with pytest.raises(ValueError, match=r"00000[23]\.jpg: .*--on-bad-image skip"):
        train_detector(replace(options, output=tmp_path / "strict", on_bad_image="error"))


def test_images_without_boxes_are_trained_on_if_asked_for(
    detect: Detect, changed_shapes: Callable[[Callable[[dict[str, Any]], Any]], CocoFolder], tmp_path: Path
) -> None:
    def only_the_first_has_boxes(document: dict[str, Any]) -> None:
        document["annotations"] = [entry for entry in document["annotations"] if entry["image_id"] == 1]

    folder = changed_shapes(only_the_first_has_boxes)
    common = {"annotations": folder.annotations_json, "val_fraction": 0.0, "epochs": 1, "augment": "none"}
    assert train_detector(detect(output=tmp_path / "without", batch_size=1, **common)).steps == 1
    options = detect(
        output=tmp_path / "with", first=4, batch_size=1, keep_empty=True, model="maskrcnn_resnet18_fpn", **common
    )
    gradients = _Gradients()
    kept = train_detector(options, callbacks=[gradients])
    assert kept.steps == 4, "three of them on nothing but background"
    assert not gradients.missing, "of several processes, all wait for the gradient of every weight"
    assert all(math.isfinite(value) for value in logged(tmp_path / "with")["train/loss"])


def test_averages_of_the_weights_are_saved(detect: Detect, tmp_path: Path) -> None:
    result = train_detector(detect(output=tmp_path, ema=0.5, val_fraction=0.0, max_steps=2))
    state = torch.load(result.checkpoint, weights_only=True)
    name = "model.backbone.body.layer4.0.conv1.weight"
    assert not torch.equal(state["state_dict"][name], state["current_model_state"][name])
    averaged = load_checkpoint(result.checkpoint).model.get_parameter(name.removeprefix("model."))
    assert torch.equal(averaged, state["state_dict"][name])


def test_a_gated_detector(detect: Detect, tmp_path: Path) -> None:
    rates = _Rates()
    result = train_detector(detect(output=tmp_path, gate=True, target_channels=8, max_steps=3), callbacks=[rates])
    metrics = logged(tmp_path)
    assert metrics["val/channels_on"] == [24.0], "the gate begins with all of them on"
    assert metrics["train/loss"][0] == pytest.approx(
        metrics["train/task_loss"][0] + metrics["train/penalty"][0], rel=1e-4
    )
    assert read_header(result.checkpoint).arguments["gate"] is True
    assert rates.groups == {1e-3, 1e-2}, "the gate has a rate of its own"


class _Rates(Callback):
    """Notes the highest rates of the parameter groups."""

    def on_train_start(self, trainer: object, pl_module: object) -> None:
        self.groups = {group["initial_lr"] for opt in trainer.optimizers for group in opt.param_groups}  # type: ignore[attr-defined]


class _Gradients(Callback):
    """Notes weights that a step gives no gradient."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def on_before_optimizer_step(self, trainer: object, pl_module: torch.nn.Module, optimizer: object) -> None:
        trained = {name: weight for name, weight in pl_module.named_parameters() if weight.requires_grad}
        self.missing |= {name for name, weight in trained.items() if weight.grad is None}
