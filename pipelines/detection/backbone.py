"""The weights that a detector's ResNet begins with: of a classifier's checkpoint, or of a file with a state dict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from freqlearn.models.detection import FrequencyRCNN, load_backbone
from freqlearn.pipelines.checkpoint import HEADER_KEY, load_checkpoint, read_data
from freqlearn.pipelines.detection.options import DetectorNorm

_BATCH_NORMS = ("batch", "sync_batch", "frozen")  # they share their weights and statistics


def begin_with_backbone(detector: FrequencyRCNN, path: Path, *, name: str, norm: DetectorNorm) -> str:
    """Give a detector's ResNet the weights of a file.

    Args:
        detector: With random weights; changed in place.
        path: A checkpoint of `freqlearn train`, or a state dict of torchvision's network.
        name: The detector's, which says which ResNet it has.
        norm: How that normalises its maps.

    Returns:
        What was done, for people.

    Raises:
        CheckpointError: If the file is missing or damaged.
        ValueError: If its network is another, or lacks weights that are not to be trained.
    """
    source = _source(path, resnet=name.split("_")[1], norm=norm)
    try:
        not_loaded = load_backbone(detector, source)
    except (TypeError, ValueError) as error:
        raise ValueError(f"backbone {path}: {error}") from error
    tensors = [*not_loaded.missing_keys, *(mismatch.key for mismatch in not_loaded.mismatched_keys)]
    layers = sorted({name.rpartition(".")[0] for name in tensors})
    but_for = f", but for {', '.join(layers)}, which begin at random" if layers else ""
    return f"The weights of {name.split('_')[1]} are those of {path}{but_for}"


def _source(path: Path, *, resnet: str, norm: DetectorNorm) -> nn.Module | Mapping[str, Any]:
    data = read_data(path)
    if HEADER_KEY not in data:
        _check_norm(path, "batch", norm)
        return data
    checkpoint = load_checkpoint(path)
    header = checkpoint.header
    if header.network != resnet:
        raise ValueError(
            f"backbone {path}: expected the checkpoint of a classifier with a {resnet}, got {header.title}"
        )
    _check_norm(path, header.arguments.get("norm", "batch"), norm)
    return checkpoint.model


def _check_norm(path: Path, of_file: str, norm: DetectorNorm) -> None:
    if of_file != norm and not (of_file in _BATCH_NORMS and norm in _BATCH_NORMS):
        fitting = "frozen or batch" if of_file in _BATCH_NORMS else of_file
        raise ValueError(f"backbone {path}: its network has norm {of_file}, and norm is {norm}; use norm {fitting}")
