"""`freqlearn rank`: from a folder of images to the importance of the 192 channels, and its heatmap."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.energy import share_of_variance
from freqlearn.pipelines.inputs import choose_spec, eval_transform, measured_spec
from freqlearn.pipelines.loaders import ImageLoader
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.rank_methods import by_ablation, by_gate, left_out, once
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.ranking_run import (
    Ranking,
    is_begun,
    is_finished,
    read_finished,
    run_ranking,
)
from freqlearn.pipelines.ranking_task import Measured, RankingTask
from freqlearn.pipelines.run_data import LabelledFiles, open_run_data
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

__all__ = ["Ranking", "is_begun", "is_finished", "rank", "read_ranking"]

# Images that a process computes at once.
_BATCH_SIZE = 64


def rank(options: RankOptions, *, callbacks: Sequence[Callback] = ()) -> Ranking:
    """Rank the 192 channels on a folder of images, with a classifier.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg, spec.json and config.yaml to the output folder,
    and for the methods that train a folder model/ as `train` writes it: of a ranking by gate, the dynamic model. The
    caller's random state is left as it was. Where several processes rank together, each calls this; the first one
    writes.

    Args:
        options: What to rank on, and how.
        callbacks: Further Lightning callbacks, for the methods that train.

    Raises:
        ValueError: For a mistake in the options or the data.
        GateCollapseError: If the gate switched everything off.
        KeyboardInterrupt: On Ctrl-C while training, after the state was saved.
    """
    return run_ranking(_WithClassifier, options, callbacks=callbacks)


def read_ranking(options: RankOptions) -> Ranking:
    """Read a finished ranking instead of repeating it.

    Raises:
        ValueError: If it is of other options.
    """
    return read_finished(_WithClassifier(options))


class _WithClassifier(RankingTask[RankOptions]):
    """A ranking with a classifier of the images of class folders or shards."""

    free_on_resume = RankingTask.free_on_resume | {"ablation_images"}
    scores = {"val/accuracy": "accuracy of the gated model"}

    def __init__(self, options: RankOptions) -> None:
        self.options = options
        self.method, self.top, self.folder = options.method, options.top, options.folder
        self.spec, self.std_floor = options.spec, options.std_floor

    def open(self) -> None:
        self.folders = open_run_data(self.options)

    def usual_options(self) -> dict[str, Any]:
        return RankOptions(data=Path()).plain()

    def chosen_spec(self) -> InputSpec:
        return choose_spec(self.options.training(), self.folders.packed)

    def measure(self, spec: InputSpec) -> tuple[InputSpec, ChannelStatistics]:
        options = self.options
        return measured_spec(
            spec,
            self.folders.train,
            images=options.stats_images,
            seed=options.seed,
            constant="keep",
            on_bad_image=options.on_bad_image,
            output=options.folder,
        )

    def importances(self, spec: InputSpec, variance: NDArray[np.float64], callbacks: Sequence[Callback]) -> Measured:
        options, files = self.options, self.folders.train
        if options.method == "energy":
            images = {} if options.spec is not None else {"images": min(len(files), options.stats_images)}
            return share_of_variance(variance), images
        return by_gate(self, spec, callbacks) if options.method == "gate" else self._ablated(spec, callbacks)

    def _ablated(self, spec: InputSpec, callbacks: Sequence[Callback]) -> Measured:
        """Train the network on all channels, then take each of them away in turn."""
        options, val = self.options, self.folders.val
        if val is None:
            raise ValueError("ablation measures the loss on validation files, and there are none")
        result = self.train(callbacks, gate=False)
        sample = val.sample(options.ablation_images, seed=options.seed)
        loader = self._loader(sample, spec)
        values = by_ablation(
            load_checkpoint(result.checkpoint).model,
            loader,
            channels=spec.in_channels,
            images=len(sample),
            accelerator=options.accelerator,
            progress=options.progress,
        )
        accuracy = None if result.accuracy is None else round(result.accuracy, 4)
        images = len(sample) - left_out(loader)
        return values, {"images": images, "accuracy of the model with all channels": accuracy}

    def train(self, callbacks: Sequence[Callback], *, gate: bool) -> TrainResult:
        return train(self.options.training(gate=gate, **self.training_changes()), callbacks=callbacks)

    def loader(self, spec: InputSpec, *, images: int) -> tuple[ImageLoader, int]:
        sample = self.folders.train.sample(images, seed=self.options.seed)
        return self._loader(sample, spec), len(sample)

    def _loader(self, files: LabelledFiles, spec: InputSpec) -> ImageLoader:
        return once(labelled_dataset(files, eval_transform(spec)), self.options, batch_size=_BATCH_SIZE)

    def about(self) -> dict[str, Any]:
        options, files = self.options, self.folders.train
        trained = {} if options.method == "energy" else {"model": options.model, "epochs": options.epochs}
        return {"folder": str(files.root), "classes": len(files.classes), **trained}
