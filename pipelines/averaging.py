"""Exponential moving average of a training's weights: Lightning's, with what a resumable training needs beyond it."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class AveragedWeights(EMAWeightAveraging):
    """Averages weights and BatchNorm statistics after every optimizer step; validates and saves the averages.

    A checkpoint's `state_dict` holds the averages, a full one's `current_model_state` the weights that training goes on
    with. Lightning's callback, but: the averages lie on the device that trains, not where the model was built; buffers
    that are no running statistics (counters, a gate's price) are copied, for their average means nothing; checkpoints
    of weights alone hold the averages too, and so do those that are saved during a validation, when averages and
    weights have changed places.
    """

    def __init__(self, decay: float) -> None:
        """Average with a decay, for instance 0.9999: the weight of what was, in every step."""
        super().__init__(decay=decay)
        self._swapped = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Begin with the model as it is, on the device that trains."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average after an optimizer step."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        averaged = _averaged_buffers(pl_module)
        for name, buffer in pl_module.named_buffers():
            if name not in averaged:
                self._averages.get_buffer(name).copy_(buffer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Not yet: what is saved now must go on from the weights."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the model with the averages, also where a finished run had nothing left to do."""
        self._copy_average_to_current(pl_module)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put both into a full checkpoint."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
            current, average = checkpoint["state_dict"], checkpoint["current_model_state"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = average, current
        if self._average_model is not None:
            checkpoint["state_dict"] = self._with_counts(checkpoint["state_dict"], pl_module.state_dict())

    def put_averages(self, checkpoint: dict[str, Any]) -> None:
        """Put the averages into a checkpoint that callbacks are not asked about; the model's own hook calls this."""
        if self._average_model is not None and not self._swapped and "current_model_state" not in checkpoint:
            checkpoint["state_dict"] = self._with_counts(self._averages.state_dict(), checkpoint["state_dict"])

    def _with_counts(self, averages: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
        """The averages with what is neither a parameter nor a buffer: a gate's importance, counted by the model."""
        averaged = {name for name, _ in [*self._averages.named_parameters(), *self._averages.named_buffers()]}
        return averages | {name: value for name, value in current.items() if name not in averaged}

    @property
    def _averages(self) -> nn.Module:
        if self._average_model is None:
            raise RuntimeError("expected a training to have begun")
        return self._average_model.module

    def _swap_models(self, pl_module: L.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped


def _averaged_buffers(module: nn.Module) -> set[str]:
    """Names of running means and variances: of BatchNorm and SwitchableNorm2d."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules()
        if isinstance(part, _NormBase)
        for name, buffer in part.named_buffers(recurse=False)
        if torch.is_floating_point(buffer)
    }
