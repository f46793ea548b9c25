"""Mean probability of each switch over the images that went by."""

from collections.abc import Mapping
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

# In training the logits change with every step, so old batches are forgotten: a weight of 1/e after 100 batches.
TRAINING_DECAY: Final = 0.99


class RunningImportance:
    """Mean P(on) per channel: exact over an evaluation, the last hundred or so batches in training.

    Evaluation and training are never mixed: the first batch of the one after the other starts afresh. Not a buffer of
    the module that owns it, because DistributedDataParallel overwrites buffers with those of rank 0 at every step, and
    each rank has seen other images.

    Args:
        channels: Number of channels.
    """

    def __init__(self, channels: int) -> None:
        self.mean = torch.zeros(channels)
        self.images = torch.zeros(())
        self.training = True

    def reset(self) -> None:
        """Forget every image."""
        self.mean.zero_()
        self.images.zero_()

    def to(self, device: torch.device) -> None:
        """Move to a device; from the meta device, which holds no values, start afresh."""
        if self.mean.is_meta and device.type != "meta":
            self.mean, self.images = torch.zeros(self.mean.shape, device=device), torch.zeros((), device=device)
            return
        self.mean = self.mean.to(device)
        self.images = self.images.to(device)

    @torch.no_grad()
    def update(self, probability: Tensor, *, training: bool) -> None:
        """Count a batch.

        Args:
            probability: (N, C) float32, P(on) of each image's switches.
            training: Whether the batch is one of training.
        """
        if probability.shape[0] == 0:  # the mean of no images is not a number, and would stay
            return
        if training != self.training:
            self.training = training
            self.reset()
        if training:
            self.images.mul_(TRAINING_DECAY)
        self.images.add_(probability.shape[0])
        # A running mean instead of sum / count: the sum of a million images would lose float32's last digits.
        self.mean.lerp_(probability.mean(dim=0), probability.shape[0] / self.images)

    def state(self) -> dict[str, Tensor | bool]:
        """All of it, copied to the CPU; more than a state dict has, which does not tell training from evaluation."""
        return {"mean": self.mean.cpu().clone(), "images": self.images.cpu().clone(), "training": self.training}

    def set_state(self, state: Mapping[str, Tensor | bool]) -> None:
        """Go on counting where `state` was called."""
        self.mean.copy_(torch.as_tensor(state["mean"]))
        self.images.copy_(torch.as_tensor(state["images"]))
        self.training = bool(state["training"])

    def own_mean(self) -> Tensor:
        """Return the mean over this process's images, (C,) float32, a copy; RuntimeError if there are none."""
        _check_counted(self.images)
        return self.mean.clone()

    def mean_across_ranks(self) -> Tensor:
        """Return the mean over all processes' images, (C,) float32; a collective call where torch.distributed runs."""
        if not (dist.is_available() and dist.is_initialized()):
            return self.own_mean()
        totals = torch.cat([self.mean * self.images, self.images[None]])
        dist.all_reduce(totals)
        _check_counted(totals[-1])  # not before: a process that raised would leave the others waiting
        return totals[:-1] / totals[-1]


def _check_counted(images: Tensor) -> None:
    if not images > 0:
        raise RuntimeError("no image has been counted since the gate was made or reset; pass some through it first")
