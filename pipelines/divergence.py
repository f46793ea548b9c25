"""A guard against trainings that have diverged."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback


class StopOnDivergence(Callback):
    """Stops a training whose loss is no longer a number, before hours go by and its last good state is replaced."""

    _EVERY_STEPS = 20  # looking at the loss makes the CPU wait for the GPU

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss now and then, and at the end of every epoch.

        Raises:
            ValueError: If it is no number.
        """
        if trainer.global_step % self._EVERY_STEPS and not trainer.is_last_batch:
            return
        if not torch.isfinite(outputs["loss"]):
            raise ValueError(
                f"the loss is {float(outputs['loss'])} at step {trainer.global_step}: training has diverged; "
                "use a smaller lr"
            )
