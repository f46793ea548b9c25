"""Mask R-CNN learns the eight photos with the lowest ids by heart, from frequency channels and from RGB.

    python -m benchmarks.detection [--inputs dct24 rgb] [--seeds 0] [--epochs 80] [--output runs/detection] [--page]

Whether everything from the file to average precision fits together: a detector that cannot learn eight photos learns
nothing. From random weights, at most 320 px, photos and boxes of $FREQLEARN_DATA/coco-seg; average precision on those
eight. Frequency channels and RGB differ in the input and the first layers alone. It may be interrupted and started
again; several may run at once (with OMP_NUM_THREADS=1 each), and share the work. With --page nothing is trained: what
is finished goes into docs/detection.md and docs/results/detection.json.
"""

import argparse
import csv
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from benchmarks.flowers.running import RESULT, read_result, to_do
from benchmarks.page import rewritten
from benchmarks.report import machine, table, write
from freqlearn import atomic
from freqlearn.pipelines.bench.report import Section
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.detection.costs import detector_cost
from freqlearn.pipelines.detection.evaluating import evaluate_detector
from freqlearn.pipelines.detection.loading import load_detector
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.training import train_detector

PHOTOS = 8
MIN_SIZE, MAX_SIZE = 240, 320
INPUTS: dict[str, dict[str, Any]] = {"dct24": {"channels": "24"}, "rgb": {"input": "rgb"}}
_TITLES = {"dct24": "DCT-24", "rgb": "RGB"}

WANTED = {"boxes": 0.7, "masks": 0.6}
"""AP50 that a detector must reach that works."""

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "detection.md"

_log = logging.getLogger("freqlearn")


@dataclass(frozen=True)
class Experiment:
    """Where the photos are, where results go, and how long to train.

    Attributes:
        data: Folder with images/ and instances.json.
        output: Folder for checkpoints and results.
        epochs: Of every training.
    """

    data: Path
    output: Path
    epochs: int

    def folder(self, input_: str, seed: int) -> Path:
        """Where one training writes."""
        return self.output / input_ / f"seed-{seed}"

    def options(self, input_: str, seed: int) -> DetectOptions:
        """What one training is given."""
        folder = self.folder(input_, seed)
        annotations = self.data / "instances.json"
        return DetectOptions(
            **INPUTS[input_],
            images=self.data / "images",
            annotations=annotations,
            first=PHOTOS,
            val_annotations=annotations,  # the same eight: this is about learning by heart
            val_first=PHOTOS,
            output=folder,
            model="maskrcnn_resnet18_fpn",
            min_size=MIN_SIZE,
            max_size=MAX_SIZE,
            augment="none",
            norm="batch",
            min_anchor=16,
            proposals=250,
            rois=64,
            detections=50,
            epochs=self.epochs,
            batch_size=2,
            lr=1e-3,
            validate_every=20,
            workers=0,
            seed=seed,
            resume=(folder / LAST).is_file(),
            progress=False,
        )


class StepTimes(Callback):
    """Processor time of every training step: forward, backward and the optimizer's, without loading.

    Of the processor and not the clock's, so that a machine that others use too gives the same numbers.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Begin to count."""
        self._begin = time.process_time()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep it."""
        self.seconds.append(time.process_time() - self._begin)


def run(experiment: Experiment, input_: str, seed: int) -> None:
    """Train and evaluate, unless the result is there or another process is at it; resumes what was interrupted."""
    folder = experiment.folder(input_, seed)
    with to_do(folder) as begin:
        if not begin:
            return
        _log.info("%s, seed %d", input_, seed)
        options, times = experiment.options(input_, seed), StepTimes()
        training = train_detector(options, callbacks=[times])
        checkpoint = folder / LAST
        found = evaluate_detector(
            checkpoint, options.images, options.annotations, first=PHOTOS, workers=0, progress=False
        )
        if found.masks is None:
            raise RuntimeError(f"{checkpoint}: expected masks, got none")
        result = {
            "input": input_,
            "seed": seed,
            "steps": training.steps,
            "batch_size": options.batch_size,
            "lr": options.lr,
            "boxes": dict(found.boxes),
            "masks": dict(found.masks),
            "per_category": {name: dict(values) for name, values in found.per_category.items()},
            "bytes_per_image": found.bytes_per_image,
            "step_seconds": median(times.seconds) if times.seconds else None,
            "macs": _macs(checkpoint),
            "machine": machine(),
        }
        atomic.write_text(folder / RESULT, json.dumps(result) + "\n")


def _macs(checkpoint: Path) -> dict[str, int]:
    """Of an evaluation of one photo of 320x240 px, by part, with as many regions as the detector lets through."""
    loaded, model = load_detector(checkpoint)
    cost = detector_cost(model, loaded.header.spec, picture_px=(MIN_SIZE, MAX_SIZE))
    return {**asdict(cost), "total": cost.total}


def results(experiment: Experiment, inputs: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """What is finished, with the average precision on the way."""
    folders = [experiment.folder(input_, seed) for input_ in inputs for seed in seeds]
    found = [(read_result(folder), curve(folder)) for folder in folders]
    return [result | {"curve": way} for result, way in found if result is not None]


def curve(folder: Path) -> list[dict[str, float]]:
    """AP50 of each validation of a training, by the epochs until then."""
    logs = sorted(folder.glob("logs/version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1]))
    rows = [row for path in logs for row in csv.DictReader(path.open()) if row.get("val/box_AP50")]
    found = {int(row["epoch"]) + 1: {kind: float(row[f"val/{kind}_AP50"]) for kind in ("box", "mask")} for row in rows}
    return [{"epochs": epochs, **found[epochs]} for epochs in sorted(found)]


def rows(found: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The same for people."""
    return [
        {
            "input": _TITLES[result["input"]],
            "seed": str(result["seed"]),
            "steps": str(result["steps"]),
            "box AP50, %": f"{100 * result['boxes']['AP50']:.1f}",
            "box AP, %": f"{100 * result['boxes']['AP']:.1f}",
            "mask AP50, %": f"{100 * result['masks']['AP50']:.1f}",
            "mask AP, %": f"{100 * result['masks']['AP']:.1f}",
            "processor s a step": "-" if result["step_seconds"] is None else f"{result['step_seconds']:.2f}",
            "bytes per image": f"{result['bytes_per_image']:,.0f}",
            "GMACs": f"{result['macs']['total'] / 1e9:.2f}",
        }
        for result in found
    ]


def curve_rows(found: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """AP50 of boxes and masks on the way, for people."""
    return [
        {"input": _TITLES[result["input"]], "seed": str(result["seed"]), "AP50, %": kind}
        | {f"{at['epochs']} epochs": f"{100 * at[kind]:.1f}" for at in result["curve"]}
        for result in found
        for kind in ("box", "mask")
    ]


def missed(found: Sequence[dict[str, Any]]) -> list[str]:
    """What is below WANTED, in words."""
    return [
        f"{result['input']}, seed {result['seed']}: AP50 of {kind} {result[kind]['AP50']:.3f}, wanted {least}"
        for result in found
        for kind, least in WANTED.items()
        if result[kind]["AP50"] < least
    ]


def main() -> int:
    """Train what is missing; 1 if a detector has not learned its photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", choices=INPUTS, nargs="+", default=list(INPUTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--output", type=Path, default=Path("runs") / "detection")
    parser.add_argument("--page", action="store_true", help=f"only write what is finished into {_PAGE.name}")
    options = parser.parse_args()
    data = os.environ.get("FREQLEARN_DATA")
    if not data or not (Path(data) / "coco-seg" / "instances.json").is_file():
        sys.exit("set FREQLEARN_DATA to a folder with coco-seg/images and coco-seg/instances.json")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    experiment = Experiment(Path(data) / "coco-seg", options.output, options.epochs)
    if not options.page:
        for seed in options.seeds:
            for input_ in options.inputs:
                run(experiment, input_, seed)
    found = results(experiment, options.inputs, options.seeds)
    print(table(rows(found)) if found else "nothing is finished")
    for line in missed(found):
        print(line)
    if options.page:
        tables = {"detection": rows(found), "detection-curve": curve_rows(found)}
        markdown = {name: Section(name, "", table_rows).markdown() for name, table_rows in tables.items()}
        _PAGE.write_text(rewritten(_PAGE.read_text(), markdown))
        facts = {"trained_with": "python -m benchmarks.detection", "rows": found}
        print(f"written: {_PAGE}, {write('detection', facts, folder=_PAGE.parent / 'results')}")
    else:
        print(f"written: {write('detection', {'rows': found})}")
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
