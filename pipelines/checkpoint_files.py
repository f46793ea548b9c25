"""The files of a run's state: written whole or not at all, the one before kept, the newest sound one found."""

import logging
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from freqlearn import atomic
from freqlearn.pipelines.checkpoint import CheckpointError, read_data

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"

_log = logging.getLogger(__name__)


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints in one step, and keeps the last.ckpt before as previous.ckpt.

    Lightning calls it in the first process only.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sound: set[Path] = set()  # files that this run has written or read

    def load_checkpoint(self, path: str | Path, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Read a checkpoint, as TorchCheckpointIO does."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *arguments, **options)
        self._sound.add(Path(path).resolve())
        return checkpoint

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning has collected.
            path: File to write.
            storage_options: None; it belongs to Lightning's interface.

        Raises:
            OSError: If it cannot be written; what was there is then untouched.
        """
        target = Path(path).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        # A damaged last.ckpt, for which previous.ckpt was resumed, must not replace that.
        keep = target.with_name(PREVIOUS) if target.name == LAST and target in self._sound else None
        atomic.write_file(target, lambda file: _write(checkpoint, file), keep=keep)
        self._sound.add(target)


def has_state(folder: Path) -> bool:
    """Whether there is a state of a run in a folder, damaged or not."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def check_resumable(folder: Path) -> None:
    """Raise ValueError if there is no state of a run in a folder, damaged or not."""
    if not has_state(folder):
        raise ValueError(
            f"{folder / LAST}: no such checkpoint, so there is nothing to resume; leave out resume to start"
        )


def newest_state(folder: Path) -> Path:
    """Find the newest state of a run that can be gone on from; a damaged last.ckpt is reported.

    Raises:
        ValueError: If there is none.
        CheckpointError: If there is none that is not damaged.
    """
    check_resumable(folder)
    last, previous = folder / LAST, folder / PREVIOUS
    try:
        check_sound(last)
        return last
    except CheckpointError as error:
        damage = error
    if not previous.exists():
        raise CheckpointError(f"{damage}; there is no {PREVIOUS} to go on from") from damage
    try:
        check_sound(previous)
    except CheckpointError as error:
        raise CheckpointError(f"{damage}; and {error}: neither can be resumed") from error
    _log.warning("%s; going on from %s, the state before", damage, previous)
    return previous


def check_sound(path: Path) -> None:
    """Raise CheckpointError if a file is not the whole state of a training, as it was written."""
    data = read_data(path)
    if "optimizer_states" not in data or "loops" not in data:
        raise CheckpointError(f"{path}: holds a model only, and not the state of its training")
    # torch.load does not look at checksums: a flipped bit in a weight goes unnoticed.
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # zipfile too: of a damaged header NotImplementedError, UnicodeDecodeError, ...
        raise CheckpointError(f"{path}: damaged: {error}") from error
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged: the checksum of {damaged} is wrong")


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished checkpoints that a killed run has left in its folder."""
    for leftover in atomic.remove_leftovers(folder, "*.ckpt"):
        _log.info("Removed %s, which a killed run has left unfinished", leftover)


def _write(checkpoint: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(checkpoint, file)
    except RuntimeError as error:
        # How torch says that the file took less than it was given (a full disk); the reason lies behind that.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
