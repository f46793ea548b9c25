"""One training from its options to its checkpoints, whatever the task: the order in which everything happens."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn

from freqlearn.pipelines.averaging import AveragedWeights
from freqlearn.pipelines.bad_image_list import BadImageList
from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.checkpoint_files import BEST, LAST
from freqlearn.pipelines.compiling import compile_errors_explained, compile_network
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.datamodule import SeededData
from freqlearn.pipelines.gate_ranking import CollapseGuard
from freqlearn.pipelines.learner import Learner
from freqlearn.pipelines.processes import as_one, chosen_world, connect, done_by_first, share_of_batch
from freqlearn.pipelines.shared_options import SharedOptions
from freqlearn.pipelines.starting import Start, check_output, fresh, resumed
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning
from freqlearn.spec import InputSpec

Options = TypeVar("Options", bound=SharedOptions)


class TrainingFiles(Protocol):
    """The files that are trained on."""

    def __len__(self) -> int: ...

    def fingerprint(self) -> str:
        """Equal for the same files and labels wherever they lie."""
        ...


class Task(ABC, Generic[Options]):
    """What is trained, and on what: all that a training of classifiers and one of detectors differ in.

    Attributes:
        monitor: What the validation logs and best.ckpt has the highest value of.
        free_on_resume: Options that may differ between a run and its continuation.
        detects: Whether detectors are trained, and not classifiers.
        options: The run's.
        output: Folder that it writes to.
        files: The files that are trained on.
        root: Where they are, for messages.
        validates: Whether there is anything to validate on.
        gated: Whether a gate is trained too.
        skips: Whether bad images can be skipped, so that errors may say how.
    """

    monitor: str
    free_on_resume: ClassVar[frozenset[str]]
    detects: ClassVar[bool] = False
    options: Options
    output: Path
    files: TrainingFiles
    root: Path | str
    validates: bool
    gated: bool
    skips: bool = True

    @abstractmethod
    def usual_options(self) -> dict[str, Any]:
        """The options by default, as `SharedOptions.plain` gives them: for checkpoints from before an option."""

    @abstractmethod
    def chosen_spec(self) -> InputSpec:
        """What the options say the model is given; not standardised yet if statistics are to be measured."""

    @abstractmethod
    def fresh_header(self, plain: dict[str, Any]) -> Header:
        """What checkpoints will say of the model; measures statistics where the spec has none.

        Args:
            plain: The options as JSON types, with the output folder.
        """

    @abstractmethod
    def data(self, spec: InputSpec, *, workers: int, world: int) -> SeededData:
        """The files as batches.

        Args:
            spec: What the model is given.
            workers: Loader processes.
            world: Number of processes that train together.
        """

    @abstractmethod
    def learner(self, model: nn.Module, header: Header, *, steps: int, steps_per_epoch: int) -> Learner:
        """What trains the model.

        Args:
            model: What the header builds, with the weights that the training starts with.
            header: What checkpoints say of it.
            steps: Optimizer steps of the whole training.
            steps_per_epoch: Those of an epoch.
        """

    @abstractmethod
    def announce(self, header: Header, *, world: int) -> None:
        """Log what is about to happen."""

    def begin_with(self, model: nn.Module) -> None:
        """Give a fresh model weights of other origin; by default they stay random."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a training.

    Attributes:
        checkpoint: The checkpoint to use: the best on the validation files, or the last if there are none.
        score: What the task's `monitor` was for it; None without validation.
        spec: What the model is given.
        classes: Class names.
        steps: Optimizer steps of the whole run.
        images: Training images that this call has gone through (a resumed run: since resuming).
        seconds: Time that took, validation and checkpoints included.
    """

    checkpoint: Path
    score: float | None
    spec: InputSpec
    classes: tuple[str, ...]
    steps: int
    images: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.checkpoint}: {self.steps} {'step' if self.steps == 1 else 'steps'}"


def run(make: Callable[[Options], Task[Options]], options: Options, *, callbacks: Sequence[Callback] = ()) -> Outcome:
    """Carry a training through.

    Writes last.ckpt, best.ckpt, config.yaml and logs/ (CSV and TensorBoard) to the output folder. The caller's random
    state is left as it was. Where several processes train together, each calls this; the first one writes.

    Args:
        make: Makes the task of some options; looks for everything that can be wrong with them.
        options: What to train, on what, and how.
        callbacks: Further Lightning callbacks.

    Raises:
        ValueError: For a mistake in the options or the data.
        FailedElsewhere: In a process other than the first, if the first one could not begin.
        KeyboardInterrupt: On Ctrl-C, after the state was saved; the message says how to go on.
    """
    # What can be wrong is looked for before other processes are started: then there is one to say so.
    world = chosen_world(options.devices, options.nodes)
    share_of_batch(options.batch_size, world=world[0] * world[1], accumulate=options.accumulate)
    task = make(options)
    check_output(task.output, resume=options.resume)
    with divided_cores(options.workers, processes=world[0]) as workers:
        running = _Run(task, workers=workers, callbacks=callbacks)
        way_out = pointing_to_skip() if task.skips else nullcontext()
        with as_one(running.trainer), way_out, torch.random.fork_rng(devices=running.gpus):
            return running()


class _Run:
    """One call of `run`."""

    def __init__(self, task: Task[Any], *, workers: int, callbacks: Sequence[Callback]) -> None:
        self.task = task
        self.options: SharedOptions = task.options
        self.workers = workers
        self.meter = _Meter()
        self.bad_images = BadImageList(task.output, lambda: self.data.bad_images)
        options = self.options
        own: list[Callback] = [self.meter, self.bad_images]
        if options.ema is not None:
            own.append(AveragedWeights(options.ema))
        if task.gated:
            own.append(CollapseGuard())
        self.trainer = make_trainer(
            epochs=options.epochs,
            max_steps=options.max_steps,
            output=task.output,
            monitor=task.monitor if task.validates else None,
            precision=options.precision,
            accelerator=options.accelerator,
            devices=options.devices,
            nodes=options.nodes,
            sync_batchnorm=options.synchronises,
            accumulate=options.accumulate,
            gradient_clip=options.gradient_clip,
            validate_every=options.validate_every,
            checkpoint_steps=options.checkpoint_steps,
            callbacks=[*own, *callbacks],
            progress=options.progress,
        )

    @property
    def gpus(self) -> list[int]:
        """Where random numbers are drawn besides the CPU."""
        device = self.trainer.strategy.root_device
        return [device.index] if device.type == "cuda" and device.index is not None else []

    def __call__(self) -> Outcome:
        task, options, trainer = self.task, self.options, self.trainer
        with quiet_lightning(task.output):
            connect(trainer)
        prepare = resumed if options.resume else fresh
        start: Start = done_by_first(trainer, lambda: prepare(task))
        header = start.header
        torch.manual_seed(options.seed)
        model = header.build()
        if start.state is None:
            task.begin_with(model)
        self.data = task.data(header.spec, workers=self.workers, world=trainer.world_size)
        steps_per_epoch = -(-self.data.batches_per_epoch // options.accumulate)
        learner = task.learner(model, header, steps=self._steps(steps_per_epoch), steps_per_epoch=steps_per_epoch)
        if options.compile:
            compile_network(model)
        if trainer.is_global_zero:
            task.announce(header, world=trainer.world_size)
        begin = time.perf_counter()
        with quiet_lightning(task.output), compile_errors_explained():
            trainer.fit(learner, self.data, ckpt_path=start.state, weights_only=True)
            score = self._best_score(learner)
        self.bad_images.finish(trainer)
        batch_size = min(options.batch_size, len(task.files))
        return Outcome(
            checkpoint=task.output / (LAST if score is None else BEST),
            score=score,
            spec=header.spec,
            classes=header.classes,
            steps=trainer.global_step,
            images=(trainer.global_step - self.meter.first_step) * batch_size,
            seconds=time.perf_counter() - begin,
        )

    def _steps(self, steps_per_epoch: int) -> int:
        """Optimizer steps of the whole training."""
        steps = self.options.epochs * steps_per_epoch
        return steps if self.options.max_steps is None else min(steps, self.options.max_steps)

    def _best_score(self, learner: Learner) -> float | None:
        """Score of best.ckpt; validates first if the state at the end was not (max_steps or Ctrl-C stopped it)."""
        if not self.task.validates:
            return None
        trainer = self.trainer
        monitors = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
        scores = [monitor.best_model_score for monitor in monitors]
        best = float(scores[0]) if scores and scores[0] is not None else None
        if self.meter.validated_step != trainer.global_step:
            metrics: Any = trainer.validate(learner, self.data, verbose=False)
            score = float(metrics[0][self.task.monitor])
            if best is None or score > best:
                trainer.save_checkpoint(self.task.output / BEST, weights_only=True)
                best = score
        return best


class _Meter(Callback):
    """Notes at which step this call has begun, and at which it has validated last."""

    def __init__(self) -> None:
        self.first_step = 0
        self.validated_step: int | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.first_step = trainer.global_step

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validated_step = trainer.global_step
