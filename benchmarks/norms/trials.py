"""One training with one normalisation, batch size and seed, and what came of all."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.flowers.results import interval, mean_and_spread
from benchmarks.flowers.running import BATCH_SIZE, LR, TOP, Experiment, finish, read_result, shared, to_do
from freqlearn.models import SwitchableNorm2d
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.options import NetworkName, NormName, TrainOptions
from freqlearn.pipelines.training import train

NORMS: tuple[NormName, ...] = tuple(name for name in get_args(NormName) if name != "sync_batch")
"""All but sync_batch, which is batch where one process trains."""

BATCH_SIZES = (4, 32)

_log = logging.getLogger("freqlearn")


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        norm: How the network normalises.
        batch_size: Images an optimizer step.
        seed: Seed of the training.
        model: Network.
    """

    norm: NormName
    batch_size: int
    seed: int
    model: NetworkName = "small"

    @property
    def lr(self) -> float:
        """That of the other trainings on flowers, by the square root of the batch size: the noise of Adam's steps."""
        return LR * math.sqrt(self.batch_size / BATCH_SIZE)

    def folder(self, experiment: Experiment) -> Path:
        """Where it writes."""
        return experiment.output / self.model / f"batch-{self.batch_size}" / self.norm / f"seed-{self.seed}"


def run(experiment: Experiment, trial: Trial) -> None:
    """Train unless the result is there, or another process is at it; resumes what was interrupted."""
    folder = trial.folder(experiment)
    with to_do(folder) as begin:
        if not begin:
            return
        _log.info("%s, norm %s, batch size %d, seed %d", trial.model, trial.norm, trial.batch_size, trial.seed)
        train(
            TrainOptions(
                **shared(experiment, folder, trial.seed)
                | {"model": trial.model, "batch_size": trial.batch_size, "lr": trial.lr},
                norm=trial.norm,
                spec=str(experiment.spec("small")),
                channels=str(TOP),
                validate_every=experiment.epochs,
            )
        )
        facts = {"epochs": experiment.epochs, "shares": _shares(folder / LAST)}
        finish(folder, experiment.data / "val", facts)


def _shares(checkpoint: Path) -> list[Any]:
    """(layers, 2, 3): of each SwitchableNorm2d the shares of mean and variance; instance, layer, batch."""
    modules = load_checkpoint(checkpoint).model.modules()
    return [module.shares().tolist() for module in modules if isinstance(module, SwitchableNorm2d)]


def accuracy_table(experiment: Experiment, seeds: Sequence[int], model: NetworkName) -> list[dict[str, str]]:
    """A row a norm: at each batch size the accuracy over the seeds, and its difference from BatchNorm's.

    The difference is taken photo by photo, over the seeds that both have, with its 95 % interval over photos.
    """
    table = []
    for norm in NORMS:
        row = {"norm": norm}
        for batch_size in BATCH_SIZES:
            mine, batch = (_correct(experiment, name, batch_size, seeds, model) for name in (norm, "batch"))
            accuracies = 100 * np.array([photos.mean() for photos in mine.values()])
            row[f"batch of {batch_size}, %"] = mean_and_spread(accuracies) if len(accuracies) else "-"
            both = [seed for seed in mine if seed in batch and norm != "batch"]
            row[f"points from batch ({batch_size})"] = (
                _difference(np.mean([mine[seed] - batch[seed] for seed in both], axis=0)) if both else "-"
            )
        table.append(row)
    return table


def share_table(experiment: Experiment, seeds: Sequence[int], model: NetworkName) -> list[dict[str, str]]:
    """A row a batch size: what SwitchableNorm has learned, mean over its layers and the seeds."""
    table = []
    for batch_size in BATCH_SIZES:
        results = _results(experiment, "switchable", batch_size, seeds, model).values()
        if results:
            shares = np.mean([np.mean(result["shares"], axis=0) for result in results], axis=0)  # (2, 3)
            names = [f"{which}: {of}" for which in ("mean", "variance") for of in ("instance", "layer", "batch")]
            values = (f"{share:.0%}" for share in shares.flatten())
            table.append({"batch size": str(batch_size), **dict(zip(names, values, strict=True))})
    return table


def _results(
    experiment: Experiment, norm: NormName, batch_size: int, seeds: Sequence[int], model: NetworkName
) -> Mapping[int, Mapping[str, Any]]:
    found = {seed: read_result(Trial(norm, batch_size, seed, model).folder(experiment)) for seed in seeds}
    return {seed: result for seed, result in found.items() if result is not None}


def _correct(
    experiment: Experiment, norm: NormName, batch_size: int, seeds: Sequence[int], model: NetworkName
) -> Mapping[int, NDArray[np.float64]]:
    """Seed -> (photos,) 0 or 1."""
    results = _results(experiment, norm, batch_size, seeds, model)
    return {seed: np.array(result["correct"], dtype=np.float64) for seed, result in results.items()}


def _difference(photos: NDArray[np.float64]) -> str:
    mean, low, high = interval(100 * photos)
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
