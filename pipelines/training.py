"""`freqlearn train`: from a folder of images to a checkpoint."""

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from freqlearn.pipelines.averaging import AveragedWeights
from freqlearn.pipelines.bad_image_list import BadImageList
from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.checkpoint_files import BEST, LAST
from freqlearn.pipelines.compiling import compile_errors_explained, compile_network
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.dali.graph import load_dali
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.datamodule import ImageData
from freqlearn.pipelines.gate_ranking import CollapseGuard, GatedClassifier
from freqlearn.pipelines.inputs import choose_spec, eval_transform, train_transform
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.module import Classifier, Optimisation
from freqlearn.pipelines.networks import build_network, check_instance_norm
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.processes import as_one, chosen_world, connect, done_by_first, share_of_batch
from freqlearn.pipelines.run_data import DataFolders, open_run_data
from freqlearn.pipelines.shards import ShardSet
from freqlearn.pipelines.starting import Start, check_output, fresh, output_folder, resumed
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning
from freqlearn.spec import InputSpec

# Validation inputs are the same in every epoch: so little is kept in memory instead of being decoded again.
_CACHED_VALIDATION_BYTES = 1 << 28

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What came of a training.

    Attributes:
        checkpoint: The checkpoint to use: the best on the validation files, or the last if there are none.
        accuracy: Its share of validation files classified correctly; None without validation.
        spec: What the model is given.
        classes: Class names.
        steps: Optimizer steps of the whole run.
        images: Training images that this call has gone through (a resumed run: since resuming).
        seconds: Time that took, validation and checkpoints included.
    """

    checkpoint: Path
    accuracy: float | None
    spec: InputSpec
    classes: tuple[str, ...]
    steps: int
    images: int
    seconds: float

    def __str__(self) -> str:
        accuracy = "" if self.accuracy is None else f", validation accuracy {self.accuracy:.2%}"
        return f"{self.checkpoint}: {self.steps} {'step' if self.steps == 1 else 'steps'}{accuracy}"


def train(options: TrainOptions, *, callbacks: Sequence[Callback] = ()) -> TrainResult:
    """Train a classifier on a folder of images.

    Writes last.ckpt, best.ckpt, config.yaml and logs/ (CSV and TensorBoard) to the output folder. The caller's random
    state is left as it was. Where several processes train together, each calls this; the first one writes.

    Args:
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
    folders = open_run_data(options)
    _check_together(options, folders)
    output = output_folder(options)
    check_output(options, output)
    with divided_cores(options.workers, processes=world[0]) as workers:
        run = _Run(options, folders, output, workers=workers, callbacks=callbacks)
        way_out = pointing_to_skip() if options.loader == "native" else nullcontext()  # DALI cannot skip
        with as_one(run.trainer), way_out, torch.random.fork_rng(devices=run.gpus):
            return run()


def _check_together(options: TrainOptions, folders: DataFolders) -> None:
    if options.loader != "native":
        load_dali()
        if isinstance(folders.train, ShardSet):
            raise ValueError(f"loader {options.loader} reads folders of files, and no shards; use loader native")
    spec = choose_spec(options)
    with torch.device("meta"):  # costs nothing there
        network = build_network(
            options.model, spec, num_classes=len(folders.train.classes), **options.network_arguments()
        )
        check_instance_norm(network, spec)
    if options.target_channels is None:
        return
    if not options.gate:
        raise ValueError(f"target_channels {options.target_channels} is for a gate, and there is none: add gate")
    if options.target_channels >= spec.in_channels:
        raise ValueError(
            f"target_channels must be below {spec.in_channels}, the number of channels that the gate chooses from; "
            f"got {options.target_channels}"
        )


class _Run:
    """One call of `train`."""

    def __init__(
        self,
        options: TrainOptions,
        folders: DataFolders,
        output: Path,
        *,
        workers: int,
        callbacks: Sequence[Callback],
    ) -> None:
        self.options = options
        self.folders = folders
        self.output = output
        self.workers = workers
        self.meter = _Meter()
        self.bad_images = BadImageList(output, lambda: self.data.bad_images)
        own: list[Callback] = [self.meter, self.bad_images]
        if options.ema is not None:
            own.append(AveragedWeights(options.ema))
        if options.gate:
            own.append(CollapseGuard())
        self.trainer = make_trainer(
            epochs=options.epochs,
            max_steps=options.max_steps,
            output=output,
            monitor="val/accuracy" if folders.val is not None else None,
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

    def __call__(self) -> TrainResult:
        options, trainer = self.options, self.trainer
        with quiet_lightning(self.output):
            connect(trainer)
        begin_with = resumed if options.resume else fresh
        start: Start = done_by_first(trainer, lambda: begin_with(options, self.folders, self.output))
        header = start.header
        torch.manual_seed(options.seed)
        model = header.build()
        self.data = _image_data(options, self.folders, header.spec, workers=self.workers, world=trainer.world_size)
        classifier = _classifier(options, model, header, steps=self._steps())
        if options.compile:
            compile_network(model)
        if trainer.is_global_zero:
            _announce(options, self.folders, header, world=trainer.world_size)
        begin = time.perf_counter()
        with quiet_lightning(self.output), compile_errors_explained():
            trainer.fit(classifier, self.data, ckpt_path=start.state, weights_only=True)
            accuracy = self._best_accuracy(classifier)
        self.bad_images.finish(trainer)
        batch_size = min(options.batch_size, len(self.folders.train))
        return TrainResult(
            checkpoint=self.output / (LAST if accuracy is None else BEST),
            accuracy=accuracy,
            spec=header.spec,
            classes=header.classes,
            steps=trainer.global_step,
            images=(trainer.global_step - self.meter.first_step) * batch_size,
            seconds=time.perf_counter() - begin,
        )

    def _steps(self) -> int:
        """Optimizer steps of the whole training."""
        an_epoch = -(-self.data.batches_per_epoch // self.options.accumulate)
        steps = self.options.epochs * an_epoch
        return steps if self.options.max_steps is None else min(steps, self.options.max_steps)

    def _best_accuracy(self, classifier: Classifier) -> float | None:
        """Accuracy of best.ckpt; validates first if the state at the end was not (max_steps or Ctrl-C stopped it)."""
        if self.data.val_set is None:
            return None
        trainer = self.trainer
        monitors = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
        scores = [monitor.best_model_score for monitor in monitors]
        best = float(scores[0]) if scores and scores[0] is not None else None
        if self.meter.validated_step != trainer.global_step:
            metrics: Any = trainer.validate(classifier, self.data, verbose=False)
            accuracy = float(metrics[0]["val/accuracy"])
            if best is None or accuracy > best:
                trainer.save_checkpoint(self.output / BEST, weights_only=True)
                best = accuracy
        return best


def _classifier(options: TrainOptions, model: torch.nn.Module, header: Header, *, steps: int) -> Classifier:
    mixing = None
    if options.mixup or options.cutmix:
        mixing = Mixing(mixup=options.mixup, cutmix=options.cutmix, num_classes=len(header.classes))
    shared: dict[str, Any] = {
        "num_classes": len(header.classes),
        "optimisation": Optimisation(
            optimizer=options.optimizer,
            lr=options.lr,
            weight_decay=options.weight_decay,
            warmup=options.warmup,
            schedule=options.schedule,
            label_smoothing=options.label_smoothing,
        ),
        "steps": steps,
        "header": header.to_dict(),
        "seed": options.seed,
        "mixing": mixing,
        "channels_last": options.channels_last,
    }
    if not options.gate:
        return Classifier(model, **shared)
    return GatedClassifier(
        model,
        lambda_=options.lambda_,
        target_channels=options.target_channels,
        gate_lr=options.gate_lr,
        temperature=options.temperature,
        final_temperature=options.final_temperature,
        **shared,
    )


def _image_data(options: TrainOptions, folders: DataFolders, spec: InputSpec, *, workers: int, world: int) -> ImageData:
    kind: Any = ImageData
    if options.loader != "native":
        from freqlearn.pipelines.dali.data import DaliData

        kind = partial(DaliData, loader=options.loader, spec=spec, augment=options.augment)
    data: ImageData = kind(
        folders.train,
        folders.val,
        train_transform=train_transform(spec, options.augment, channels_last=options.channels_last),
        eval_transform=eval_transform(spec, channels_last=options.channels_last),
        batch_size=share_of_batch(options.batch_size, world=world, accumulate=options.accumulate),
        accumulate=options.accumulate,
        workers=workers,
        seed=options.seed,
        cache_val=folders.val is not None and len(folders.val) * spec.bytes_per_image <= _CACHED_VALIDATION_BYTES,
        on_bad_image=options.on_bad_image,
    )
    return data


def _announce(options: TrainOptions, folders: DataFolders, header: Header, *, world: int) -> None:
    if folders.val is None:
        validation = "no validation"
    elif folders.held_out is None:
        validation = f"{len(folders.val)} for validation"
    else:
        validation = f"{len(folders.val)} held out for validation ({options.val_fraction:.0%} of every class)"
    _log.info(
        "Training %s%s%s%s on %s: %d images of %d classes, %s%s",
        header.network,
        f" with octave convolutions{' from the input on' * options.octave_input} (alpha {options.octave:g})"
        if options.octave
        else "",
        f" with norm {options.norm}" if options.norm != "batch" else "",
        " behind a gate" if options.gate else "",
        header.spec,
        len(folders.train),
        len(header.classes),
        validation,
        f"; {world} processes" if world > 1 else "",
    )
    macs = macs_per_image(header.network, header.spec, num_classes=len(header.classes), **header.arguments)
    _log.info("%s input bytes per image, %.3g GMACs", f"{header.spec.bytes_per_image:,}", macs / 1e9)


class _Meter(Callback):
    """Notes at which step this call has begun, and at which it has validated last."""

    def __init__(self) -> None:
        self.first_step = 0
        self.validated_step: int | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.first_step = trainer.global_step

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validated_step = trainer.global_step
