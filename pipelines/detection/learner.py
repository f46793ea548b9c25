"""The LightningModule that trains detectors, and measures their average precision on the way."""

from typing import Any

import torch

from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.detection.average_precision import NOTHING_TO_FIND, AveragePrecision
from freqlearn.pipelines.detection.dataset import DetectionBatch
from freqlearn.pipelines.detection.results import results_of_batch
from freqlearn.pipelines.gate_ranking import Gated
from freqlearn.pipelines.learner import Learner

LOSSES = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask")
"""What torchvision's detectors are trained on: the sum of these; boxes alone have no loss_mask."""


class Detector(Learner):
    """Trains and validates one of `freqlearn.models.detection`."""

    model: FrequencyRCNN

    def __init__(self, model: FrequencyRCNN, *, precision: AveragePrecision | None = None, **options: Any) -> None:
        """Wrap a model.

        Args:
            model: The detector.
            precision: What a validation measures, on images with the labels that the model is trained with; None for no
                validation. It is no metric of the module: what it collects, gigabytes of it, is in no checkpoint, for a
                validation that was stopped begins anew.
            **options: Those of `Learner`.
        """
        super().__init__(model, means=LOSSES, **options)
        self.precision = precision

    @property
    def num_classes(self) -> int:
        """Number of classes that a region is one of, with the background."""
        return int(self.model.roi_heads.box_predictor.cls_score.out_features)

    def training_step(self, batch: DetectionBatch, batch_idx: int) -> torch.Tensor:
        """The sum of all losses of one batch, plus the penalty; counts each of them."""
        images, targets = batch
        losses = self.model(images, targets, image_sizes=[target["image_size"] for target in targets])
        return self.counted_loss(
            sum(losses.values(), torch.zeros_like(losses["loss_objectness"])), images=len(images), **losses
        )

    def on_validation_epoch_start(self) -> None:
        """Begin to collect what is found."""
        self._measured.reset()
        super().on_validation_epoch_start()

    def validation_step(self, batch: DetectionBatch, batch_idx: int) -> None:
        """Collect what is found in a batch."""
        images, targets = batch
        results = results_of_batch(self.model, images, targets, category_ids=self._measured.folder.category_ids)
        self._measured.update(results, [int(target["image_id"]) for target in targets])

    def on_validation_epoch_end(self) -> None:
        """Log val/box_AP, val/box_AP50, ... and for masks val/mask_AP, ...; sizes of which there is nothing are not."""
        found = self._measured.compute()
        self._measured.reset()
        shown = {f"val/{name}": value for name, value in found.items() if name.endswith("_AP")}
        rest = {f"val/{name}": value for name, value in found.items() if value != NOTHING_TO_FIND}
        self.log_dict({name: value for name, value in rest.items() if name not in shown})
        self.log_dict(shown, prog_bar=True)

    @property
    def _measured(self) -> AveragePrecision:
        if self.precision is None:
            raise RuntimeError("expected what to measure in a validation, got none: give precision")
        return self.precision


class GatedDetector(Gated, Detector):
    """Trains a gate in front of a detector: its losses + lambda * mean(on)."""
