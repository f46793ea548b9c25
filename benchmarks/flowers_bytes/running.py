"""One training on a copy of the photos, and one evaluation of a model on a copy: what it says of every photo."""

import json
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.flowers.running import TOP, Experiment, finish, run, shared, to_do
from benchmarks.flowers.variants import SIZES_PX, Variant
from benchmarks.flowers_bytes.copies import Copy
from benchmarks.packing.errors import Errors
from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.data import ImageDataset
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.training import train
from freqlearn.spec import InputSpec

_log = logging.getLogger("freqlearn")


def model_folder(experiment: Experiment, copy: Copy, seed: int) -> Path:
    """Where a training on a copy writes; on the originals it is `benchmarks.flowers`' own."""
    variant = Variant(copy.group, "square")
    name = variant.name if copy.kind == "original" else f"{variant.name}-on-{copy.name}"
    return experiment.output / f"seed-{seed}" / name


def train_on(experiment: Experiment, copy: Copy, seed: int) -> None:
    """Train on a copy's photos unless the result is there, or another process is at it; resumes what was interrupted.

    Everything but the photos is as in the training on the originals, the mean and std of the channels too.
    """
    if copy.kind == "original":
        run(experiment, Variant(copy.group, "square"), seed)
        return
    folder = model_folder(experiment, copy, seed)
    with to_do(folder) as begin:
        if not begin:
            return
        _log.info("%s, %d px, seed %d", copy.label, SIZES_PX[copy.group], seed)
        spec = folder / "spec.json"
        copy.seen_by(InputSpec.load(experiment.spec(copy.group))).save(spec)
        options = shared(experiment, folder, seed) | {"data": copy.folder(experiment)}
        train(TrainOptions(**options, spec=str(spec), channels=str(TOP), validate_every=experiment.epochs))
        facts = {"variant": folder.name, "seed": seed, "epochs": experiment.epochs}
        finish(folder, copy.folder(experiment) / "val", facts)


def is_trained(experiment: Experiment, copy: Copy, seed: int) -> bool:
    """Whether a training has come to its end."""
    return (model_folder(experiment, copy, seed) / "result.json").is_file()


def correct(experiment: Experiment, trained_on: Copy, judged_on: Copy, seed: int) -> NDArray[np.float64]:
    """Which of a copy's validation photos a model names correctly; evaluated at the first call.

    Args:
        experiment: Where everything lies.
        trained_on: The copy that the model has been trained on.
        judged_on: The copy that is evaluated, of the same group.
        seed: Of the training.

    Returns:
        (photos,) 0 or 1, in the order of the folder.
    """
    folder = model_folder(experiment, trained_on, seed)
    known = folder / f"on-{judged_on.name}.json"
    if not known.is_file():
        trained = load_checkpoint(folder / LAST)
        transform = eval_transform(judged_on.seen_by(trained.header.spec))
        dataset = ImageDataset(read_class_folder(judged_on.folder(experiment) / "val"), transform)
        found: list[int] = []
        with torch.inference_mode():
            for maps, labels in make_loader(dataset, batch_size=64, shuffle=False, num_workers=0):
                found += (trained.model(maps).argmax(dim=1) == labels).int().tolist()
        _log.info("%s on %s, seed %d: %.1f %%", folder.name, judged_on.name, seed, 100 * float(np.mean(found)))
        atomic.write_text(known, json.dumps({"correct": found}) + "\n")
    return np.array(json.loads(known.read_text())["correct"], dtype=np.float64)


def channel_error(experiment: Experiment, copy: Copy) -> float:
    """How far off the model's channels are in a copy's validation photos; measured at the first call.

    Returns:
        The root mean square over DCT-24 of each channel's relative error: see `Errors.relative`.
    """
    known = experiment.output / "copies" / f"error-{copy.name}-{SIZES_PX[copy.group]}.json"
    if not known.is_file():
        spec = copy.seen_by(InputSpec.load(experiment.spec(copy.group)).select(ChannelSet.square(TOP)))
        evaluate = eval_transform(spec)
        originals = read_class_folder(experiment.data / "val")
        errors = Errors()
        for path in originals.paths():
            errors.add(evaluate(copy.folder(experiment) / "val" / path.relative_to(originals.root)), evaluate(path))
        atomic.write_text(known, json.dumps(float(np.sqrt(np.mean(errors.relative**2)))) + "\n")
    return float(json.loads(known.read_text()))
