"""The LightningModule that every training in freqlearn uses: a classifier, its loss, metrics and schedule."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from freqlearn.pipelines.checkpoint import HEADER_KEY
from freqlearn.pipelines.data import Batch, derived_seed
from freqlearn.pipelines.options import OptimizerName


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights move.

    Attributes:
        optimizer: "sgd" has Nesterov momentum 0.9.
        lr: Highest learning rate.
        weight_decay: Not applied to biases and normalisation layers.
        warmup: Share of all steps in which the rate rises linearly; it falls to 0 by a half cosine after that.
        label_smoothing: Share of the target spread over all classes.
    """

    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    label_smoothing: float = 0.0

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`, as a share of `lr`."""
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


class Classifier(L.LightningModule):
    """Trains and evaluates an image classifier.

    To train something with a loss or learning rates of its own (a gate), subclass it and override `penalty` and
    `parameter_groups`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        optimisation: Optimisation | None = None,
        steps: int | None = None,
        header: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        """Wrap a model.

        Args:
            model: (N, C, h, w) float32 -> (N, num_classes) logits.
            num_classes: Number of classes.
            optimisation: How to train it.
            steps: Optimizer steps of the whole training, for the schedule; None asks the trainer. Give it where
                training may resume in the middle of an epoch: asking makes Lightning create the loader's iterator
                before it has restored the position.
            header: Plain data that checkpoints carry to rebuild the model from: `Header.to_dict()`.
            seed: Root of the randomness inside the model (dropout, gate noise).
        """
        super().__init__()
        self.model = model
        self.optimisation = optimisation or Optimisation()
        self.steps = steps
        self.header = header
        self.seed = seed
        self.loss = nn.CrossEntropyLoss(label_smoothing=self.optimisation.label_smoothing)
        accuracy: dict[str, Metric | MetricCollection] = {"accuracy": MulticlassAccuracy(num_classes, average="micro")}
        if num_classes > 5:
            accuracy["top5"] = MulticlassAccuracy(num_classes, top_k=5, average="micro")
        self.val_metrics = MetricCollection(accuracy, prefix="val/")
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro")

    def penalty(self) -> torch.Tensor | None:
        """What to add to the cross entropy of the batch just seen: a 0-dim tensor, or None."""
        return None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameter groups for the optimizer; a group may have its own `lr`."""
        decayed = [p for p in self.model.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.model.parameters() if p.requires_grad and p.ndim <= 1]
        return [
            {"params": decayed, "weight_decay": self.optimisation.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, num_classes) logits."""
        logits: torch.Tensor = self.model(images)
        return logits

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the step, so that a resumed run draws the same dropout and gate noise as an uninterrupted one."""
        torch.manual_seed(derived_seed(self.seed, self.global_step, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Cross entropy plus penalty of one batch; logs train/loss and train/accuracy."""
        images, labels = batch
        logits = self(images)
        loss: torch.Tensor = self.loss(logits, labels)
        if (penalty := self.penalty()) is not None:
            self.log("train/penalty", penalty, on_step=False, on_epoch=True)
            loss = loss + penalty
        self.train_accuracy(logits, labels)
        size = len(labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=size)
        self.log("loss", loss, prog_bar=True, on_step=True, logger=False)
        self.log("train/accuracy", self.train_accuracy, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Log val/loss (without smoothing), val/accuracy and, above five classes, val/top5; return the logits."""
        images, labels = batch
        logits: torch.Tensor = self(images)
        self.val_metrics(logits, labels)
        loss = nn.functional.cross_entropy(logits, labels)
        self.log("val/loss", loss, prog_bar=True, batch_size=len(labels), sync_dist=True)
        self.log_dict(self.val_metrics, prog_bar=True, batch_size=len(labels))
        return logits

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and a linear warm-up followed by a half cosine, stepped every batch."""
        how = self.optimisation
        groups = self.parameter_groups()
        optimizer: torch.optim.Optimizer
        if how.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, lr=how.lr, momentum=0.9, nesterov=True)
        elif how.optimizer == "adam":
            optimizer = torch.optim.Adam(groups, lr=how.lr)
        else:
            optimizer = torch.optim.AdamW(groups, lr=how.lr)
        steps = self.steps if self.steps is not None else int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: how.rate(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to rebuild the model."""
        if self.header is not None:
            checkpoint[HEADER_KEY] = dict(self.header)
