"""`freqlearn detect train`: from COCO-format data to a checkpoint."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.checkpoint import Header
from freqlearn.pipelines.detection.average_precision import NOTHING_TO_FIND, AveragePrecision
from freqlearn.pipelines.detection.backbone import begin_with_backbone
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.datamodule import DetectionData
from freqlearn.pipelines.detection.inputs import choose_detection_spec, eval_transform, train_transform
from freqlearn.pipelines.detection.learner import Detector, GatedDetector
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.schedule import DetectionSchedule
from freqlearn.pipelines.detection.standardising import measured_detection_spec
from freqlearn.pipelines.processes import share_of_batch
from freqlearn.pipelines.running import Outcome, Task, run
from freqlearn.pipelines.starting import FREE_ON_RESUME
from freqlearn.spec import InputSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectionTraining(Outcome):
    """What came of a training of a detector.

    Attributes:
        masks: Whether it finds masks.
    """

    masks: bool

    @property
    def average_precision(self) -> float | None:
        """AP of the checkpoint, 0 to 1: of masks if it finds any, else of boxes; None without validation."""
        return self.score

    def __str__(self) -> str:
        kind = "mask" if self.masks else "box"
        if self.score is None:
            return super().__str__()
        score = "unknown: nothing to find in its images" if self.score == NOTHING_TO_FIND else f"{self.score:.3f}"
        return f"{super().__str__()}, validation {kind} AP {score}"


def train_detector(options: DetectOptions, *, callbacks: Sequence[Callback] = ()) -> DetectionTraining:
    """Train a detector on a COCO-format data set.

    Writes last.ckpt, best.ckpt, config.yaml and logs/ (CSV and TensorBoard) to the output folder. The caller's random
    state is left as it was. Where several processes train together, each calls this; the first one writes.

    Args:
        options: What to train, on what, and how.
        callbacks: Further Lightning callbacks.

    Raises:
        ImportError: If pycocotools is missing.
        ValueError: For a mistake in the options or the data.
        FailedElsewhere: In a process other than the first, if the first one could not begin.
        KeyboardInterrupt: On Ctrl-C, after the state was saved; the message says how to go on.
    """
    return DetectionTraining(**vars(run(_Detection, options, callbacks=callbacks)), masks=options.masks)


class _Detection(Task[DetectOptions]):
    """The detection of what a COCO JSON file says is in images."""

    detects = True
    # The files may lie elsewhere: their fingerprint says whether they are the same. A backbone is needed once.
    free_on_resume = FREE_ON_RESUME | {"images", "annotations", "val_images", "val_annotations", "backbone"}

    def __init__(self, options: DetectOptions) -> None:
        self.options = options
        self.monitor = f"val/{'mask' if options.masks else 'box'}_AP"
        self.gated = options.gate
        self.train, self.val, self.held_out = open_folders(options)
        self.files, self.root = self.train, options.annotations
        self.validates = self.val is not None
        self.precision = None if self.val is None else AveragePrecision(self.val, masks=options.masks)
        spec = choose_detection_spec(options)
        options.check_target(spec.in_channels, gate=options.gate)
        self.output = options.output or Path("runs") / f"{options.model}-{_input_name(spec)}"
        if options.backbone is not None and not options.resume:  # a mistake is said now, and not after measuring
            with torch.random.fork_rng(devices=[]):
                self._with_backbone(self._header(spec, {}).build())
        self._data(spec, workers=0, batch_size=1)

    def usual_options(self) -> dict[str, Any]:
        return DetectOptions(images=Path(), annotations=Path()).plain()

    def chosen_spec(self) -> InputSpec:
        return choose_detection_spec(self.options)

    def fresh_header(self, plain: dict[str, Any]) -> Header:
        options = self.options
        spec = choose_detection_spec(options)
        if options.spec is None and spec.kind == "dct":
            spec, _ = measured_detection_spec(
                spec,
                self.train,
                images=options.stats_images,
                min_size=options.min_size,
                max_size=options.max_size,
                seed=options.seed,
                constant="refuse" if options.std_floor is None else "keep",  # the floor takes care of it
                on_bad_image=options.on_bad_image,
                output=self.output,
            )
            spec = spec if options.std_floor is None else spec.with_std_floor(options.std_floor)
        facts = {"files": len(self.train), "fingerprint": self.train.fingerprint()}
        return self._header(spec, {**plain, **facts, "category_ids": list(self.train.category_ids)})

    def _header(self, spec: InputSpec, training: dict[str, Any]) -> Header:
        return Header(
            network=self.options.model,
            arguments=self.options.network_arguments(),
            spec=spec,
            classes=self.train.classes,
            training=training,
            held_out=self.held_out,
        )

    def begin_with(self, model: nn.Module) -> None:
        if (done := self._with_backbone(model)) is not None:
            _log.info("%s", done)

    def _with_backbone(self, model: nn.Module) -> str | None:
        options = self.options
        if options.backbone is None:
            return None
        norm = options.network_arguments()["norm"]
        return begin_with_backbone(cast(FrequencyRCNN, model), options.backbone, name=options.model, norm=norm)

    def data(self, spec: InputSpec, *, workers: int, world: int) -> DetectionData:
        options = self.options
        batch_size = share_of_batch(options.batch_size, world=world, accumulate=options.accumulate)
        return self._data(spec, workers=workers, batch_size=batch_size)

    def _data(self, spec: InputSpec, *, workers: int, batch_size: int) -> DetectionData:
        options = self.options
        return DetectionData(
            self.train,
            self.val,
            train_transform=train_transform(spec, options),
            eval_transform=eval_transform(spec, options),
            masks=options.masks,
            batch_size=batch_size,
            accumulate=options.accumulate,
            workers=workers,
            seed=options.seed,
            on_bad_image=options.on_bad_image,
        )

    def learner(self, model: nn.Module, header: Header, *, steps: int, steps_per_epoch: int) -> Detector:
        options = self.options
        milestones = options.milestones
        shared: dict[str, Any] = {
            "precision": self.precision,
            "optimisation": DetectionSchedule(
                optimizer=options.optimizer,
                lr=options.lr,
                weight_decay=options.weight_decay,
                momentum=options.momentum,
                nesterov=False,
                warmup=options.warmup,
                warmup_steps=options.warmup_steps,
                schedule=options.schedule,
                milestones=None if milestones is None else tuple(epoch * steps_per_epoch for epoch in milestones),
            ),
            "steps": steps,
            "header": header.to_dict(),
            "seed": options.seed,
            "channels_last": options.channels_last,
        }
        if options.gate:
            return GatedDetector(model, **options.gate_arguments(), **shared)
        return Detector(cast(FrequencyRCNN, model), **shared)

    def announce(self, header: Header, *, world: int) -> None:
        options = self.options
        if self.val is None:
            validation = "no validation"
        elif self.held_out is None:
            validation = f"{len(self.val)} for validation"
        else:
            validation = f"{len(self.val)} held out for validation ({options.val_fraction:.0%})"
        _log.info(
            "Training %s%s on %s, pictures of %d px (at most %d): %d images of %d classes, %s%s",
            header.network,
            " behind a gate" if options.gate else "",
            header.spec,
            options.min_size,
            options.max_size,
            len(self.train),
            len(header.classes),
            validation,
            f"; {world} processes" if world > 1 else "",
        )


def open_folders(options: DetectOptions) -> tuple[CocoFolder, CocoFolder | None, dict[str, str | float | int] | None]:
    """Training images, validation images, and what was held out for them, see `DataFolders`."""
    check_files = options.on_bad_image == "error"
    whole = CocoFolder(options.images, options.annotations, check_files=check_files)
    if options.first is not None:
        whole = whole.first(options.first)
    train, val = whole, None
    held_out: dict[str, str | float | int] | None = None
    if options.val_annotations is not None:
        images = options.images if options.val_images is None else options.val_images
        val = CocoFolder(images, options.val_annotations, check_files=check_files)
        val = val if options.val_first is None else val.first(options.val_first)
    elif options.val_fraction:
        train, val = whole.split(options.val_fraction, seed=options.seed)
        held_out = {"fraction": options.val_fraction, "seed": options.seed, "fingerprint": whole.fingerprint()}
    if val is not None and not _has_objects(val):
        raise ValueError(
            f"{val.annotations_json}: expected validation images with something to find, got none in {len(val)}; "
            "give others (val_annotations, or another val_fraction or seed), or val_fraction 0 for no validation"
        )
    train = train if options.keep_empty else train.annotated()
    return train, None if val is None else val.relabelled(train.classes), held_out


def _has_objects(folder: CocoFolder) -> bool:
    """Whether anything but crowds is annotated: without, all checkpoints would be equally good."""
    return any(not entry["iscrowd"] for index in range(len(folder)) for entry in folder.annotations(index))


def _input_name(spec: InputSpec) -> str:
    return "rgb" if spec.channels is None else spec.channels.name
