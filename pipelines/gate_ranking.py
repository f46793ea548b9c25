"""Ranking by the gate: learned switches in front of a network, each paid for while it is on."""

import logging
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import SumMetric

from freqlearn.models import FrequencyGate
from freqlearn.pipelines.channel_price import Price, SteeredToTarget, UpperLimit
from freqlearn.pipelines.learner import Learner, decayed_groups
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.networks import gate_of
from freqlearn.pipelines.paired_optimizer import PairedOptimizer
from freqlearn.pipelines.scores import quietly

_log = logging.getLogger(__name__)


class GateCollapseError(ValueError):
    """The gate has switched every channel off, so its probabilities rank nothing."""


class Gated(Learner):
    """Trains a gate together with the network behind it: the task's loss + lambda * mean(on).

    Goes in front of the task's own learner: `class GatedClassifier(Gated, Classifier)`. The optimizer, the schedule,
    mixing and averaging are the network's, as of any `Learner`; the gate has Adam, a learning rate of its own that
    stays up, and no weight decay. Lambda is either an upper limit (`UpperLimit`) or steered so that a given number of
    channels stays on (`SteeredToTarget`).
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lambda_: float | None,
        gate_lr: float,
        temperature: float,
        final_temperature: float,
        target_channels: int | None = None,
        **options: Any,
    ) -> None:
        """Wrap a network with a gate.

        Args:
            model: Its child `gate` is the gate, as of what build_network(gate=True) made.
            lambda_: Weight of the share of channels that are on; None with `target_channels`.
            gate_lr: Highest learning rate of the gate.
            temperature: Of the Gumbel-softmax, at the start.
            final_temperature: Of the Gumbel-softmax, at the end.
            target_channels: Mean number of channels on at the end of training, instead of a lambda.
            **options: Those of the task's learner; `steps` must be among them.

        Raises:
            ValueError: If neither or both of lambda and target are given, or there are no steps or too few channels.
        """
        super().__init__(model, **options)
        if not self.steps:
            raise ValueError("expected the number of steps of the whole training, got none")
        self.gate_lr = gate_lr
        self.temperatures = (temperature, final_temperature)
        self.price = _price(
            lambda_, target_channels, of=len(self.gate.channels), num_classes=self.num_classes, steps=self.steps
        )
        self.val_channels_on = SumMetric(nan_strategy="disable")
        self.val_images = SumMetric(nan_strategy="disable")
        # Of the parts of an optimizer step. Not buffers: a state is never saved between parts.
        self._parts: list[torch.Tensor] = []

    @property
    def gate(self) -> FrequencyGate:
        """The gate.

        Raises:
            TypeError: If the model has none.
        """
        gate = gate_of(self.model)
        if gate is None:
            raise TypeError(f"expected a model whose child `gate` is a FrequencyGate, got {type(self.model).__name__}")
        return gate

    def penalty(self) -> torch.Tensor:
        """Lambda times the share of channels that are on."""
        return self.price.value * self.gate.regulariser()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The network's parameters as in any training, then the gate's at their own rate, without decay."""
        network = decayed_groups(self.model, self.optimisation.weight_decay, without=self.gate)
        return [*network, {"params": list(self.gate.parameters()), "lr": self.gate_lr, "weight_decay": 0.0}]

    def group_rates(self, steps: int) -> list[Callable[[int], float]]:
        """The network's rate follows the schedule, the gate's only rises.

        A gate whose rate falls with the network's stops in the middle: its logits start at (0.1, 2.0) and have some way
        to go. With 720 planted pictures and 8 epochs it left 34 to 53 useless channels on in half of all images;
        at a constant rate none, and the planted ones stayed above 0.9.
        """
        *network, _ = super().group_rates(steps)
        return [*network, lambda step: self.optimisation.risen(step, steps)]

    def make_optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The network's optimizer, with Adam for the gate.

        A channel's share in the penalty, lambda / 192, is too small a gradient for SGD to move a switch by.
        """
        if self.optimisation.optimizer != "sgd":
            return super().make_optimizer(groups)
        *network, gate = groups
        return PairedOptimizer(super().make_optimizer(network), torch.optim.Adam([gate], lr=self.gate_lr))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the step and set its temperature."""
        super().on_train_batch_start(batch, batch_idx)
        self.gate.anneal(self._progress, start=self.temperatures[0], end=self.temperatures[1])

    @property
    def _progress(self) -> float:
        """Share of the training that is done."""
        return min(1.0, self.global_step / self.steps) if self.steps else 1.0

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """One batch; notes its loss without the penalty, and its channels on."""
        loss = super().training_step(batch, batch_idx)
        self._parts.append(torch.stack([(loss - self.penalty()).detach(), self.gate.channels_on.mean()]))
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let lambda follow; by the images of all processes, so that it is the same in all of them."""
        noted = torch.stack(self._parts).mean(dim=0)
        self._parts.clear()
        task_loss, channels_on = self.trainer.strategy.reduce(noted, reduce_op="mean")
        self.price.step(task_loss=task_loss, channels_on=channels_on, progress=self._progress)

    def on_train_epoch_end(self) -> None:
        """Log lambda and what it does; halve it if the task has begun to suffer."""
        super().on_train_epoch_end()
        before = float(self.price.value)
        task_loss = self.price.end_epoch()
        self.log("train/task_loss", task_loss)
        self.log("train/channels_on", self.gate.fraction_on() * len(self.gate.channels), prog_bar=True, sync_dist=True)
        self.log("train/lambda", before)
        if float(self.price.value) != before:
            _log.info(
                "Epoch %d: the loss has risen to %.3f: the gate takes too much, lambda is now %.3g",
                self.current_epoch + 1,
                task_loss,
                self.price.value,
            )

    def on_train_end(self) -> None:
        """Say how near lambda has come to the target."""
        price = self.price
        if not isinstance(price, SteeredToTarget) or not self.trainer.is_global_zero:
            return
        on = float(price.channels_on)
        if price.is_reached(on):
            _log.info("On average %.1f channels are on; the target is %d", on, price.target)
        else:
            _log.warning(
                "On average %.1f channels are on, and the target is %d: with more epochs the gate comes closer",
                on,
                price.target,
            )

    def on_validation_epoch_start(self) -> None:
        """Begin to count channels too."""
        super().on_validation_epoch_start()
        self.val_channels_on.reset()
        self.val_images.reset()

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        """Count a batch; return what the task's learner does."""
        output = super().validation_step(batch, batch_idx)
        channels_on = self.gate.channels_on
        self.val_channels_on.update(channels_on.sum())
        self.val_images.update(len(channels_on))
        return output

    def on_validation_epoch_end(self) -> None:
        """Also log val/channels_on: how many channels an image has on, on average."""
        super().on_validation_epoch_end()
        images = quietly(self.val_images)
        self.log("val/channels_on", quietly(self.val_channels_on) / images, prog_bar=True)


class GatedClassifier(Gated, Classifier):
    """Trains a gate in front of an image classifier: cross entropy + lambda * mean(on)."""


def _price(
    lambda_: float | None, target: int | None, *, of: int, num_classes: int, steps: int
) -> UpperLimit | SteeredToTarget:
    if (lambda_ is None) == (target is None):
        raise ValueError(f"expected either lambda or target_channels, got lambda {lambda_} and target {target}")
    if lambda_ is not None:
        return UpperLimit(lambda_)
    if target is None or not 1 <= target < of:
        raise ValueError(f"target_channels must be at least 1 and below {of}, the number of channels; got {target}")
    return SteeredToTarget(target, num_classes=num_classes, steps=steps)


class CollapseGuard(Callback):
    """Stops a training whose gate has switched everything off, instead of letting it run to a meaningless end."""

    _EVERY_STEPS = 20

    def __init__(self) -> None:
        self._looked_at = 0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the last batch's switches now and then: those of all processes, so that all of them stop."""
        step = trainer.global_step
        if not isinstance(pl_module, Gated) or step % self._EVERY_STEPS or step == self._looked_at:
            return
        self._looked_at = step
        on = trainer.strategy.reduce(pl_module.gate.last_mask.mean(dim=0), reduce_op="mean")  # (C,)
        check_not_collapsed(on, price=pl_module.price, step=step)


def check_not_collapsed(probability: torch.Tensor, *, price: Price, step: int) -> None:
    """Raise GateCollapseError if no channel is on in as much as a tenth of the images.

    Args:
        probability: (C,), share of images that each channel is on for.
        price: For the message.
        step: Step, for the message.
    """
    if float(probability.max()) >= 0.1:
        return
    if isinstance(price, SteeredToTarget):
        way_out = (
            "the network has learned too little to hold on to any; more epochs, or a smaller gate_lr, give it time"
        )
    else:
        lambda_ = float(price.value)
        way_out = (
            f"with lambda {lambda_:.3g} a channel costs more than it is worth; use a smaller one, for instance "
            f"--lambda {lambda_ / 4:.2g}"
        )
    raise GateCollapseError(f"after {step} steps the gate has switched all {len(probability)} channels off: {way_out}")


@torch.inference_mode()
def mean_probability(gate: FrequencyGate, loader: DataLoader[Any]) -> torch.Tensor:
    """Return the mean P(on) of every channel over a loader's images, (C,) float32 on the CPU.

    Where torch.distributed is initialised, every process calls this with its share, and gets the mean over all of them.

    Args:
        gate: A trained gate; it is put into evaluation mode.
        loader: Yields ((N, C, h, w) float32, labels), or of pictures of several sizes (list of (C, h, w), targets).
    """
    gate.eval()
    gate.reset_importance()
    device = next(gate.parameters()).device
    for maps, _ in loader:
        if isinstance(maps, torch.Tensor):
            gate(maps.to(device))
        else:
            gate.gate_each([picture.to(device) for picture in maps])
    return gate.importance_across_ranks().cpu()
