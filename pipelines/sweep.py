"""`freqlearn sweep-channels`: accuracy against the number of channels, from one ranking."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from freqlearn import atomic
from freqlearn.pipelines.checkpoint_files import has_state
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.inputs import choose_spec, read_spec
from freqlearn.pipelines.networks import default_size_px
from freqlearn.pipelines.options import ABOUT_THE_RUN, TrainOptions
from freqlearn.pipelines.ranking_task import SPEC
from freqlearn.pipelines.run_data import open_run_data
from freqlearn.pipelines.sweep_points import Point
from freqlearn.pipelines.sweep_report import Sweep
from freqlearn.pipelines.training import train
from freqlearn.pipelines.workflow_options import SweepOptions

POINT = "point.json"
"""In a finished training's folder: what came of it."""

_log = logging.getLogger(__name__)


def sweep(options: SweepOptions, *, callbacks: Sequence[Callback] = ()) -> Sweep:
    """Train with each number of channels and each seed, unless that was done; report what is there after each.

    Args:
        options: Which numbers, and how to train.
        callbacks: Further Lightning callbacks, of all trainings.

    Raises:
        ValueError: For a mistake in the options or the data, or if there is another sweep in the output folder.
        KeyboardInterrupt: On Ctrl-C, after the state was saved; resume goes on there.
    """
    importance = Importance.load(options.ranking)
    folders = open_run_data(options)
    if folders.val is None:
        raise ValueError("a sweep compares accuracies on validation files, and there are none; leave out val_fraction")
    _check_folder(options)
    trainings = list(_trainings(options))
    for training in trainings:
        choose_spec(training, folders.packed)  # a mistake in the last one is not to be found after hours
    result = Sweep(importance=importance, model=options.model, points=(), folder=options.folder)
    for number, training in enumerate(trainings, start=1):
        folder = training.output or options.folder
        point = _finished(folder, training)
        if point is None:
            if is_first_process():
                _log.info("%s: training %d of %d", folder.relative_to(options.folder), number, len(trainings))
            point = _train(replace(training, resume=has_state(folder)), folder, callbacks)
        result = replace(result, points=(*result.points, point))
        if is_first_process():
            result.save()
    return result


def _check_folder(options: SweepOptions) -> None:
    used = next((path.parent for path in options.folder.glob("*/seed-*/config.yaml")), None)
    if options.resume and used is None:
        raise ValueError(f"{options.folder}: holds no sweep to resume; leave out resume to start")
    if not options.resume and used is not None:
        raise ValueError(f"{options.folder}: holds another sweep ({used}); resume that one, or choose another output")


def _trainings(options: SweepOptions) -> Iterator[TrainOptions]:
    """All that are asked for: seed by seed, so that the first results span all numbers."""
    beside = (options.ranking if options.ranking.is_dir() else options.ranking.parent) / SPEC
    spec = options.spec or (str(beside) if beside.is_file() else None)
    for seed in range(options.seed, options.seed + options.seeds):
        if options.rgb:
            yield options.training(
                options.folder / "rgb" / f"seed-{seed}",
                seed=seed,
                input="rgb",
                stage2_stride=2,  # the baseline is torchvision's network
                octave=0.0,
                octave_input=False,
                spec=None,
                std_floor=None,
                size_px=options.rgb_size_px or _rgb_size_px(options, spec),
                resize_px=None,
                resume=False,
            )
        for count in options.counts:
            yield options.training(
                options.folder / f"top-{count}" / f"seed-{seed}",
                seed=seed,
                channels=str(options.ranking),
                top=count,
                spec=spec,
                resume=False,
            )


def _rgb_size_px(options: SweepOptions, spec: str | None) -> int:
    """The size that gives a network on pixels maps as large as those of the frequency channels, after its stem."""
    size_px = read_spec(spec).size_px if spec is not None else options.size_px
    size_px = size_px or default_size_px(options.model, "dct")
    return size_px // (4 if options.model == "mobilenet_v2" else 2)


def _finished(folder: Path, training: TrainOptions) -> Point | None:
    """What came of a training that was carried through, None if it was not.

    Raises:
        ValueError: If it was one of other options, or the file is damaged.
    """
    path = folder / POINT
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        before, point = dict(data["options"]), Point(**data["point"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected what came of a training ({error!r}); delete the file to train anew"
        ) from error
    for name, now in _plain(training).items():
        if before.get(name, now) != now:
            raise ValueError(
                f"{folder}: was trained with {name} {before[name]}, and now {name} is {now}; a resumed sweep keeps its "
                "options: choose another output"
            )
    return point


def _train(training: TrainOptions, folder: Path, callbacks: Sequence[Callback]) -> Point:
    last = _LastValidation()
    result = train(training, callbacks=[last, *callbacks])
    point = Point(
        input=result.spec.kind,
        channels=result.spec.in_channels,
        seed=training.seed,
        accuracy=last.accuracy,
        images=last.images,
        bytes_per_image=result.spec.bytes_per_image,
        macs=macs_per_image(
            training.model, result.spec, num_classes=len(result.classes), **training.network_arguments()
        ),
    )
    if is_first_process():
        document = {"point": asdict(point), "options": _plain(training)}
        atomic.write_text(folder / POINT, json.dumps(document, indent=1) + "\n")
    return point


class _LastValidation(Callback):
    """Notes the last epoch's accuracy.

    Not the best epoch's, which best.ckpt has: that was chosen by the same files, and is flattered by it.
    """

    def __init__(self) -> None:
        self.accuracy = 0.0
        self.images = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.accuracy = float(trainer.callback_metrics["val/accuracy"])
        self.images = round(float(trainer.callback_metrics["val/images"]))


def _plain(training: TrainOptions) -> dict[str, Any]:
    return {name: value for name, value in training.plain().items() if name not in ABOUT_THE_RUN}
