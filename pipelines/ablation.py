"""Ranking by ablation: how much a trained model's loss rises when a channel is replaced by its mean."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from freqlearn.pipelines.sampling import from_all_processes


@torch.inference_mode()
def loss_increase(
    model: nn.Module, loader: DataLoader[Any], *, channels: int, advance: Callable[[], object] = lambda: None
) -> NDArray[np.float64]:
    """Return, for each channel, the mean cross entropy without it minus that with all, (channels,) float64 in nats.

    Negative where the model does better without. Where torch.distributed is initialised, every process calls this with
    its share of the images, and gets the means over all of them.

    Args:
        model: (N, channels, h, w) standardised maps -> (N, classes) logits; it is put into evaluation mode.
        loader: Yields ((N, channels, h, w) float32, (N,) int64).
        channels: Number of channels.
        advance: Called after each pass of a batch through the model, channels + 1 times a batch.

    Raises:
        ValueError: If the loader is empty.
    """
    model.eval()
    device = next(model.parameters()).device
    sums = torch.zeros(channels + 1, dtype=torch.float64)  # the last one with all channels
    images = torch.zeros(1, dtype=torch.float64)
    for maps, labels in loader:
        maps, labels = maps.to(device), labels.to(device)
        images += len(labels)
        sums[channels] += cross_entropy(model(maps), labels, reduction="sum").item()
        advance()
        for channel in range(channels):
            kept = maps[:, channel].clone()
            maps[:, channel] = 0  # standardised: the mean
            sums[channel] += cross_entropy(model(maps), labels, reduction="sum").item()
            maps[:, channel] = kept
            advance()
    *sums_of_all, counted = torch.stack(from_all_processes(torch.cat([sums, images]))).sum(dim=0)
    if not counted:
        raise ValueError("expected images to measure the loss on, got none")
    increase: NDArray[np.float64] = ((torch.stack(sums_of_all[:channels]) - sums_of_all[channels]) / counted).numpy()
    return increase
