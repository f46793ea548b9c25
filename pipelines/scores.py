"""What a validation measures, over all images of all processes."""

import warnings

import torch
from torch import nn
from torchmetrics import Metric, SumMetric
from torchmetrics.classification import MulticlassAccuracy


class Scores(nn.Module):
    """Cross entropy, accuracy and the number of images, counted batch by batch.

    Processes may count different numbers of batches, or none: nothing is exchanged before `compute`, which every one of
    them must call. (Lightning's `self.log` waits for ever where a process has logged nothing.)
    """

    def __init__(self, num_classes: int) -> None:
        """Begin with no image.

        Args:
            num_classes: Number of logits.
        """
        super().__init__()
        metrics: dict[str, Metric] = {
            # Sums: torchmetrics 1.9's MeanMetric takes no weights where NaN is to be kept, and a diverged loss is NaN.
            "loss": SumMetric(nan_strategy="disable"),
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "images": SumMetric(nan_strategy="disable"),
        }
        if num_classes > 5:
            metrics["top5"] = MulticlassAccuracy(num_classes, top_k=5, average="micro")
        self.metrics = nn.ModuleDict(metrics)

    def update(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count a batch.

        Args:
            logits: (N, num_classes).
            labels: (N,) int64.
        """
        for name, metric in self._by_name().items():
            if name == "loss":
                metric.update(nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
            elif name == "images":
                metric.update(len(labels))
            else:
                metric.update(logits, labels)

    def compute(self) -> dict[str, torch.Tensor]:
        """Mean `loss`, `accuracy`, with more than five classes `top5`, and `images`, of all processes: () float32."""
        scores = {name: quietly(metric) for name, metric in self._by_name().items()}
        return scores | {"loss": scores["loss"] / scores["images"]}

    def reset(self) -> None:
        """Forget all images."""
        for metric in self._by_name().values():
            metric.reset()

    def _by_name(self) -> dict[str, Metric]:
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, Metric)}


def quietly(metric: Metric) -> torch.Tensor:
    """What a metric has counted in all processes, without a warning in those that have counted nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*was called before the ``update`` method.*")
        computed: torch.Tensor = metric.compute()
        return computed
