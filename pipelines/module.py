"""The LightningModule that trains and evaluates classifiers: their loss and metrics."""

from typing import Any

import torch
from torch import nn

from freqlearn.pipelines.data import Batch
from freqlearn.pipelines.learner import Learner
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.scores import Scores


class Classifier(Learner):
    """Trains and evaluates an image classifier."""

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        mixing: Mixing | None = None,
        label_smoothing: float = 0.0,
        **options: Any,
    ) -> None:
        """Wrap a model.

        Args:
            model: (N, C, h, w) float32 -> (N, num_classes) logits.
            num_classes: Number of classes.
            mixing: Mixes the pictures of every training batch.
            label_smoothing: Share of the target spread over all classes.
            **options: Those of `Learner`.
        """
        super().__init__(model, means=("accuracy",), **options)
        self.mixing = mixing
        self.loss = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self.scores = Scores(num_classes)
        self._num_classes = num_classes

    @property
    def num_classes(self) -> int:
        """Number of logits."""
        return self._num_classes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, num_classes) logits."""
        logits: torch.Tensor = self.model(images.contiguous(memory_format=self.memory_format))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Cross entropy plus penalty of one batch; counts both and the accuracy.

        Of a mixed picture, the class with the larger share counts as the right one, as in torchvision's references.
        """
        images, labels = batch
        targets = labels
        if self.mixing is not None:
            images, targets = self.mixing(images, labels)
            labels = targets.argmax(dim=1)
        logits = self(images)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        return self.counted_loss(self.loss(logits, targets), images=len(labels), accuracy=accuracy)

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self.scores.reset()
        super().on_validation_epoch_start()

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Count a batch; return the logits."""
        images, labels = batch
        logits: torch.Tensor = self(images)
        self.scores.update(logits, labels)
        return logits

    def on_validation_epoch_end(self) -> None:
        """Log val/loss (without smoothing), val/accuracy, above five classes val/top5, and val/images."""
        scores = {f"val/{name}": value for name, value in self.scores.compute().items()}
        self.log("val/images", scores.pop("val/images"))
        self.log_dict(scores, prog_bar=True)
