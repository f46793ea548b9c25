"""What every training's LightningModule has in common: how weights move, seeds, and what checkpoints carry."""

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
from freqlearn.pipelines.data import derived_seed
from freqlearn.pipelines.means import Means
from freqlearn.pipelines.shared_options import OptimizerName, Schedule


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights move.

    Attributes:
        optimizer: Kind of optimizer.
        lr: Highest learning rate.
        weight_decay: Not applied to biases and normalisation layers.
        momentum: Of "sgd".
        nesterov: Whether "sgd" has Nesterov's momentum rather than the plain one.
        warmup: Share of all steps in which the rate rises linearly.
        schedule: How it falls after that: to 0 by a half cosine ("cosine"), or to a tenth after one third and again
            after two thirds of all steps ("step").
    """

    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    warmup: float = 0.05
    schedule: Schedule = "cosine"

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`, as a share of `lr`."""
        if step < self.rising(steps):
            return self.risen(step, steps)
        return self.dropped(step, steps) if self.schedule == "step" else self.waned(step, steps)

    def rising(self, steps: int) -> int:
        """In how many of `steps` the rate rises."""
        return max(1, round(self.warmup * steps))

    def risen(self, step: int, steps: int) -> float:
        """Share of the rate at a step of those in which it rises; from then on 1."""
        return min(1.0, (step + 1) / self.rising(steps))

    def dropped(self, step: int, steps: int) -> float:
        """Share of the rate that the schedule "step" leaves at `step`."""
        return float(0.1 ** min(2, 3 * step // steps))

    def waned(self, step: int, steps: int) -> float:
        """Share of the rate that the schedule "cosine" leaves at `step`."""
        rising = self.rising(steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


class Learner(L.LightningModule):
    """Trains a model; subclasses say what a batch is, its loss, and what a validation measures.

    A subclass's `training_step` ends with `counted_loss`. To add to the loss, or to give some weights learning rates of
    their own (a gate), override `penalty`, `parameter_groups`, `group_rates` and `make_optimizer`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        means: tuple[str, ...],
        optimisation: Optimisation | None = None,
        steps: int | None = None,
        header: Mapping[str, Any] | None = None,
        seed: int = 0,
        channels_last: bool = False,
    ) -> None:
        """Wrap a model.

        Args:
            model: The model.
            means: What is counted in training beside the loss and the penalty, in the order of the log.
            optimisation: How to train it.
            steps: Optimizer steps of the whole training, for the schedule; None asks the trainer. Give it where
                training may resume in the middle of an epoch: asking makes Lightning create the loader's iterator
                before it has restored the position.
            header: Plain data that checkpoints carry to rebuild the model from: `Header.to_dict()`.
            seed: Root of the randomness inside the model (dropout, gate noise, drawn proposals), and of mixing.
            channels_last: Keep weights and maps with their channels innermost in memory.
        """
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last) if channels_last else model
        self.memory_format = torch.channels_last if channels_last else torch.preserve_format
        self.optimisation = optimisation or Optimisation()
        self.steps = steps
        self.header = header
        self.seed = seed
        self.train_means = Means("loss", *means, "penalty")

    @property
    def num_classes(self) -> int:
        """How many classes the model tells apart; subclasses have it."""
        raise NotImplementedError(f"{type(self).__name__} does not say how many classes there are")

    def penalty(self) -> torch.Tensor | None:
        """What to add to the loss of the batch just seen: a 0-dim tensor, or None."""
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
            return torch.optim.SGD(groups, lr=how.lr, momentum=how.momentum, nesterov=how.nesterov)
        if how.optimizer == "adam":
            return torch.optim.Adam(groups, lr=how.lr)
        return torch.optim.AdamW(groups, lr=how.lr)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the step, so that a resumed run draws the same dropout and gate noise as an uninterrupted one."""
        part = batch_idx % self.trainer.accumulate_grad_batches
        torch.manual_seed(derived_seed(self.seed, self.global_step, self.global_rank, part))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """The loss of a batch, () float32; subclasses have it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its loss is")

    def counted_loss(self, loss: torch.Tensor, *, images: int, **means: torch.Tensor) -> torch.Tensor:
        """The loss of a training batch with its penalty, counted for the epoch and shown in the progress bar.

        Args:
            loss: () float32, the task's.
            images: Number of images that it is a mean over.
            **means: Other means over them, as named to the constructor.
        """
        if (penalty := self.penalty()) is not None:
            means = {**means, "penalty": penalty}
            loss = loss + penalty
        self.train_means.update(images, loss=loss, **means)
        self.log("loss", loss, prog_bar=True, on_step=True, logger=False)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log train/loss, the other means of the training and, where there is one, train/penalty."""
        means = {f"train/{name}": mean for name, mean in self.train_means.compute().items()}
        self.train_means.reset()
        self.log_dict(means)

    def on_validation_epoch_start(self) -> None:
        """Give all processes the first one's running statistics of normalisation: the ones that are saved.

        DDP does that before a training step; the last one has moved each process's own.
        """
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for part in self.model.modules():
                if isinstance(part, _NormBase):
                    for buffer in part.buffers(recurse=False):
                        torch.distributed.broadcast(buffer, src=0)

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


def decayed_groups(module: nn.Module, weight_decay: float, *, without: nn.Module | None = None) -> list[dict[str, Any]]:
    """Two parameter groups of a module: its weights, which decay, and its biases and normalisation, which do not.

    Args:
        module: The module.
        weight_decay: Decay of its weights.
        without: A part of it that is left out.
    """
    left_out = set() if without is None else set(without.parameters())
    trained = [p for p in module.parameters() if p.requires_grad and p not in left_out]
    decayed = [p for p in trained if p.ndim > 1]
    others = [p for p in trained if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
