"""Ranking by the gate: learned switches in front of a network, each paid for while it is on."""

import logging
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.utils.data import DataLoader

from freqlearn.models import FrequencyGate
from freqlearn.pipelines.data import Batch
from freqlearn.pipelines.module import Classifier

_log = logging.getLogger(__name__)


class GateCollapseError(ValueError):
    """The gate has switched every channel off, so its probabilities rank nothing."""


class GatedClassifier(Classifier):
    """Trains a gate together with the network behind it: cross entropy + lambda * mean(on).

    Lambda is an upper limit. When an epoch's cross entropy is clearly above the best one so far, the gate is taking
    away channels that the network needs, and lambda is halved; otherwise the two would drag each other down (fewer
    channels on, less for the network to learn from, less to say for any channel) until every switch is off.
    """

    price: torch.Tensor
    best_task_loss: torch.Tensor
    task_loss_sum: torch.Tensor
    task_loss_steps: torch.Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        lambda_: float,
        gate_lr: float,
        temperature: float,
        final_temperature: float,
        **options: Any,
    ) -> None:
        """Wrap a network with a gate.

        Args:
            model: What build_network(gate=True) made: its children are `gate` and `network`.
            lambda_: Weight of the share of channels that are on.
            gate_lr: Highest learning rate of the gate.
            temperature: Of the Gumbel-softmax, at the start.
            final_temperature: Of the Gumbel-softmax, at the end.
            **options: Those of Classifier; `steps` must be among them.
        """
        super().__init__(model, **options)
        self.gate_lr = gate_lr
        self.temperatures = (temperature, final_temperature)
        # Buffers, so that a resumed run goes on with them.
        self.register_buffer("price", torch.tensor(float(lambda_)))
        self.register_buffer("best_task_loss", torch.tensor(float("inf")))
        self.register_buffer("task_loss_sum", torch.tensor(0.0))
        self.register_buffer("task_loss_steps", torch.tensor(0.0))

    @property
    def gate(self) -> FrequencyGate:
        """The gate."""
        gate = self.model.get_submodule("gate")
        if not isinstance(gate, FrequencyGate):
            raise TypeError(f"expected a FrequencyGate as the model's child `gate`, got {type(gate).__name__}")
        return gate

    def penalty(self) -> torch.Tensor:
        """Lambda times the share of channels that are on."""
        return self.price * self.gate.regulariser()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The network's parameters at the learning rate, the gate's at their own."""
        return [
            {"params": list(self.model.get_submodule("network").parameters())},
            {"params": list(self.gate.parameters()), "lr": self.gate_lr},
        ]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam; the network's rate rises and falls, the gate's only rises.

        A gate whose rate falls with the network's stops in the middle: its logits start at (0.1, 2.0) and have some way
        to go. With 720 planted pictures and 8 epochs it left 34 to 53 useless channels on in half of all images;
        at a constant rate none, and the planted ones stayed above 0.9.
        """
        if not self.steps:
            raise ValueError("expected the number of steps of the whole training, got none")
        how, steps = self.optimisation, self.steps
        optimizer = torch.optim.Adam(self.parameter_groups(), lr=how.lr)
        rising = max(1, round(how.warmup * steps))
        rates = [lambda step: how.rate(step, steps), lambda step: min(1.0, (step + 1) / rising)]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the step and set its temperature."""
        super().on_train_batch_start(batch, batch_idx)
        progress = min(1.0, self.global_step / self.steps) if self.steps else 1.0
        self.gate.anneal(progress, start=self.temperatures[0], end=self.temperatures[1])

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """One batch; adds its cross entropy to the epoch's."""
        loss = super().training_step(batch, batch_idx)
        self.task_loss_sum += (loss - self.penalty()).detach()
        self.task_loss_steps += 1
        return loss

    def on_train_epoch_end(self) -> None:
        """Halve lambda if the task has begun to suffer."""
        task_loss = self.task_loss_sum / self.task_loss_steps.clamp(min=1)
        self.task_loss_sum.zero_()
        self.task_loss_steps.zero_()
        self.log("train/task_loss", task_loss)
        self.log("train/channels_on", self.gate.fraction_on() * len(self.gate.channels), prog_bar=True)
        self.log("train/lambda", self.price)
        if task_loss > _SUFFERS * self.best_task_loss + _SLACK_NATS:
            self.price /= 2
            _log.info(
                "Epoch %d: loss %.3f after %.3f: the gate takes too much, lambda is now %.3g",
                self.current_epoch + 1,
                task_loss,
                self.best_task_loss,
                self.price,
            )
        self.best_task_loss.copy_(torch.minimum(self.best_task_loss, task_loss))


# A loss may rise by chance; by a tenth and 0.02 nats it does so only when channels are missing.
_SUFFERS, _SLACK_NATS = 1.1, 0.02


class CollapseGuard(Callback):
    """Stops a training whose gate has switched everything off, instead of letting it run to a meaningless end."""

    _EVERY_STEPS = 20

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the last batch's switches now and then."""
        if isinstance(pl_module, GatedClassifier) and trainer.global_step % self._EVERY_STEPS == 0:
            on = pl_module.gate.last_mask.mean(dim=0)  # (C,)
            check_not_collapsed(on, price=float(pl_module.price), step=trainer.global_step)


def check_not_collapsed(probability: torch.Tensor, *, price: float, step: int) -> None:
    """Raise GateCollapseError if no channel is on in as much as a tenth of the images.

    Args:
        probability: (C,), share of images that each channel is on for.
        price: Lambda, for the message.
        step: Step, for the message.
    """
    if float(probability.max()) < 0.1:
        raise GateCollapseError(
            f"after {step} steps the gate has switched all {len(probability)} channels off: with lambda {price:.3g} "
            f"a channel costs more than it is worth; use a smaller one, for instance --lambda {price / 4:.2g}"
        )


@torch.inference_mode()
def mean_probability(gate: FrequencyGate, loader: DataLoader[Any]) -> torch.Tensor:
    """Return the mean P(on) of every channel over a loader's images, (C,) float32 on the CPU.

    Args:
        gate: A trained gate; it is put into evaluation mode.
        loader: Yields ((N, C, h, w) float32, labels).
    """
    gate.eval()
    gate.reset_importance()
    device = next(gate.parameters()).device
    for maps, _ in loader:
        gate(maps.to(device))
    return gate.importance.cpu()
