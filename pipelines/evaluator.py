"""The module that evaluates: counts over all processes, class by class, and what a gate leaves on."""

from dataclasses import dataclass

import torch
from torchmetrics import SumMetric
from torchmetrics.classification import MulticlassStatScores

from freqlearn.models import FrequencyGate
from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.data import Batch
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.networks import gate_of
from freqlearn.pipelines.scores import quietly


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an evaluation found, over all images of all processes.

    Attributes:
        images: How many there were.
        loss: Mean cross entropy.
        top1: Share classified correctly.
        top5: Share whose class is among the five likeliest; None with five classes or fewer.
        top1_of_class: top1 by label, of the labels that occur.
        mean_channels: How many channels a gate leaves on, mean over the images; None without a gate.
    """

    images: int
    loss: float
    top1: float
    top5: float | None
    top1_of_class: dict[int, float]
    mean_channels: float | None


class Evaluator(Classifier):
    """A classifier that counts more than a training's validation does; what it found is in `found` afterwards."""

    found: Found

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Evaluate the model of a checkpoint."""
        classes = len(checkpoint.header.classes)
        super().__init__(checkpoint.model, num_classes=classes)
        self.by_class = MulticlassStatScores(classes, average=None)
        self.switches_on = SumMetric(nan_strategy="disable")

    @property
    def gate(self) -> FrequencyGate | None:
        """The model's gate, if it has one."""
        return gate_of(self.model)

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Count a batch; return the logits."""
        logits = super().validation_step(batch, batch_idx)
        self.by_class.update(logits, batch[1])
        if self.gate is not None:
            self.switches_on.update(self.gate.last_mask.sum())
        return logits

    def on_validation_epoch_end(self) -> None:
        """Put together what all processes have counted.

        Here, where the counts are still on the device that processes talk to each other with.
        """
        scores = {name: float(value) for name, value in self.scores.compute().items()}
        images = round(scores["images"])
        # (classes, 5): true and false positives, true and false negatives, support.
        counts = quietly(self.by_class).tolist()
        switches_on = float(quietly(self.switches_on))
        self.found = Found(
            images=images,
            loss=scores["loss"],
            top1=scores["accuracy"],
            top5=scores.get("top5"),
            top1_of_class={label: right / all_ for label, (right, *_, all_) in enumerate(counts) if all_},
            mean_channels=switches_on / max(images, 1) if self.gate is not None else None,
        )
