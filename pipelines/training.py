"""`freqlearn train`: from a folder of images to a checkpoint."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from freqlearn import atomic
from freqlearn.pipelines.checkpoint import Header, read_header
from freqlearn.pipelines.checkpoint_files import newest_state
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.datamodule import ImageData
from freqlearn.pipelines.folders import ClassFolder, DataFolders, open_data
from freqlearn.pipelines.inputs import choose_spec, eval_transform, measured_spec, train_transform
from freqlearn.pipelines.module import Classifier, Optimisation
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.trainer import BEST, LAST, make_trainer, quiet_lightning
from freqlearn.spec import InputSpec

CONFIG = "config.yaml"

# Two runs that differ in one of these are not the same run at a later time. The learning rate is among them because the
# restored optimizer brings its own. More epochs are allowed: the schedule is then stretched over them.
_SAME_ON_RESUME = (
    "model",
    "input",
    "channels",
    "top",
    "spec",
    "size_px",
    "resize_px",
    "stage2_stride",
    "augment",
    "batch_size",
    "optimizer",
    "lr",
    "weight_decay",
    "warmup",
    "label_smoothing",
    "val_fraction",
    "stats_images",
    "seed",
)

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


def train(options: TrainOptions, *, callbacks: Sequence[Callback] = ()) -> TrainResult:
    """Train a classifier on a folder of images.

    Writes last.ckpt, best.ckpt, config.yaml and logs/ (CSV and TensorBoard) to the output folder. The caller's random
    state is left as it was.

    Args:
        options: What to train, on what, and how.
        callbacks: Further Lightning callbacks.

    Raises:
        ValueError: For a mistake in the options or the data.
        KeyboardInterrupt: On Ctrl-C, after the state was saved; the message says how to go on.
    """
    folders = open_data(options.data, val_fraction=options.val_fraction, seed=options.seed)
    header, output, state = _resumed(options, folders) if options.resume else _fresh(options, folders)
    with divided_cores(options.workers) as workers, torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = header.build()
        data = _image_data(options, folders, header.spec, workers=workers)
        steps = options.epochs * data.batches_per_epoch
        classifier = Classifier(
            model,
            num_classes=len(header.classes),
            optimisation=Optimisation(
                optimizer=options.optimizer,
                lr=options.lr,
                weight_decay=options.weight_decay,
                warmup=options.warmup,
                label_smoothing=options.label_smoothing,
            ),
            steps=steps if options.max_steps is None else min(steps, options.max_steps),
            header=header.to_dict(),
            seed=options.seed,
        )
        meter = _Meter()
        trainer = make_trainer(
            epochs=options.epochs,
            max_steps=options.max_steps,
            output=output,
            monitor="val/accuracy" if folders.val is not None else None,
            precision=options.precision,
            accelerator=options.accelerator,
            callbacks=[meter, *callbacks],
            progress=options.progress,
        )
        _announce(options, folders, header)
        begin = time.perf_counter()
        with quiet_lightning(output):
            trainer.fit(classifier, data, ckpt_path=state, weights_only=True)
            accuracy = _best_accuracy(trainer, classifier, data, output)
    return TrainResult(
        checkpoint=output / (LAST if accuracy is None else BEST),
        accuracy=accuracy,
        spec=header.spec,
        classes=header.classes,
        steps=trainer.global_step,
        images=(trainer.global_step - meter.first_step) * min(options.batch_size, len(folders.train)),
        seconds=time.perf_counter() - begin,
    )


def output_folder(options: TrainOptions, spec: InputSpec) -> Path:
    """Where a training writes: the folder asked for, or runs/MODEL-INPUT."""
    if options.output is not None:
        return options.output
    return Path("runs") / f"{options.model}-{'rgb' if spec.channels is None else spec.channels.name}"


def _fresh(options: TrainOptions, folders: DataFolders) -> tuple[Header, Path, None]:
    spec = choose_spec(options)
    output = output_folder(options, spec)
    _refuse_used(output)
    output.mkdir(parents=True, exist_ok=True)  # before the files are measured, which takes time
    if options.spec is None and spec.kind == "dct":
        spec, _ = measured_spec(spec, folders.train, images=options.stats_images, seed=options.seed)
    plain = options.plain() | {"output": str(output)}
    atomic.write_text(output / CONFIG, yaml.safe_dump(plain, sort_keys=False))
    header = Header(
        network=options.model,
        arguments={"stage2_stride": options.stage2_stride},
        spec=spec,
        classes=folders.train.classes,
        training={**plain, "files": len(folders.train), "fingerprint": folders.train.fingerprint()},
        held_out=folders.held_out,
    )
    return header, output, None


def _resumed(options: TrainOptions, folders: DataFolders) -> tuple[Header, Path, Path]:
    """What the model is, where the run writes, and the checkpoint to go on from."""
    output = options.output or output_folder(options, choose_spec(options))
    last = newest_state(output)
    header = read_header(last)
    for name in _SAME_ON_RESUME:
        before, now = header.training.get(name), options.plain()[name]
        if before != now:
            raise ValueError(
                f"{last}: was trained with {name} {before}, and now {name} is {now}; a resumed run keeps its options: "
                f"use --config {output / CONFIG}"
            )
    check_same_files(header, folders.train, last)
    return header, output, last


def check_same_files(header: Header, files: ClassFolder, checkpoint: Path) -> None:
    """Raise ValueError if these are not the files that a checkpoint, whose header is given, was trained on."""
    if header.training.get("fingerprint") != files.fingerprint():
        raise ValueError(
            f"{files.root}: not the {header.training.get('files')} files that {checkpoint} was trained on; a resumed "
            "run needs the same ones"
        )


def _refuse_used(output: Path) -> None:
    if (output / LAST).exists() or (output / BEST).exists():
        raise ValueError(f"{output}: holds the checkpoints of another run; resume that one, or choose another output")


def _image_data(options: TrainOptions, folders: DataFolders, spec: InputSpec, *, workers: int) -> ImageData:
    return ImageData(
        folders.train,
        folders.val,
        train_transform=train_transform(spec, options.augment),
        eval_transform=eval_transform(spec),
        batch_size=options.batch_size,
        workers=workers,
        seed=options.seed,
        cache_val=folders.val is not None and len(folders.val) * spec.bytes_per_image <= _CACHED_VALIDATION_BYTES,
    )


def _announce(options: TrainOptions, folders: DataFolders, header: Header) -> None:
    if folders.val is None:
        validation = "no validation"
    elif folders.held_out is None:
        validation = f"{len(folders.val)} for validation"
    else:
        validation = f"{len(folders.val)} held out for validation ({options.val_fraction:.0%} of every class)"
    _log.info(
        "Training %s on %s: %d images of %d classes, %s",
        header.network,
        header.spec,
        len(folders.train),
        len(header.classes),
        validation,
    )


class _Meter(Callback):
    """Counts the steps of this call, which are fewer than the run's if it was resumed."""

    def __init__(self) -> None:
        self.first_step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.first_step = trainer.global_step


def _best_accuracy(trainer: L.Trainer, classifier: Classifier, data: ImageData, output: Path) -> float | None:
    """Accuracy of best.ckpt; validates first if the last epoch's validation is missing (Ctrl-C stopped it)."""
    if data.val_set is None:
        return None
    scores = [c.best_model_score for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
    best = float(scores[0]) if scores and scores[0] is not None else None
    if "val/accuracy" not in trainer.callback_metrics:
        metrics: Any = trainer.validate(classifier, data, verbose=False)
        accuracy = float(metrics[0]["val/accuracy"])
        if best is None or accuracy > best:
            trainer.save_checkpoint(output / BEST, weights_only=True)
            best = accuracy
    return best
