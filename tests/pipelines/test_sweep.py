"""`freqlearn sweep-channels`: one training a point, none repeated, and a report that says what was found."""

import csv
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
from lightning.pytorch.callbacks import Callback
from PIL import Image

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.sweep import sweep
from freqlearn.pipelines.sweep_points import Point, Summary
from freqlearn.pipelines.sweep_report import Sweep
from freqlearn.pipelines.training import train
from freqlearn.pipelines.workflow_options import SweepOptions
from freqlearn.spec import InputSpec

Options = Callable[..., SweepOptions]


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ranking that puts Y first, in index order."""
    folder = tmp_path_factory.mktemp("ranking") / "rank"
    Importance(np.arange(192.0)[::-1], "gate", {"folder": "photos/train"}).save(folder)
    return folder


@pytest.fixture
def options(two_classes: Path, ranking: Path, tmp_path: Path) -> Options:
    def make(**changes: Any) -> SweepOptions:
        usual: dict[str, Any] = {
            "data": two_classes,
            "ranking": ranking,
            "output": tmp_path / "sweep",
            "model": "small",
            "top": "2,5",
            "size_px": 32,
            "epochs": 1,
            "batch_size": 8,
            "augment": "flip",
            "workers": 0,
            "accelerator": "cpu",
            "progress": False,
        }
        return SweepOptions(**(usual | changes))

    return make


class Counting(Callback):
    """Counts trainings, and interrupts one of them."""

    def __init__(self, interrupt: int | None = None) -> None:
        self.trainings = 0
        self.interrupt = interrupt

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trainings += 1

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self.trainings == self.interrupt and trainer.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_interrupted_sweep_repeats_nothing_and_gives_the_same(options: Options, tmp_path: Path) -> None:
    whole = sweep(options(output=tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt, match="state saved"):
        sweep(options(), callbacks=[Counting(interrupt=2)])
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["points"] == [vars(whole.points[0])]
    counting = Counting()
    resumed = sweep(options(resume=True), callbacks=[counting])
    assert counting.trainings == 1, "the interrupted one only"
    assert resumed.points == whole.points
    # More seeds: the first ones are not repeated.
    counting = Counting()
    more = sweep(options(resume=True, seeds=2), callbacks=[counting])
    assert counting.trainings == 2
    assert more.points[:2] == whole.points
    assert [entry.seeds for entry in more.summary] == [2, 2]
    with pytest.raises(ValueError, match=r"was trained with epochs 1, and now epochs is 2"):
        sweep(options(resume=True, epochs=2))
    with pytest.raises(ValueError, match="holds another sweep"):
        sweep(options())


def test_points_are_trainings_of_the_most_important_channels(
    options: Options, two_classes: Path, tmp_path: Path
) -> None:
    result = sweep(options(top=[3]))
    (point,) = result.points
    folder = tmp_path / "sweep" / "top-3" / "seed-0"
    evaluation = evaluate(folder / "last.ckpt", two_classes, workers=0, accelerator="cpu", progress=False)
    assert point.accuracy == pytest.approx(evaluation.top1)
    assert (point.channels, point.images, point.bytes_per_image) == (3, 10, 3 * 4 * 4 * 4)
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["accuracy"]) == point.accuracy
    with Image.open(tmp_path / "sweep" / "sweep.png") as picture:
        assert picture.size[0] > 1000
    assert "<svg" in (tmp_path / "sweep" / "sweep.svg").read_text()


def test_spec_beside_the_ranking_is_used(options: Options, ranking: Path, tmp_path: Path) -> None:
    importance = Importance.load(ranking)
    importance.save(tmp_path / "ranked")
    spec = InputSpec.unstandardised(ChannelSet.all(), 32)
    spec.save(tmp_path / "ranked" / "spec.json")
    sweep(options(ranking=tmp_path / "ranked", top="2", size_px=None))
    config = (tmp_path / "sweep" / "top-2" / "seed-0" / "config.yaml").read_text()
    assert f"spec: {tmp_path / 'ranked' / 'spec.json'}" in config


def test_rgb_baseline_of_half_the_size(options: Options) -> None:
    result = sweep(
        options(model="resnet18", top="2", size_px=64, augment="standard", rgb=True, max_steps=1, stage2_stride=1)
    )
    baseline, frequency = result.summary
    assert (baseline.input, baseline.channels, baseline.bytes_per_image) == ("rgb", 3, 3 * 32 * 32 * 4)
    assert (frequency.input, frequency.bytes_per_image) == ("dct", 2 * 8 * 8 * 4)
    assert "RGB" in str(result)


def point(channels: int, seed: int, accuracy: float) -> Point:
    return Point(
        input="dct",
        channels=channels,
        seed=seed,
        accuracy=accuracy,
        images=400,
        bytes_per_image=16 * channels,
        macs=10**6,
    )


def test_summary() -> None:
    entry = Summary.of([point(6, 0, 0.5), point(6, 1, 0.6), point(6, 2, 0.7)])
    assert entry.accuracy == pytest.approx(0.6)
    assert entry.std == pytest.approx(0.1)
    assert entry.standard_error == pytest.approx(math.sqrt(0.6 * 0.4 / 400))
    assert Summary.of([point(6, 0, 0.5)]).std is None


def test_table(ranking: Path, tmp_path: Path) -> None:
    points = (point(12, 0, 0.8), point(6, 0, 0.5))
    result = Sweep(importance=Importance.load(ranking), model="small", points=points, folder=tmp_path)
    lines = str(result).splitlines()
    assert lines[2].split()[:2] == ["6", "96"]
    assert "80.0% ± 2.0" in lines[3]
    assert "std" not in lines[0]
    assert "std" in str(replace(result, points=(*result.points, point(6, 1, 0.7))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": "6,x"}, "top must be numbers of channels"),
        ({"top": "0,6"}, "top must be numbers of channels from 1 to 192"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"rgb": True}, "small is for frequency channels"),
        ({"rgb_size_px": 32}, "add rgb"),
    ],
)
def test_options_are_checked(options: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


def test_mistakes(options: Options, two_classes: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read.*freqlearn rank"):
        sweep(options(ranking=tmp_path / "none"))
    with pytest.raises(ValueError, match="no sweep to resume"):
        sweep(options(resume=True))
    with pytest.raises(ValueError, match="compares accuracies on validation files"):
        sweep(options(data=two_classes / "train", val_fraction=0.0))
    with pytest.raises(ValueError, match="imagenet-448 was measured at size_px 448"):  # before the baseline is trained
        sweep(options(model="resnet18", spec="imagenet-448", rgb=True))
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"target_channels": 3, "lambda_": None}, "target_channels 3 is for a gate, and there is none", id="no gate"
        ),
        pytest.param({"target_channels": 24, "lambda_": None, "gate": True}, "must be below 24", id="all channels"),
    ],
)
def test_target_without_a_choice(options: Options, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(options().training(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()
