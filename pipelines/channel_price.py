"""Lambda, the price of a channel that is on: an upper limit that gives way to the task, or steered to a target."""

import math

import torch
from torch import nn


class Price(nn.Module):
    """What a gated training asks for a channel that is on. Its state is buffers: a resumed run goes on with it."""

    value: torch.Tensor
    """() float32, lambda: the weight, in the loss, of the share of channels that are on."""

    task_loss_sum: torch.Tensor
    task_loss_steps: torch.Tensor

    def __init__(self, value: float) -> None:
        """Begin with a lambda."""
        super().__init__()
        self.register_buffer("value", torch.tensor(value))
        self.register_buffer("task_loss_sum", torch.tensor(0.0))
        self.register_buffer("task_loss_steps", torch.tensor(0.0))

    def step(self, *, task_loss: torch.Tensor, channels_on: torch.Tensor, progress: float) -> None:
        """Note an optimizer step.

        Args:
            task_loss: () float32, cross entropy of its images.
            channels_on: () float32, how many channels its images had on, on average: those likelier on than off.
            progress: Share of the training that is done, 0..1.
        """
        self.task_loss_sum += task_loss
        self.task_loss_steps += 1

    def end_epoch(self) -> torch.Tensor:
        """Note the end of an epoch; return its mean task loss, () float32."""
        task_loss = self.task_loss_sum / self.task_loss_steps.clamp(min=1)
        self.task_loss_sum.zero_()
        self.task_loss_steps.zero_()
        return task_loss


class UpperLimit(Price):
    """A given lambda that is halved whenever the task starts to suffer.

    When an epoch's cross entropy is clearly above the best one so far, the gate is taking away channels that the
    network needs; otherwise the two would drag each other down (fewer channels on, less for the network to learn from,
    less to say for any channel) until every switch is off.
    """

    best_task_loss: torch.Tensor

    # A loss may rise by chance; by a tenth and 0.02 nats it does so only when channels are missing.
    _SUFFERS, _SLACK_NATS = 1.1, 0.02

    def __init__(self, lambda_: float) -> None:
        """Begin with a lambda, at least 0."""
        super().__init__(float(lambda_))
        self.first_value = float(lambda_)
        self.register_buffer("best_task_loss", torch.tensor(float("inf")))

    def end_epoch(self) -> torch.Tensor:
        """Halve lambda if the task has begun to suffer; return the epoch's mean task loss."""
        task_loss = super().end_epoch()
        if task_loss > self._SUFFERS * self.best_task_loss + self._SLACK_NATS:
            self.value /= 2
        self.best_task_loss.copy_(torch.minimum(self.best_task_loss, task_loss))
        return task_loss


class SteeredToTarget(Price):
    """A lambda that is raised while more channels are on than wanted, and lowered while fewer are.

    The number wanted falls from what the gate starts with to the target, by the same factor in every step, and has
    reached it after 70 % of the training. With e = ln(channels on / wanted), lambda is exp(p e + i * sum of e): a
    proportional-integral controller of its logarithm, so that it is never negative and as quick to fall as to rise.
    It never exceeds ln(classes): then all channels together cost what a network can gain at most, the cross entropy of
    knowing nothing, and above that the cheapest is to switch everything off.
    """

    channels_on: torch.Tensor
    first_channels_on: torch.Tensor
    correction: torch.Tensor

    REACHED = 0.15
    """Share of the target by which the number of channels on may miss it."""

    _START = 0.5
    _LOWEST = 1e-3
    _RAMP = 0.7
    # A step's batch is a small sample: an average over some five of them.
    _SMOOTHING = 0.8
    _PROPORTIONAL = 1.5
    # Over a whole training, so that it does not matter how many steps that has.
    _INTEGRAL = 10.0

    def __init__(self, target: int, *, num_classes: int, steps: int) -> None:
        """Steer to a target.

        Args:
            target: Mean number of channels on at the end.
            num_classes: Number of classes.
            steps: Optimizer steps of the whole training.
        """
        super().__init__(self._START)
        self.target = target
        self.highest = max(self._START, math.log(num_classes))
        self.steps = steps
        self.register_buffer("channels_on", torch.tensor(0.0))
        self.register_buffer("first_channels_on", torch.tensor(0.0))
        self.register_buffer("correction", torch.tensor(math.log(self._START)))

    def wanted(self, progress: float) -> torch.Tensor:
        """How many channels should be on at this point of training, () float32."""
        share = min(1.0, progress / self._RAMP)
        return torch.pow(self.first_channels_on, 1 - share).mul(self.target**share)

    def step(self, *, task_loss: torch.Tensor, channels_on: torch.Tensor, progress: float) -> None:
        """Note an optimizer step, as `Price` says, and move lambda."""
        super().step(task_loss=task_loss, channels_on=channels_on, progress=progress)
        if not self.first_channels_on:
            self.first_channels_on.copy_(channels_on.clamp(min=self.target))
            self.channels_on.copy_(channels_on)
        self.channels_on.lerp_(channels_on, 1 - self._SMOOTHING)
        # At least half a channel: with none on the logarithm has no value.
        error = (self.channels_on.clamp(min=0.5) / self.wanted(progress)).log()
        low, high = math.log(self._LOWEST), math.log(self.highest)
        # Within the limits of lambda itself: beyond them it would only take longer to come back.
        self.correction.add_(error * self._INTEGRAL / self.steps).clamp_(low, high)
        self.value.copy_((self.correction + self._PROPORTIONAL * error).clamp(low, high).exp())

    def is_reached(self, channels_on: float) -> bool:
        """Whether a mean number of channels on is near the target."""
        return abs(channels_on - self.target) <= max(1.0, self.REACHED * self.target)
