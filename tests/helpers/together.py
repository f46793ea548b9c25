"""What torchrun starts in test_torchrun.py: trainings and evaluations, one after another, each by all processes.

usage: torchrun ... together.py FOLDER; FOLDER/plan.json lists the steps.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from freqlearn.pipelines import cli, networks
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.sampling import rank_and_world
from freqlearn.pipelines.training import train

NAME = "small without BatchNorm"


def without_batchnorm(*, spec: Any, num_classes: int) -> nn.Module:
    """A network whose samples do not see each other, so that it does not matter which process has which of them."""
    return nn.Sequential(
        nn.Conv2d(spec.in_channels, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, num_classes),
    )


class Recorder(Callback):
    """Notes the loss of every batch, and the weights at the end."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.weights: dict[str, torch.Tensor] = {}

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note a loss."""
        self.losses.append(float(outputs["loss"]))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note what has been validated."""
        self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}


def recorded(options: Mapping[str, Any]) -> Recorder:
    """A training, recorded; options as JSON types."""
    recorder = Recorder()
    train(
        TrainOptions(**{**options, "data": Path(options["data"]), "output": Path(options["output"])}),
        callbacks=[recorder],
    )
    return recorder


def main(folder: Path) -> None:
    """Do what the plan says."""
    torch.set_num_threads(1)
    cli._log_to_stderr()
    networks._NETWORKS = {**networks._NETWORKS, NAME: without_batchnorm}
    for name, step in json.loads((folder / "plan.json").read_text()).items():
        if isinstance(step, list):
            if status := cli.main(step):
                raise SystemExit(status)
            continue
        recorder = recorded(step)
        torch.save((recorder.losses, recorder.weights), folder / f"{name}-{rank_and_world()[0]}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
