"""Keeping bad_images.csv while a run goes on."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from freqlearn.pipelines.bad_images import list_bad_images, skipped_line
from freqlearn.pipelines.sampling import from_all_processes

_log = logging.getLogger(__name__)


class BadImageList(Callback):
    """Writes the files that were skipped in any process, and why, whenever a run's state is saved.

    So a run that goes on from that state knows of all that came before it, and meets the others again. There is no file
    as long as nothing was skipped.
    """

    def __init__(self, folder: Path, found: Callable[[], Mapping[str, str]]) -> None:
        """List into a folder.

        Args:
            folder: Where bad_images.csv goes.
            found: Returns what this process has skipped: file and reason.
        """
        self._folder = folder
        self._found = found

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Write the list; all processes come here together."""
        self.write(trainer)

    def write(self, trainer: L.Trainer) -> int:
        """Write the list; to be called in all processes.

        Returns:
            How many files are on it, in the first process.
        """
        found = {name: why for of_one in from_all_processes(dict(self._found())) for name, why in of_one.items()}
        if not trainer.is_global_zero:
            return 0
        new, count = list_bad_images(self._folder, found)
        for name, why in new.items():
            _log.warning("Skipped %s: %s", name, why)
        return count

    def finish(self, trainer: L.Trainer) -> None:
        """Write the list, and say so if there is one; to be called in all processes at the end of a run."""
        if count := self.write(trainer):
            _log.warning("%s", skipped_line(self._folder, count))
