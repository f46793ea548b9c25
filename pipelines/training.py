"""`freqlearn train`: from a folder of images to a checkpoint."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.dali.graph import load_dali
from freqlearn.pipelines.datamodule import ImageData
from freqlearn.pipelines.gate_ranking import GatedClassifier
from freqlearn.pipelines.inputs import choose_spec, eval_transform, is_standardised, measured_spec, train_transform
from freqlearn.pipelines.learner import Optimisation
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.networks import build_network, check_instance_norm
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.processes import share_of_batch
from freqlearn.pipelines.run_data import DataFolders, open_run_data
from freqlearn.pipelines.running import Outcome, Task, run
from freqlearn.pipelines.shards import ShardSet
from freqlearn.pipelines.starting import FREE_ON_RESUME
from freqlearn.spec import InputSpec
from freqlearn.statistics import Constant

# Validation inputs are the same in every epoch: so little is kept in memory instead of being decoded again.
_CACHED_VALIDATION_BYTES = 1 << 28

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainResult(Outcome):
    """What came of a training of a classifier."""

    @property
    def accuracy(self) -> float | None:
        """Share of validation files that the checkpoint classifies correctly; None without validation."""
        return self.score

    def __str__(self) -> str:
        return super().__str__() + ("" if self.accuracy is None else f", validation accuracy {self.accuracy:.2%}")


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
    return TrainResult(**vars(run(_Classification, options, callbacks=callbacks)))


class _Classification(Task[TrainOptions]):
    """The classification of the images of class folders or shards."""

    monitor = "val/accuracy"
    # The files may lie elsewhere: their fingerprint says whether they are the same.
    free_on_resume = FREE_ON_RESUME | {"data", "train_shards", "val_shards", "classes", "train_images", "val_images"}

    def __init__(self, options: TrainOptions) -> None:
        self.options = options
        self.folders = open_run_data(options)
        self.files, self.root = self.folders.train, self.folders.train.root
        self.validates = self.folders.val is not None
        self.gated = options.gate
        self.skips = options.loader == "native"  # DALI cannot
        self._check()
        self.output = _output_folder(options, self.folders)

    def _check(self) -> None:
        options = self.options
        if not self.skips:
            load_dali()
            if isinstance(self.folders.train, ShardSet):
                raise ValueError(f"loader {options.loader} reads folders of files, and no shards; use loader native")
        spec = choose_spec(options, self.folders.packed)
        self.folders.check_spec(spec)
        with torch.device("meta"):  # costs nothing there
            network = build_network(
                options.model, spec, num_classes=len(self.folders.train.classes), **options.network_arguments()
            )
            check_instance_norm(network, spec)
        options.check_target(spec.in_channels, gate=options.gate)

    def usual_options(self) -> dict[str, Any]:
        return TrainOptions(data=Path()).plain()

    def chosen_spec(self) -> InputSpec:
        return self._floored(choose_spec(self.options, self.folders.packed))

    def fresh_header(self, plain: dict[str, Any]) -> Header:
        files, options = self.folders.train, self.options
        return Header(
            network=options.model,
            arguments=options.network_arguments(),
            spec=self._standardised(),
            classes=files.classes,
            training={**plain, "files": len(files), "fingerprint": files.fingerprint()},
            held_out=self.folders.held_out,
        )

    def _standardised(self) -> InputSpec:
        options = self.options
        spec = choose_spec(options, self.folders.packed)
        if options.spec is None and spec.kind == "dct" and not is_standardised(spec):  # a packed set's own may be
            constant: Constant = "refuse" if options.std_floor is None else "keep"  # the floor takes care of it
            spec, _ = measured_spec(
                spec,
                self.folders.train,
                images=options.stats_images,
                seed=options.seed,
                constant=constant,
                on_bad_image=options.on_bad_image,
                output=self.output,
            )
        return self._floored(spec)

    def _floored(self, spec: InputSpec) -> InputSpec:
        return spec if self.options.std_floor is None else spec.with_std_floor(self.options.std_floor)

    def data(self, spec: InputSpec, *, workers: int, world: int) -> ImageData:
        options, folders = self.options, self.folders
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

    def learner(self, model: nn.Module, header: Header, *, steps: int, steps_per_epoch: int) -> Classifier:
        options, mixing = self.options, None
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
            ),
            "label_smoothing": options.label_smoothing,
            "steps": steps,
            "header": header.to_dict(),
            "seed": options.seed,
            "mixing": mixing,
            "channels_last": options.channels_last,
        }
        return (
            GatedClassifier(model, **options.gate_arguments(), **shared)
            if options.gate
            else Classifier(model, **shared)
        )

    def announce(self, header: Header, *, world: int) -> None:
        options, folders = self.options, self.folders
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
        if folders.packed is not None and folders.packed.is_pruned and options.augment == "standard":
            _log.info(
                "The packed files carry %s alone: random crops, which resize them once more, lack what other channels "
                "would give; evaluation does not",
                folders.packed.channels,
            )
        macs = macs_per_image(header.network, header.spec, num_classes=len(header.classes), **header.arguments)
        _log.info("%s input bytes per image, %.3g GMACs", f"{header.spec.bytes_per_image:,}", macs / 1e9)


def _output_folder(options: TrainOptions, folders: DataFolders) -> Path:
    """Where a training writes: the folder asked for, or runs/MODEL-INPUT."""
    if options.output is not None:
        return options.output
    channels = choose_spec(options, folders.packed).channels
    return Path("runs") / f"{options.model}-{'rgb' if channels is None else channels.name}"
