"""Checkpoints of small detectors with random weights, as a training would write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from freqlearn.pipelines.checkpoint import HEADER_KEY, Header
from freqlearn.spec import InputSpec


def write_detector(
    path: Path,
    spec: InputSpec,
    *,
    classes: Sequence[str] = ("rectangle", "ellipse", "triangle"),
    category_ids: Sequence[int] = (1, 3, 4),
    network: str = "maskrcnn_resnet18_fpn",
    min_size: int = 64,
    held_out: dict[str, Any] | None = None,
    seed: int = 0,
    **arguments: Any,
) -> Path:
    """Write a checkpoint of a detector that finds much, all of it by chance, but by what it sees."""
    torch.manual_seed(seed)
    usual = {"norm": "group", "min_anchor": 8, "proposals": 30, "detections": 8, "min_score": 0.0, "pad": "mean"}
    header = Header(
        network=network,
        arguments=usual | arguments,
        spec=spec,
        classes=tuple(classes),
        training={"min_size": min_size, "max_size": 2 * min_size, "pad": "mean", "category_ids": list(category_ids)},
        held_out=held_out,
    )
    model = header.build()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({HEADER_KEY: header.to_dict(), "state_dict": state}, path)
    return path
