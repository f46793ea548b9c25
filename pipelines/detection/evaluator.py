"""The module that evaluates a detector: what it finds, in all processes, and what a gate leaves on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L

from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.detection.average_precision import AveragePrecision
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import DetectionBatch
from freqlearn.pipelines.detection.results import results_of_batch
from freqlearn.pipelines.sampling import from_all_processes
from freqlearn.pipelines.unfinished import Unfinished


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an evaluation found, over all images of all processes.

    Attributes:
        images: How many there were.
        scores: What AveragePrecision gives.
        per_category: AP of each category that occurs.
        bytes_per_image: Bytes of the network's input, mean over the images.
        mean_channels: How many channels a gate leaves on, likewise; None without a gate.
        mean_bytes: Bytes of their maps, likewise.
    """

    images: int
    scores: Mapping[str, float]
    per_category: Mapping[str, Mapping[str, float]]
    bytes_per_image: float
    mean_channels: float | None
    mean_bytes: float | None


class DetectionEvaluator(L.LightningModule):
    """A detector under evaluation; what it found is in `found` afterwards."""

    found: Found

    def __init__(
        self,
        model: FrequencyRCNN,
        folder: CocoFolder,
        *,
        masks: bool,
        category_ids: Sequence[int | None],
    ) -> None:
        """Evaluate a detector.

        Args:
            model: The detector.
            folder: What it is evaluated on, with its labels.
            masks: Whether to measure masks as well as boxes.
            category_ids: By label, beginning with that of label 1; detections where it is None count for nothing.
        """
        super().__init__()
        self.model = model
        self.scores = AveragePrecision(folder, masks=masks)
        self.category_ids = category_ids
        self.unfinished: Unfinished | None = None
        """Keeps what is found in each image, if there is one."""
        self.done: Mapping[str, Any] = {}
        """What it has kept before, which counts too."""
        self._inputs: dict[int, tuple[float, float]] = {}  # by image id: bytes, channels on

    def on_validation_epoch_start(self) -> None:
        """Begin with the images that were done before."""
        self.scores.reset()
        self._inputs.clear()
        for image_id, (results, size, channels) in self.done.items():
            self.scores.update(results, [int(image_id)])
            self._inputs[int(image_id)] = size, channels

    def validation_step(self, batch: DetectionBatch, batch_idx: int) -> None:
        """Count a batch."""
        results = results_of_batch(self.model, batch.images, batch.targets, category_ids=self.category_ids)
        image_ids = [int(target["image_id"]) for target in batch.targets]
        self.scores.update(results, image_ids)
        gate = self.model.gate
        on = [0.0] * len(image_ids) if gate is None else gate.last_mask.sum(dim=1).tolist()
        for image_id, image, channels in zip(image_ids, batch.images, on, strict=True):
            size = float(image.numel() * image.element_size())
            self._inputs[image_id] = size, channels
            if self.unfinished is not None:
                own = [result for result in results if result["image_id"] == image_id]
                self.unfinished.append(str(image_id), [own, size, channels])

    def on_validation_epoch_end(self) -> None:
        """Put together what all processes have found."""
        scores = self.scores.compute()
        inputs: dict[int, tuple[float, float]] = {}
        for of_process in from_all_processes(self._inputs):
            inputs |= of_process
        images = max(1, len(inputs))
        gated = self.model.gate is not None
        on_bytes = sum(size * channels / self.model.in_channels for size, channels in inputs.values())
        self.found = Found(
            images=len(inputs),
            scores=scores,
            per_category=self.scores.per_category,
            bytes_per_image=sum(size for size, _ in inputs.values()) / images,
            mean_channels=sum(channels for _, channels in inputs.values()) / images if gated else None,
            mean_bytes=on_bytes / images if gated else None,
        )
