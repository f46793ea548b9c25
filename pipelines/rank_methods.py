"""Ways to rank that look at more than the channels' variance: by the gate, by ablation."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import nn

from freqlearn.pipelines.ablation import loss_increase
from freqlearn.pipelines.channel_price import SteeredToTarget, UpperLimit
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.data import SeededDataset
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.gate_ranking import Gated, check_not_collapsed, mean_probability
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.networks import gate_of
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.ranking_task import Measured, RankingTask
from freqlearn.pipelines.sampling import from_all_processes
from freqlearn.pipelines.shared_options import Accelerator, SharedOptions
from freqlearn.pipelines.trainer import device_of
from freqlearn.spec import InputSpec

# Enough for a probability: its standard error over 5000 images is below 0.01.
_MOST_IMAGES = 5000

_log = logging.getLogger(__name__)


def by_gate(task: RankingTask[Any], spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
    """Train a gate in front of the network, then take each switch's mean probability over the training images.

    Raises:
        GateCollapseError: If the gate has switched everything off.
    """
    gated = _GateFacts(task.scores)
    result = task.train([gated, *callbacks], gate=True)
    # What was saved, and not what was trained: where weights are averaged, their average.
    last = result.checkpoint.with_name(LAST)
    gate = gate_of(load_checkpoint(last).model.to(device_of(task.options.accelerator)))
    if gate is None:
        raise ValueError(f"{last}: expected a model with a gate in front, got one without")
    loader, images = task.loader(spec, images=_MOST_IMAGES)
    probability = mean_probability(gate, loader)
    if gated.price is not None:
        check_not_collapsed(probability, price=gated.price, step=result.steps)
    if is_first_process():
        _warn_of_doubt(probability, top=task.top, steered=task.options.target_channels is not None)
    return probability.double().numpy(), {"images": images - left_out(loader)} | gated.facts()


class _GateFacts(Callback):
    """Notes what the gate did, for `Importance.measured_on`."""

    def __init__(self, scores: Mapping[str, str]) -> None:
        self.price: UpperLimit | SteeredToTarget | None = None
        self._names = {**scores, "val/channels_on": "channels on"}
        self._validated: dict[str, float] = {}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if isinstance(pl_module, Gated):
            self.price = pl_module.price

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = trainer.callback_metrics
        known = {name: what for name, what in self._names.items() if name in metrics}
        self._validated = {what: round(float(metrics[name]), 4) for name, what in known.items()}

    def facts(self) -> dict[str, Any]:
        """Lambda, the target, and how the last validation came out, with each image's own switches."""
        if self.price is None:
            return dict(self._validated)
        end = {"lambda at the end": float(self.price.value)}
        if isinstance(self.price, SteeredToTarget):
            return {**self._validated, "target channels": self.price.target, **end}
        return {**self._validated, "lambda": self.price.first_value, **end}


def _warn_of_doubt(probability: torch.Tensor, *, top: int, steered: bool) -> None:
    """Say so if the gate has not decided: too few channels on to fill the selection, or most of them."""
    on = int((probability > 0.5).sum())
    if on < top:
        _log.warning(
            "Only %d channels are on in most images: the last of the %d selected are doubtful. %s",
            on,
            top,
            "A larger --target-channels keeps more on." if steered else "A smaller --lambda keeps more on.",
        )
    elif on > len(probability) // 2 and top <= len(probability) // 2:
        _log.warning(
            "%d of %d channels are still on in most images: the gate has hardly begun to choose. %s",
            on,
            len(probability),
            "More --epochs switch more off." if steered else "More --epochs or a larger --lambda switch more off.",
        )


def by_ablation(
    model: nn.Module, loader: ImageLoader, *, channels: int, images: int, accelerator: Accelerator, progress: bool
) -> NDArray[np.float64]:
    """Take each channel away from a trained classifier in turn: how much its loss rises, (channels,) float64.

    Args:
        model: The classifier.
        loader: Validation images.
        channels: Number of channels.
        images: Number of images, for the log.
        accelerator: Device to compute on.
        progress: Show a progress bar.
    """
    _log.info("Taking each of %d channels away in turn on %d validation files", channels, images)
    with progress_bar("ablating", "passes", total=len(loader) * (channels + 1), shown=progress) as advance:
        return loss_increase(model.to(device_of(accelerator)), loader, channels=channels, advance=advance)


def once(dataset: SeededDataset, options: SharedOptions, *, batch_size: int) -> ImageLoader:
    """A loader of each image once, shared between the processes.

    Args:
        dataset: The images.
        options: Say with how many workers, and whether bad images are skipped.
        batch_size: Images that a process computes at once.
    """
    return make_loader(
        dataset,
        batch_size=batch_size,
        shuffle=False,
        num_workers=options.workers or 0,
        on_error="raise" if options.on_bad_image == "error" else "skip",
    )


def left_out(loader: ImageLoader) -> int:
    """How many files all processes could not read and were allowed to skip."""
    return sum(len(found) for found in from_all_processes(loader.bad_images))
