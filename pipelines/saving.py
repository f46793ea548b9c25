"""When a training's state is saved, what of it Lightning does not save, and where a training stops that is asked to."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from freqlearn.pipelines.checkpoint_files import LAST, remove_leftovers
from freqlearn.pipelines.preemption import Preempted
from freqlearn.pipelines.process_state import (
    gate_states,
    metric_states,
    random_state,
    set_gate_states,
    set_metric_states,
    set_random_state,
)
from freqlearn.pipelines.stopping import Interrupted, Stop, StopSignals

EVERY_SECONDS = 15 * 60
"""Longest time between two saves in the middle of an epoch."""

PROCESSES_KEY = "processes"
"""Where a checkpoint keeps what each process has beside the weights."""


# A Checkpoint comes after all other callbacks, which may still change something at the end of a step (a moving average
# of the weights), and after the module's own hook at the end of an epoch (the price of a gate's channels).
class SaveState(Checkpoint):
    """Writes last.ckpt so that a resumed run equals an uninterrupted one, and stops the run when a signal asks for it.

    There are three moments at which the state is whole, and it is saved at no other:

    - after an optimizer step in the middle of an epoch: every `every_steps`, after a quarter of an hour, and after the
      last one that the trainer is to take;
    - before an epoch's validation, which a resumed run does from its beginning;
    - after an epoch.

    Processes that train together agree after each step on whether to save and to stop. In a validation they do not, as
    some have more batches than others: there each stops by itself, for the state has just been saved.
    """

    def __init__(
        self, folder: Path | None, *, every_steps: int | None = None, every_seconds: float = EVERY_SECONDS
    ) -> None:
        """Save to a folder.

        Args:
            folder: Where last.ckpt goes; None saves nothing, and only stops.
            every_steps: Optimizer steps from one save to the next in an epoch.
            every_seconds: Longest time from one save to the next, in seconds.
        """
        super().__init__()
        self.folder = folder
        self.every_steps = every_steps
        self.every_seconds = every_seconds
        self._signals = StopSignals()
        self._stop = Stop.NONE  # what all processes have agreed on
        self._step = 0  # the optimizer step that was looked at last
        self._saved_step: int | None = None
        self._saved_time = 0.0
        self._validation_is_due = False
        self._processes: list[dict[str, Any]] | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on from what a checkpoint said, and take the signals over.

        Not earlier: Lightning notes all signal handlers before this, and puts those back at the end.
        """
        self._step = trainer.global_step
        self._saved_time = time.monotonic()
        if self.folder is not None and trainer.is_global_zero:
            remove_leftovers(self.folder)
        # Of another number of processes: none of these states is one's own.
        if self._processes is not None and len(self._processes) == trainer.world_size:
            own = self._processes[trainer.global_rank]
            set_metric_states(pl_module, own["metrics"])
            set_gate_states(pl_module, own.get("gates", {}))
            set_random_state(own["random"])
        self._processes = None
        self._signals.take()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time to, and stop if asked to."""
        if trainer.global_step == self._step:
            return  # a part of a step: its gradients would be missing from a checkpoint
        self._step = trainer.global_step
        due = self._agree(trainer)
        if trainer.is_last_batch:
            return  # the rest of the epoch follows at once: validation, and what the module does at its end
        if due or self._stop or _breaks_off(trainer):
            self._save(trainer)
        self._stop_if_agreed(trainer)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save what there is before an epoch's validation, and stop if asked to."""
        if trainer.state.fn != TrainerFn.FITTING:
            self._signals.take()
            return
        self._validation_is_due = True
        self._save(trainer)
        self._validation_is_due = False
        self._stop_if_agreed(trainer)

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Stop here if asked to: nothing has changed since the state was saved."""
        self._stop_here(trainer, self._signals.requested)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save an epoch that is over; one that the last step has broken off was saved where it can be gone on with."""
        self._agree(trainer)
        if not _breaks_off(trainer):
            self._save(trainer)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if asked to at the end of the epoch before, whose metrics have been logged now."""
        self._stop_if_agreed(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if asked to: what comes after the training may take long."""
        self._agree(trainer)
        self._stop_if_agreed(trainer)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give the signals back."""
        self._signals.give_back()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._signals.give_back()

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what each process has of its own."""
        own = {"random": random_state(), "metrics": metric_states(pl_module), "gates": gate_states(pl_module)}
        checkpoint[PROCESSES_KEY] = _gathered(own, trainer)
        if self._validation_is_due:
            _begin_validation(checkpoint["loops"]["fit_loop"])

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep what each process had, until the training starts."""
        self._processes = checkpoint.get(PROCESSES_KEY)

    def _agree(self, trainer: L.Trainer) -> bool:
        """Whether any process finds that it is time to save. Notes whether any was asked to stop."""
        due = time.monotonic() - self._saved_time >= self.every_seconds
        if self.every_steps is not None and trainer.global_step % self.every_steps == 0:
            due = True
        stop = int(self._signals.requested)
        if trainer.world_size > 1:
            flags = torch.tensor([int(due), stop], device=trainer.strategy.root_device)
            due_anywhere, stop = trainer.strategy.reduce(flags, reduce_op="max").tolist()
            due = bool(due_anywhere)
        self._stop = Stop(stop)
        return due

    def _save(self, trainer: L.Trainer) -> None:
        if self.folder is None:
            return
        for logger in trainer.loggers:
            logger.save()  # what was logged until here is not lost either, should the process die
        trainer.save_checkpoint(self.folder / LAST)
        self._saved_step = trainer.global_step
        self._saved_time = time.monotonic()

    def _stop_if_agreed(self, trainer: L.Trainer) -> None:
        self._stop_here(trainer, self._stop)

    def _stop_here(self, trainer: L.Trainer, stop: Stop) -> None:
        if stop is Stop.NONE:
            return
        what = "interrupted" if stop is Stop.INTERRUPT else "preempted"
        if trainer.state.fn == TrainerFn.FITTING:
            what = f"{what} after step {trainer.global_step}"
            if self.folder is not None and self._saved_step == trainer.global_step:
                what = f"{what}; state saved to {self.folder / LAST}: the same command with --resume goes on from there"
        if _started_by_lightning(trainer):
            raise SystemExit(0)  # a status would make Lightning kill the first process, which has its own
        if trainer.global_rank > 0:
            what = ""  # the first process says it
        if stop is Stop.INTERRUPT:
            raise Interrupted(what)
        raise Preempted(what)


def _breaks_off(trainer: L.Trainer) -> bool:
    """Whether `max_steps` ends the training here, in the middle of an epoch."""
    return trainer.global_step == trainer.max_steps and not trainer.is_last_batch


def _started_by_lightning(trainer: L.Trainer) -> bool:
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return isinstance(environment, LightningEnvironment) and trainer.local_rank > 0


def _gathered(own: dict[str, Any], trainer: L.Trainer) -> list[dict[str, Any]]:
    """What each process has, in the first one; the others write no checkpoint."""
    if trainer.world_size == 1:
        return [own]
    everyone: list[Any] | None = [None] * trainer.world_size if trainer.is_global_zero else None
    torch.distributed.gather_object(own, everyone)
    return everyone or [own]


def _begin_validation(fit_loop: dict[str, Any]) -> None:
    """Let the state of Lightning's loops say that the first batch of a validation has begun.

    That makes it validate when it resumes; before the first batch, it would take the validation for done.
    """
    progress = fit_loop["epoch_loop.val_loop.batch_progress"]
    begun = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    progress.update(total=dict(begun), current=dict(begun), is_last_batch=False)
