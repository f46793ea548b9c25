"""The three ways to rank: by the gate, by energy, by ablation."""

import logging
from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn.pipelines.ablation import loss_increase
from freqlearn.pipelines.channel_price import SteeredToTarget, UpperLimit
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.checkpoint_files import LAST, has_state
from freqlearn.pipelines.energy import share_of_variance
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.gate_ranking import Gated, check_not_collapsed, mean_probability
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.networks import gate_of
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.run_data import DataFolders, LabelledFiles
from freqlearn.pipelines.sampling import from_all_processes
from freqlearn.pipelines.trainer import device_of
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.spec import InputSpec

SPEC, MODEL = "spec.json", "model"
"""In a ranking's folder: the 192 channels' mean and standard deviation, and the training of what was ranked with."""

# Enough for a probability: its standard error over 5000 images is below 0.01.
_MOST_IMAGES = 5000

_log = logging.getLogger(__name__)

Measured = tuple[NDArray[np.float64], dict[str, Any]]
"""(192,) importances, and facts for `Importance.measured_on`."""


def by_energy(options: RankOptions, folders: DataFolders, variance: NDArray[np.float64]) -> Measured:
    """Rank by share of variance; needs no training."""
    facts = {} if options.spec is not None else {"images": min(len(folders.train), options.stats_images)}
    return share_of_variance(variance), facts


def by_gate(options: RankOptions, folders: DataFolders, spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
    """Train a gate in front of the network, then take each switch's mean probability over the training images.

    Raises:
        GateCollapseError: If the gate has switched everything off.
    """
    gated = _GateFacts()
    result = _train(options, [gated, *callbacks], gate=True)
    # What was saved, and not what was trained: where weights are averaged, their average.
    last = result.checkpoint.with_name(LAST)
    gate = gate_of(load_checkpoint(last).model.to(device_of(options.accelerator)))
    if gate is None:
        raise ValueError(f"{last}: expected a model with a gate in front, got one without")
    sample = folders.train.sample(_MOST_IMAGES, seed=options.seed)
    loader = _loader(sample, options, spec)
    probability = mean_probability(gate, loader)
    if gated.price is not None:
        check_not_collapsed(probability, price=gated.price, step=result.steps)
    if is_first_process():
        _warn_of_doubt(probability, options)
    return probability.double().numpy(), {"images": len(sample) - _left_out(loader)} | gated.facts()


class _GateFacts(Callback):
    """Notes what the gate did, for `Importance.measured_on`."""

    def __init__(self) -> None:
        self.price: UpperLimit | SteeredToTarget | None = None
        self._validated: dict[str, float] = {}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if isinstance(pl_module, Gated):
            self.price = pl_module.price

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        names = {"val/accuracy": "accuracy of the gated model", "val/channels_on": "channels on"}
        metrics = trainer.callback_metrics
        self._validated = {what: round(float(metrics[name]), 4) for name, what in names.items() if name in metrics}

    def facts(self) -> dict[str, Any]:
        """Lambda, the target, and how the last validation came out: its accuracy with each image's own switches."""
        if self.price is None:
            return dict(self._validated)
        end = {"lambda at the end": float(self.price.value)}
        if isinstance(self.price, SteeredToTarget):
            return {**self._validated, "target channels": self.price.target, **end}
        return {**self._validated, "lambda": self.price.first_value, **end}


def _warn_of_doubt(probability: torch.Tensor, options: RankOptions) -> None:
    """Say so if the gate has not decided: too few channels on to fill the selection, or most of them."""
    on, top = int((probability > 0.5).sum()), options.top
    steered = options.target_channels is not None
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


def by_ablation(options: RankOptions, folders: DataFolders, spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
    """Train the network on all channels, then take each of them away in turn.

    Raises:
        ValueError: If there are no validation files.
    """
    if folders.val is None:
        raise ValueError("ablation measures the loss on validation files, and there are none")
    result = _train(options, callbacks)
    sample = folders.val.sample(options.ablation_images, seed=options.seed)
    loader = _loader(sample, options, spec)
    model = load_checkpoint(result.checkpoint).model.to(device_of(options.accelerator))
    _log.info("Taking each of %d channels away in turn on %d validation files", spec.in_channels, len(sample))
    passes = len(loader) * (spec.in_channels + 1)
    with progress_bar("ablating", "passes", total=passes, shown=options.progress) as advance:
        values = loss_increase(model, loader, channels=spec.in_channels, advance=advance)
    accuracy = None if result.accuracy is None else round(result.accuracy, 4)
    images = len(sample) - _left_out(loader)
    return values, {"images": images, "accuracy of the model with all channels": accuracy}


def _train(options: RankOptions, callbacks: Sequence[Callback], **changes: Any) -> TrainResult:
    """Train on all 192 channels in the ranking's folder MODEL, going on where it was stopped."""
    folder = options.folder / MODEL
    resume = options.resume and has_state(folder)
    training = options.training(output=folder, spec=str(options.folder / SPEC), resume=resume, **changes)
    return train(training, callbacks=callbacks)


def _loader(files: LabelledFiles, options: RankOptions, spec: InputSpec) -> ImageLoader:
    """Each file once, shared between the processes."""
    return make_loader(
        labelled_dataset(files, eval_transform(spec)),
        batch_size=64,
        shuffle=False,
        num_workers=options.workers or 0,
        on_error="raise" if options.on_bad_image == "error" else "skip",
    )


def _left_out(loader: ImageLoader) -> int:
    """How many files all processes could not read and were allowed to skip."""
    return sum(len(found) for found in from_all_processes(loader.bad_images))
