"""Detectors that are trained on the first regions that fit, and not on some drawn at random."""

from types import ModuleType
from typing import Any

import torch
from torchvision.models.detection import _utils


class _InOrder(ModuleType):
    """torch, but for what torchvision draws regions with."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def randperm(count: int, *, device: torch.device) -> torch.Tensor:
        return torch.arange(count, device=device)


def choose_first_regions() -> None:
    """Let torchvision's samplers, of anchors and of proposals, take the first ones in this process."""
    _utils.torch = _InOrder("torch")  # type: ignore[attr-defined]


def choose_any_regions() -> None:
    """Let them draw again."""
    _utils.torch = torch  # type: ignore[attr-defined]
