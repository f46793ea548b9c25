"""One training of one variant with one seed: what it is given, how it is trained, and what it says of every photo."""

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.flowers.variants import SIZES_PX, STD_FLOOR, Variant
from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.ablation import loss_increase
from freqlearn.pipelines.checkpoint import Checkpoint, load_checkpoint
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.costs import macs
from freqlearn.pipelines.data import ImageDataset
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.ranking import rank
from freqlearn.pipelines.stats import stats
from freqlearn.pipelines.training import train

NETWORK = "resnet18"
TOP = 24
BATCH_SIZE = 32
LR = 1e-3
RESULT = "result.json"

_log = logging.getLogger("freqlearn")


@dataclass(frozen=True)
class Experiment:
    """Where the photos are, where results go, and how long to train.

    Attributes:
        data: Folder with train/CLASS and val/CLASS.
        output: Folder for specs, rankings, checkpoints and results.
        epochs: Of every training.
        progress: Show progress bars.
    """

    data: Path
    output: Path
    epochs: int
    progress: bool = False

    def folder(self, variant: Variant, seed: int) -> Path:
        """Where one training writes."""
        return self.output / f"seed-{seed}" / variant.name

    def ranking(self, method: str, seed: int) -> Path:
        """Where a ranking is written."""
        return self.output / f"seed-{seed}" / f"ranking-{method}"

    def result(self, variant: Variant, seed: int) -> dict[str, Any] | None:
        """What came of a training, or None if it has not come to its end."""
        return read_result(self.folder(variant, seed))

    def spec(self, group: str) -> Path:
        """Mean and standard deviation of all 192 channels over the training photos, measured at the first call."""
        size_px = SIZES_PX[group]
        path = self.output / f"spec-{size_px}.json"
        if not path.is_file():
            stats(self.data / "train", path, size_px=size_px, progress=self.progress)
        return path


def run(experiment: Experiment, variant: Variant, seed: int) -> None:
    """Train a variant unless its result is there, or another process is at it; resumes what was interrupted."""
    folder = experiment.folder(variant, seed)
    facts = {"variant": variant.name, "seed": seed, "epochs": experiment.epochs}
    with to_do(folder) as begin:
        if begin:
            _log.info("%s, seed %d", variant.label, seed)
            _train(experiment, variant, seed, folder)
            finish(folder, experiment.data / "val", facts)


def read_result(folder: Path) -> dict[str, Any] | None:
    """What `finish` wrote into a training's folder, or None if it has not come to its end."""
    path = folder / RESULT
    return json.loads(path.read_text()) if path.is_file() else None


def finish(folder: Path, val: Path, facts: Mapping[str, Any]) -> None:
    """Write down what a training's last.ckpt says of every validation photo, and some facts."""
    result = _assess(load_checkpoint(folder / LAST), read_class_folder(val))
    atomic.write_text(folder / RESULT, json.dumps(result | dict(facts)) + "\n")


def _train(experiment: Experiment, variant: Variant, seed: int, folder: Path) -> None:
    given = _input(experiment, variant, seed)
    octave = {"octave": variant.octave, "octave_input": variant.octave_input}
    train(TrainOptions(**shared(experiment, folder, seed), **given, **octave, validate_every=experiment.epochs))


def shared(experiment: Experiment, folder: Path, seed: int) -> dict[str, Any]:
    """What every training is given, a ranking's too."""
    return {
        "data": experiment.data,
        "output": folder,
        "model": NETWORK,
        "epochs": experiment.epochs,
        "batch_size": BATCH_SIZE,
        "lr": LR,
        "workers": 0,
        "seed": seed,
        "resume": any(folder.rglob(LAST)),
        "progress": experiment.progress,
    }


def _input(experiment: Experiment, variant: Variant, seed: int) -> dict[str, Any]:
    """The options that say what a variant's network is given."""
    if variant.choice == "rgb":
        return {"input": "rgb", "size_px": SIZES_PX[variant.group] // 2}
    spec = {"spec": str(experiment.spec(variant.group))}
    match variant.choice:
        case "square":
            return {**spec, "channels": str(TOP)}
        case "all":
            return {**spec, "channels": "all"}
        case "dynamic":
            return {**spec, "channels": "all", "gate": True}
        case "floor":
            return {**spec, "channels": "all", "std_floor": STD_FLOOR}
        case "random":
            order = torch.randperm(192, generator=torch.Generator().manual_seed(seed))
            return {**spec, "channels": ",".join(map(str, sorted(order[:TOP].tolist())))}
        case _:
            ranking = importance(experiment, variant.choice, seed)
            return {**spec, "channels": str(ranking), "top": TOP}


def importance(experiment: Experiment, method: Literal["gate", "energy", "ablation"], seed: int) -> Path:
    """The folder of a ranking, made at the first call: by the gate, by energy, or by ablation of the model on all."""
    folder = experiment.ranking(method, seed)
    if (folder / "importance.json").is_file():
        return folder
    if method == "ablation":
        trained = load_checkpoint(experiment.folder(Variant("small", "all"), seed) / LAST)
        sample = read_class_folder(experiment.data / "train").sample(_ABLATION_PHOTOS, seed=seed)
        values = loss_increase(trained.model, _loader(sample, trained), channels=len(ChannelSet.all()))
        measured_on = {"folder": str(sample.root), "images": len(sample), "seed": seed}
        Importance(values, "ablation", measured_on).save(folder)
    else:
        spec = str(experiment.spec("small"))
        rank(RankOptions(**shared(experiment, folder, seed), method=method, spec=spec))
    return folder


# 193 passes through the network a photo. Training photos: what is chosen must not have seen those it is judged by.
_ABLATION_PHOTOS = 300


def _assess(trained: Checkpoint, val: ClassFolder) -> dict[str, Any]:
    """Which validation photos the model names correctly, and what it costs."""
    spec = trained.header.spec
    correct: list[int] = []
    switched_on: list[float] = []
    gate = dict(trained.model.named_children()).get("gate")
    with torch.inference_mode():
        for maps, labels in _loader(val, trained):
            correct += (trained.model(maps).argmax(dim=1) == labels).int().tolist()
            if gate is not None:
                switched_on += gate.last_mask.sum(dim=1).tolist()
    channels = float(np.mean(switched_on)) if switched_on else float(spec.in_channels)
    return {
        "accuracy": float(np.mean(correct)),
        "correct": correct,
        "channels": channels,
        "bytes_per_image": round(spec.bytes_per_image * channels / spec.in_channels),
        "macs": macs(trained.model, torch.zeros(1, spec.in_channels, spec.map_size, spec.map_size)),
        "input": None if spec.channels is None else list(spec.channels),
    }


def _loader(files: ClassFolder, trained: Checkpoint) -> ImageLoader:
    dataset = ImageDataset(files, eval_transform(trained.header.spec))
    return make_loader(dataset, batch_size=64, shuffle=False, num_workers=0)


@contextmanager
def to_do(folder: Path) -> Iterator[bool]:
    """Whether a training's folder, made here, has no result and no other process works in it; none begins meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield read_result(folder) is None
