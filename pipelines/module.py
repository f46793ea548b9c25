"""The LightningModule that every training in freqlearn uses: a classifier, its loss, metrics and schedule."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from freqlearn.pipelines.averaging import AveragedWeights
from freqlearn.pipelines.checkpoint import HEADER_KEY
from freqlearn.pipelines.data import Batch, derived_seed
from freqlearn.pipelines.means import Means
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.options import OptimizerName, Schedule
from freqlearn.pipelines.scores import Scores


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights move.

    Attributes:
        optimizer: "sgd" has Nesterov momentum 0.9.
        lr: Highest learning rate.
        weight_decay: Not applied to biases and normalisation layers.
        warmup: Share of all steps in which the rate rises linearly.
        schedule: How it falls after that: to 0 by a half cosine ("cosine"), or to a tenth after one third and again
            after two thirds of all steps ("step").
        label_smoothing: Share of the target spread over all classes.
    """

    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    schedule: Schedule = "cosine"
    label_smoothing: float = 0.0

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`, as a share of `lr`."""
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "step":
            return float(0.1 ** min(2, 3 * step // steps))
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


class Classifier(L.LightningModule):
    """Trains and evaluates an image classifier.

    To train something with a loss or learning rates of its own (a gate), subclass it and override `penalty`,
    `parameter_groups`, `group_rates` and `make_optimizer`.
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
        mixing: Mixing | None = None,
        channels_last: bool = False,
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
            seed: Root of the randomness inside the model (dropout, gate noise), and of mixing.
            mixing: Mixes the pictures of every training batch.
            channels_last: Keep weights and maps with their channels innermost in memory.
        """
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last) if channels_last else model
        self.memory_format = torch.channels_last if channels_last else torch.preserve_format
        self.mixing = mixing
        self.optimisation = optimisation or Optimisation()
        self.steps = steps
        self.header = header
        self.seed = seed
        self.loss = nn.CrossEntropyLoss(label_smoothing=self.optimisation.label_smoothing)
        self.scores = Scores(num_classes)
        self.train_means = Means("loss", "accuracy", "penalty")

    def penalty(self) -> torch.Tensor | None:
        """What to add to the cross entropy of the batch just seen: a 0-dim tensor, or None."""
        return None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameter groups for the optimizer; a group may have its own `lr`."""
        return decayed_groups(self.model, self.optimisation.weight_decay)

    def group_rates(self, steps: int) -> list[Callable[[int], float]]:
        """For each parameter group, its learning rate at a step, as a share of its highest."""
        return [lambda step: self.optimisation.rate(step, steps)] * len(self.parameter_groups())

    def make_optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer of some parameter groups."""
        how = self.optimisation
        if how.optimizer == "sgd":
            return torch.optim.SGD(groups, lr=how.lr, momentum=0.9, nesterov=True)
        if how.optimizer == "adam":
            return torch.optim.Adam(groups, lr=how.lr)
        return torch.optim.AdamW(groups, lr=how.lr)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, num_classes) logits."""
        logits: torch.Tensor = self.model(images.contiguous(memory_format=self.memory_format))
        return logits

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the step, so that a resumed run draws the same dropout and gate noise as an uninterrupted one."""
        part = batch_idx % self.trainer.accumulate_grad_batches
        torch.manual_seed(derived_seed(self.seed, self.global_step, self.global_rank, part))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Cross entropy plus penalty of one batch; counts both and the accuracy.

        Of a mixed picture, the class with the larger share counts as the right one, as in torchvision's references.
        """
        images, labels = batch
        targets = labels
        if self.mixing is not None:
            images, targets = self.mixing(images, labels)
            labels = targets.argmax(dim=1)
        logits = self(images)
        loss: torch.Tensor = self.loss(logits, targets)
        counted = {"accuracy": (logits.argmax(dim=1) == labels).float().mean()}
        if (penalty := self.penalty()) is not None:
            counted["penalty"] = penalty
            loss = loss + penalty
        self.train_means.update(len(labels), loss=loss, **counted)
        self.log("loss", loss, prog_bar=True, on_step=True, logger=False)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log train/loss, train/accuracy and, where there is one, train/penalty."""
        means = {f"train/{name}": mean for name, mean in self.train_means.compute().items()}
        self.train_means.reset()
        self.log_dict(means)

    def on_validation_epoch_start(self) -> None:
        """Give all processes the first one's running statistics of normalisation: the ones that are saved.

        DDP does that before a training step; the last one has moved each process's own.
        """
        self.scores.reset()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for part in self.model.modules():
                if isinstance(part, _NormBase):
                    for buffer in part.buffers(recurse=False):
                        torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Count a batch; return the logits."""
        images, labels = batch
        logits: torch.Tensor = self(images)
        self.scores.update(logits, labels)
        return logits

    def on_validation_epoch_end(self) -> None:
        """Log val/loss (without smoothing), val/accuracy, above five classes val/top5, and val/images."""
        scores = {f"val/{name}": value for name, value in self.scores.compute().items()}
        self.log("val/images", scores.pop("val/images"))
        self.log_dict(scores, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and a linear warm-up followed by the schedule, stepped with it."""
        optimizer = self.make_optimizer(self.parameter_groups())
        steps = self.steps if self.steps is not None else int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.group_rates(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to rebuild the model; where weights are averaged, save the averages."""
        for callback in self.trainer.callbacks if self._trainer is not None else ():  # type: ignore[attr-defined]
            if isinstance(callback, AveragedWeights):
                callback.put_averages(checkpoint)
        if self.header is not None:
            checkpoint[HEADER_KEY] = dict(self.header)


def decayed_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups of a module: its weights, which decay, and its biases and normalisation, which do not."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
