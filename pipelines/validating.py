"""Carrying an evaluation through, whatever is evaluated: processes, loaders, and files that cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import lightning as L

from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.data import SeededDataset, pointing_to_skip
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.options import Accelerator, OnBadImage
from freqlearn.pipelines.processes import as_one, chosen_world, connect
from freqlearn.pipelines.sampling import from_all_processes
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The processes of an evaluation, connected.

    Attributes:
        trainer: What runs a module's validation.
        workers: Loader processes of each.
    """

    trainer: L.Trainer
    workers: int

    def run(
        self, evaluator: L.LightningModule, dataset: SeededDataset, *, batch_size: int, on_bad_image: OnBadImage
    ) -> dict[str, str]:
        """Let a module validate each sample once, in one of the processes: a collective call.

        Args:
            evaluator: The module.
            dataset: The samples.
            batch_size: Images that a process computes at once.
            on_bad_image: "error" stops at a file that cannot be read, "skip" leaves it out.

        Returns:
            The files that all processes have left out, and why.

        Raises:
            ValueError: If a file cannot be read.
        """
        loader = make_loader(
            dataset,
            batch_size=batch_size,
            shuffle=False,
            num_workers=self.workers,
            on_error="raise" if on_bad_image == "error" else "skip",
        )
        self.trainer.validate(evaluator, loader, verbose=False)
        return dict(pair for found in from_all_processes(loader.bad_images) for pair in found.items())


@contextmanager
def validating(
    *, workers: int | None, accelerator: Accelerator, devices: int | None, nodes: int, progress: bool
) -> Iterator[Validation]:
    """Start the processes of an evaluation, for a block.

    Args:
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        devices: Processes on each machine; by default those that torchrun started, or one.
        nodes: Machines.
        progress: Show a progress bar.
    """
    trainer = make_trainer(
        epochs=1, accelerator=accelerator, devices=devices, nodes=nodes, precision="32-true", progress=progress
    )
    local, _ = chosen_world(devices, nodes)
    with divided_cores(workers, processes=local) as chosen, quiet_lightning(), as_one(trainer), pointing_to_skip():
        connect(trainer)
        yield Validation(trainer=trainer, workers=chosen)
