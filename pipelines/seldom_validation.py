"""Validating after some epochs only, and after the last in any case."""

import lightning as L
from lightning.pytorch.callbacks import Callback


class ValidateLastEpoch(Callback):
    """Lets a trainer that validates after every so many epochs validate after the last one too."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the epoch that a resumed run is in."""
        self._look(trainer)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the epoch that begins."""
        self._look(trainer)

    def _look(self, trainer: L.Trainer) -> None:
        if trainer.max_epochs is not None and trainer.current_epoch >= trainer.max_epochs - 1:
            trainer.check_val_every_n_epoch = 1
