"""Lightning's Trainer as freqlearn sets it up: quiet, resumable, interruptible."""

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from freqlearn.pipelines.best_checkpoint import BestCheckpoint
from freqlearn.pipelines.checkpoint_files import CheckpointFiles
from freqlearn.pipelines.divergence import StopOnDivergence
from freqlearn.pipelines.options import Precision
from freqlearn.pipelines.processes import chosen_world
from freqlearn.pipelines.saving import SaveState
from freqlearn.pipelines.seldom_validation import ValidateLastEpoch
from freqlearn.pipelines.stopping import Interrupted
from freqlearn.pipelines.strategies import UnevenDDPStrategy


class _ProgressBar(RichProgressBar):
    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # the number of the log folder says nothing about the training
        return metrics


def make_trainer(
    *,
    epochs: int,
    max_steps: int | None = None,
    output: Path | None = None,
    monitor: str | None = "val/accuracy",
    precision: Precision = "auto",
    accelerator: str = "auto",
    devices: int | None = None,
    nodes: int = 1,
    sync_batchnorm: bool = False,
    accumulate: int = 1,
    gradient_clip: float | None = None,
    validate_every: int = 1,
    checkpoint_steps: int | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> L.Trainer:
    """Build a Trainer.

    Args:
        epochs: Number of epochs.
        max_steps: Stop after so many steps even if epochs remain.
        output: Folder for last.ckpt, previous.ckpt, best.ckpt and logs/ (CSV and TensorBoard); None writes no file.
        monitor: Metric that best.ckpt has the highest value of; None writes no best.ckpt.
        precision: "auto" is bf16-mixed on a GPU that has it, and 32-true elsewhere.
        accelerator: "auto", "cpu", "gpu" or "mps".
        devices: Processes on each machine; None for what torchrun has started, else one.
        nodes: Machines.
        sync_batchnorm: Let BatchNorm see the images of all processes.
        accumulate: Batches whose gradients make an optimizer step.
        gradient_clip: Longest gradient, by its norm; None for any.
        validate_every: Epochs from one validation to the next; the last epoch has one in any case.
        checkpoint_steps: Also save last.ckpt after every so many steps, and not only every quarter of an hour.
        callbacks: Further callbacks.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If this machine lacks the accelerator, or it the precision.
    """
    devices, nodes = chosen_world(devices, nodes)
    all_callbacks = [*callbacks, StopOnDivergence(), ValidateLastEpoch()]
    loggers: list[Logger] = []
    if output is not None:
        csv = CSVLogger(output, name="logs")
        loggers = [csv, TensorBoardLogger(output, name="logs", version=csv.version)]
        if monitor is not None:
            # Before last.ckpt, so that last.ckpt records this epoch's best score too.
            all_callbacks.append(BestCheckpoint(output, monitor=monitor))
        all_callbacks.append(LearningRateMonitor(logging_interval="epoch"))
    all_callbacks.append(SaveState(output, every_steps=checkpoint_steps))
    if progress:
        all_callbacks.append(_ProgressBar(console_kwargs={"stderr": True}))  # stdout is for results
    try:
        with quiet_lightning():
            trainer = L.Trainer(
                max_epochs=epochs,
                max_steps=-1 if max_steps is None else max_steps,
                accelerator=accelerator,
                devices=devices,
                num_nodes=nodes,
                strategy=UnevenDDPStrategy() if devices * nodes > 1 else "auto",
                sync_batchnorm=sync_batchnorm,
                accumulate_grad_batches=accumulate,
                gradient_clip_val=gradient_clip,
                check_val_every_n_epoch=validate_every,
                precision=_resolve_precision(precision, accelerator),
                logger=loggers or False,
                callbacks=all_callbacks,
                plugins=_plugins(),
                enable_progress_bar=progress,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=10,
                use_distributed_sampler=False,
            )
    except MisconfigurationException as error:
        raise ValueError(f"accelerator {accelerator}, precision {precision}: {error}") from error
    if sync_batchnorm and trainer.world_size > 1 and trainer.strategy.root_device.type == "cpu":
        raise ValueError(
            f"BatchNorm over the images of {trainer.world_size} processes needs GPUs: torch's SyncBatchNorm does not "
            "compute on CPUs; use norm batch, group or switchable, without sync_batchnorm"
        )
    return trainer


def device_of(accelerator: str) -> torch.device:
    """The device that a Trainer computes on.

    Args:
        accelerator: As of `make_trainer`.

    Raises:
        ValueError: If this machine lacks it.
    """
    return make_trainer(epochs=1, accelerator=accelerator, progress=False).strategy.root_device


@contextmanager
def quiet_lightning(output: Path | None = None) -> Iterator[None]:
    """Run a trainer without what a user of freqlearn cannot act on; warnings of other kinds and errors come through.

    Args:
        output: Where it writes, for the error of a full disk, which names no file.

    Raises:
        KeyboardInterrupt: On Ctrl-C; of a training the message says what was saved.
        Preempted: On SIGTERM, likewise.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for pattern in _NOISE:
                warnings.filterwarnings("ignore", message=pattern)
            yield
    except OSError as error:
        if error.filename is not None or output is None:
            raise
        raise OSError(error.errno, error.strerror, str(output)) from error
    except Interrupted as stop:
        raise KeyboardInterrupt(str(stop)) from None
    except SystemExit as leave:
        if not isinstance(leave.__context__, KeyboardInterrupt):
            raise
        # Lightning's answer to Ctrl-C outside of training; it has also switched SIGINT off.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt("interrupted") from None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_NOISE = (
    r".*It is recommended to use .*sync_dist=True.*",  # what is logged without is the same in all processes
    r".*does not have many workers.*",
    r".*The number of training batches .* is smaller than the logging interval.*",
    r".*Total length of `list` across ranks is zero.*",  # no validation files
    r".*could not find the monitored key.*",  # the epoch whose validation was interrupted
    r".*Checkpoint directory .* exists and is not empty.*",  # train() refuses that unless it resumes
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


def _plugins() -> list[Any]:
    plugins: list[Any] = [CheckpointFiles()]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        # Lightning would requeue the job itself, from a file of its own; the exit status leaves that to the job.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


def _resolve_precision(precision: Precision, accelerator: str) -> Literal["32-true", "16-mixed", "bf16-mixed"]:
    if precision != "auto":
        return precision
    on_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"
