"""`freqlearn rank-and-train`: both stages, resumed in either, static and dynamic."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.two_stages import rank_and_train
from freqlearn.pipelines.workflow_options import RankAndTrainOptions

Options = Callable[..., RankAndTrainOptions]


@pytest.fixture
def options(two_classes: Path, tmp_path: Path) -> Options:
    def make(**changes: Any) -> RankAndTrainOptions:
        usual: dict[str, Any] = {
            "data": two_classes,
            "output": tmp_path / "both",
            "model": "small",
            "size_px": 32,
            "augment": "flip",
            "top": 5,
            "rank_epochs": 1,
            "rank_batch_size": 8,
            "epochs": 1,
            "batch_size": 8,
            "workers": 0,
            "accelerator": "cpu",
            "progress": False,
        }
        return RankAndTrainOptions(**(usual | changes))

    return make


class Interrupting(Callback):
    """Counts trainings, and interrupts one of them at its second step."""

    def __init__(self, training: int | None = None) -> None:
        self.trainings = 0
        self.training = training

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trainings += 1

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self.trainings == self.training and trainer.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_interrupted_in_either_stage_resumes_to_the_same(options: Options, tmp_path: Path) -> None:
    whole = rank_and_train(options(output=tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        rank_and_train(options(), callbacks=[Interrupting(1)])
    with pytest.raises(KeyboardInterrupt):  # in the training
        rank_and_train(options(resume=True), callbacks=[Interrupting(2)])
    counting = Interrupting()
    resumed = rank_and_train(options(resume=True), callbacks=[counting])
    assert counting.trainings == 1, "the ranking was finished"
    assert resumed.ranking.importance.values.tolist() == whole.ranking.importance.values.tolist()
    assert resumed.training.spec.channels == whole.ranking.selected
    one, other = (load_checkpoint(tmp_path / name / "train" / "last.ckpt") for name in ("whole", "both"))
    for name, weights in one.model.state_dict().items():
        assert torch.equal(weights, other.model.state_dict()[name]), name
    text = str(resumed)
    assert "5 most important of 192 channels" in text
    assert "validation accuracy" in text
    with pytest.raises(ValueError, match="holds another ranking and training"):
        rank_and_train(options())
    with pytest.raises(ValueError, match="was begun with seed 0, and now it is 1"):
        rank_and_train(options(resume=True, seed=1))


def test_dynamic(options: Options, two_classes: Path) -> None:
    result = rank_and_train(options(method="energy", keep_gate=True))
    evaluation = evaluate(result.training.checkpoint, two_classes, workers=0, accelerator="cpu", progress=False)
    assert evaluation.in_channels == 5
    assert evaluation.mean_channels is not None
    assert 0 < evaluation.mean_channels <= 5


def test_ranking_with_another_network(options: Options) -> None:
    stages = options(model="resnet50", rank_model="small", mixup=0.2, rank_lr=1e-4)
    assert (stages.ranking().model, stages.training().model) == ("small", "resnet50")
    assert (stages.ranking().mixup, stages.training().mixup) == (0.0, 0.2)
    assert (stages.ranking().lr, stages.training().lr) == (1e-4, 1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": 0}, "top must be 1 to 192"),
        ({"rank_epochs": 0}, "rank_epochs must be at least 1"),
        ({"keep_gate": True, "target_channels": 5}, "must be below top 5"),
        ({"lambda_": 0.5, "target_channels": 3}, "leave out one of them"),
        ({"target_channels": 192}, "1 to 191"),
        ({"method": "energy", "target_channels": 3}, "method energy has none"),
    ],
)
def test_options_are_checked(options: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


def test_nothing_to_resume(options: Options, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no ranking to resume"):
        rank_and_train(options(resume=True))
    assert not (tmp_path / "both").exists()
