"""`freqlearn detect rank`: from COCO-format data to the importance of the 192 channels, and its heatmap."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.detection.inputs import choose_detection_spec, eval_transform
from freqlearn.pipelines.detection.rank_options import DetectRankOptions
from freqlearn.pipelines.detection.standardising import measured_detection_spec
from freqlearn.pipelines.detection.training import DetectionTraining, open_folders, train_detector
from freqlearn.pipelines.energy import share_of_variance
from freqlearn.pipelines.loaders import ImageLoader
from freqlearn.pipelines.rank_methods import by_gate, once
from freqlearn.pipelines.ranking_run import Ranking, run_ranking
from freqlearn.pipelines.ranking_task import Measured, RankingTask
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

__all__ = ["Ranking", "rank_with_detector"]

# Images that a process computes at once.
_BATCH_SIZE = 4


def rank_with_detector(options: DetectRankOptions, *, callbacks: Sequence[Callback] = ()) -> Ranking:
    """Rank the 192 channels on COCO-format data, with a detector.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg, spec.json and config.yaml to the output folder,
    and for the gate a folder model/ as `train_detector` writes it, with the dynamic model. The caller's random state is
    left as it was. Where several processes rank together, each calls this; the first one writes.

    Args:
        options: What to rank on, and how.
        callbacks: Further Lightning callbacks, of the training.

    Raises:
        ImportError: If pycocotools is missing.
        ValueError: For a mistake in the options or the data.
        GateCollapseError: If the gate switched everything off.
        KeyboardInterrupt: On Ctrl-C while training, after the state was saved.
    """
    return run_ranking(_WithDetector, options, callbacks=callbacks)


class _WithDetector(RankingTask[DetectRankOptions]):
    """A ranking with a detector of what a COCO JSON file says is in images."""

    scores = {"val/box_AP": "box AP of the gated model", "val/mask_AP": "mask AP of the gated model"}

    def __init__(self, options: DetectRankOptions) -> None:
        self.options = options
        self.method, self.top, self.folder = options.method, options.top, options.folder
        self.spec, self.std_floor = options.spec, options.std_floor

    def open(self) -> None:
        self.images, *_ = open_folders(self.options.training())

    def usual_options(self) -> dict[str, Any]:
        return DetectRankOptions(images=Path(), annotations=Path()).plain()

    def chosen_spec(self) -> InputSpec:
        return choose_detection_spec(self.options.training(std_floor=None))

    def measure(self, spec: InputSpec) -> tuple[InputSpec, ChannelStatistics]:
        options = self.options
        return measured_detection_spec(
            spec,
            self.images,
            images=options.stats_images,
            min_size=options.min_size,
            max_size=options.max_size,
            seed=options.seed,
            constant="keep",
            on_bad_image=options.on_bad_image,
            output=options.folder,
        )

    def importances(self, spec: InputSpec, variance: NDArray[np.float64], callbacks: Sequence[Callback]) -> Measured:
        if self.options.method == "gate":
            return by_gate(self, spec, callbacks)
        measured = {"images": min(len(self.images), self.options.stats_images)}
        return share_of_variance(variance), {} if self.options.spec is not None else measured

    def train(self, callbacks: Sequence[Callback], *, gate: bool) -> DetectionTraining:
        return train_detector(self.options.training(gate=gate, **self.training_changes()), callbacks=callbacks)

    def loader(self, spec: InputSpec, *, images: int) -> tuple[ImageLoader, int]:
        sample = self.images.sample(images, seed=self.options.seed)
        dataset = CocoDataset(sample, eval_transform(spec, self.options.training()))
        return once(dataset, self.options, batch_size=_BATCH_SIZE), len(sample)

    def about(self) -> dict[str, Any]:
        options, images = self.options, self.images
        trained = {} if options.method == "energy" else {"model": options.model, "epochs": options.epochs}
        return {"folder": str(images.annotations_json), "classes": len(images.classes), **trained}
