"""The three ways to rank: by the gate, by energy, by ablation."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn.pipelines.ablation import loss_increase
from freqlearn.pipelines.checkpoint import Header, load_checkpoint, read_header
from freqlearn.pipelines.datamodule import ImageData
from freqlearn.pipelines.energy import share_of_variance
from freqlearn.pipelines.folders import ClassFolder, DataFolders
from freqlearn.pipelines.gate_ranking import CollapseGuard, GatedClassifier, check_not_collapsed, mean_probability
from freqlearn.pipelines.inputs import eval_transform, train_transform
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.module import Optimisation
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.shards import ShardSet
from freqlearn.pipelines.trainer import LAST, device_of, make_trainer, quiet_lightning
from freqlearn.pipelines.training import check_same_files, train
from freqlearn.spec import InputSpec

SPEC = "spec.json"
"""File of the 192 channels' mean and standard deviation, in a ranking's folder."""

# Enough for a probability: its standard error over 5000 images is below 0.01.
_MOST_IMAGES = 5000

_log = logging.getLogger(__name__)

Measured = tuple[NDArray[np.float64], dict[str, Any]]
"""(192,) importances, and facts for `Importance.measured_on`."""


def by_energy(options: RankOptions, folders: DataFolders, variance: NDArray[np.float64]) -> Measured:
    """Rank by share of variance; needs no training."""
    facts = {} if options.spec is not None else {"images": min(len(folders.train), options.stats_images)}
    return share_of_variance(variance), facts


def by_gate(options: RankOptions, folders: DataFolders, spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
    """Train a gate in front of the network, then take each switch's mean probability over the training images."""
    header = Header(
        network=options.model,
        arguments={"gate": True},
        spec=spec,
        classes=folders.train.classes,
        training={**options.plain(), "files": len(folders.train), "fingerprint": folders.train.fingerprint()},
        held_out=folders.held_out,
    )
    output = options.folder
    data = ImageData(
        folders.train,
        None,
        train_transform=train_transform(spec, options.augment),
        eval_transform=eval_transform(spec),
        batch_size=options.batch_size,
        workers=options.workers or 0,
        seed=options.seed,
    )
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        classifier = GatedClassifier(
            header.build(),
            lambda_=options.lambda_,
            gate_lr=options.gate_lr,
            temperature=options.temperature,
            final_temperature=options.final_temperature,
            num_classes=len(header.classes),
            optimisation=Optimisation(optimizer="adam", lr=options.lr),
            steps=options.epochs * data.batches_per_epoch,
            header=header.to_dict(),
            seed=options.seed,
        )
        trainer = make_trainer(
            epochs=options.epochs,
            output=output,
            monitor=None,
            precision=options.precision,
            accelerator=options.accelerator,
            callbacks=[CollapseGuard(), *callbacks],
            progress=options.progress,
        )
        _log.info(
            "Training a gate in front of %s on %d images, %d epochs", options.model, len(folders.train), options.epochs
        )
        resumed = output / LAST if options.resume and (output / LAST).is_file() else None
        if resumed is not None:
            check_same_files(read_header(resumed), folders.train, resumed)
        with quiet_lightning(output):
            trainer.fit(classifier, data, ckpt_path=resumed, weights_only=True)
            facts = _accuracy(trainer, classifier, folders.val, options, spec)
        sample = folders.train.sample(_MOST_IMAGES, seed=options.seed)
        probability = mean_probability(classifier.gate, _loader(sample, options, spec))
    check_not_collapsed(probability, price=float(classifier.price), step=trainer.global_step)
    _warn_of_doubt(probability, options.top)
    facts |= {"images": len(sample), "lambda": options.lambda_, "lambda at the end": float(classifier.price)}
    return probability.double().numpy(), facts


def _warn_of_doubt(probability: torch.Tensor, top: int) -> None:
    """Say so if the gate has not decided: too few channels on to fill the selection, or most of them."""
    on = int((probability > 0.5).sum())
    if on < top:
        _log.warning(
            "Only %d channels are on in most images: the last of the %d selected are doubtful. "
            "A smaller --lambda keeps more on.",
            on,
            top,
        )
    elif on > len(probability) // 2 and top <= len(probability) // 2:
        _log.warning(
            "%d of %d channels are still on in most images: the gate has hardly begun to choose. "
            "More --epochs or a larger --lambda switch more off.",
            on,
            len(probability),
        )


def _accuracy(
    trainer: Any, classifier: GatedClassifier, val: ClassFolder | ShardSet | None, options: RankOptions, spec: InputSpec
) -> dict[str, Any]:
    """Accuracy on the validation files with each image's own switches."""
    if val is None:
        return {}
    metrics = trainer.validate(classifier, _loader(val, options, spec), verbose=False)
    return {"accuracy of the gated model": round(float(metrics[0]["val/accuracy"]), 4)}


def by_ablation(options: RankOptions, folders: DataFolders, spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
    """Train the network on all channels, then take each of them away in turn."""
    if folders.val is None:
        raise ValueError("ablation measures the loss on validation files, and there are none")
    folder = options.folder / "model"
    resume = options.resume and (folder / LAST).is_file()
    training = options.training()
    result = train(
        replace(training, output=folder, spec=str(options.folder / SPEC), resume=resume), callbacks=callbacks
    )
    sample = folders.val.sample(options.ablation_images, seed=options.seed)
    loader = _loader(sample, options, spec)
    model = load_checkpoint(result.checkpoint).model.to(device_of(options.accelerator))
    _log.info("Taking each of %d channels away in turn on %d validation files", spec.in_channels, len(sample))
    passes = len(loader) * (spec.in_channels + 1)
    with progress_bar("ablating", "passes", total=passes, shown=options.progress) as advance:
        values = loss_increase(model, loader, channels=spec.in_channels, advance=advance)
    accuracy = None if result.accuracy is None else round(result.accuracy, 4)
    return values, {"images": len(sample), "accuracy of the model with all channels": accuracy}


def _loader(files: ClassFolder | ShardSet, options: RankOptions, spec: InputSpec) -> ImageLoader:
    return make_loader(
        labelled_dataset(files, eval_transform(spec)), batch_size=64, shuffle=False, num_workers=options.workers or 0
    )
