"""Means over an epoch's images, which a resumed run goes on counting."""

from typing import Any

import torch
from torch import nn
from torchmetrics import SumMetric


class Means(nn.Module):
    """Means of some numbers over the images of all processes, counted batch by batch.

    Lightning's own (`self.log` with on_epoch) are in no checkpoint: after resuming in the middle of an epoch they would
    be of the rest of it alone. These are metrics of the module, which `SaveState` saves.
    """

    def __init__(self, *names: str) -> None:
        """Begin with no image.

        Args:
            names: Of the numbers.
        """
        super().__init__()
        self.names = names
        # NaN is to be seen: the loss of a training that has diverged.
        self.sums: Any = nn.ModuleDict({name: SumMetric(nan_strategy="disable") for name in (*names, "images")})

    def update(self, images: int, **means: torch.Tensor) -> None:
        """Count a batch.

        Args:
            images: Its number of images.
            **means: () float32, means over them.
        """
        self.sums["images"].update(images)
        for name, mean in means.items():
            self.sums[name].update(mean.detach() * images)

    def compute(self) -> dict[str, torch.Tensor]:
        """The means of what was counted, () float32; every process must call this."""
        sums = {name: metric.compute() for name, metric in self.sums.items() if metric.update_called}
        return {name: sums[name] / sums["images"] for name in self.names if name in sums}

    def reset(self) -> None:
        """Forget all images."""
        for metric in self.sums.values():
            metric.reset()
