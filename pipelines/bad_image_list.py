"""The list of images that a run has skipped: bad_images.csv."""

import csv
import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from freqlearn import atomic

BAD_IMAGES = "bad_images.csv"

_log = logging.getLogger(__name__)


class BadImageList(Callback):
    """Writes the files that were skipped in any process, and why, whenever a run's state is saved.

    There is no file as long as nothing was skipped. A resumed run adds to the list.
    """

    def __init__(self, folder: Path, found: Callable[[], Mapping[str, str]]) -> None:
        """List into a folder.

        Args:
            folder: Where bad_images.csv goes.
            found: Returns what this process has skipped: file and reason.
        """
        self._path = folder / BAD_IMAGES
        self._found = found
        self._listed: dict[str, str] | None = None

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Write the list; all processes come here together."""
        self.write(trainer)

    def write(self, trainer: L.Trainer) -> int:
        """Write the list; to be called in all processes.

        Returns:
            How many files are on it, in the first process.
        """
        found = dict(self._found())
        if trainer.world_size > 1:
            everyone: list[Any] | None = [None] * trainer.world_size if trainer.is_global_zero else None
            torch.distributed.gather_object(found, everyone)
            for others in everyone or ():
                found.update(others)
        if not trainer.is_global_zero:
            return 0
        if self._listed is None:
            self._listed = _read(self._path)
        new = {name: why for name, why in found.items() if name not in self._listed}
        if new:
            name, why = next(iter(new.items()))
            example = why if why.startswith(name) else f"{name}: {why}"
            _log.warning("Skipped %d images that cannot be used (%s); listed in %s", len(new), example, self._path)
            self._listed.update(new)
            atomic.write_text(self._path, _as_csv(self._listed))
        return len(self._listed)


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["file"]: row["reason"] for row in csv.DictReader(file)}


def _as_csv(listed: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "reason"))
    writer.writerows(sorted(listed.items()))
    return text.getvalue()
