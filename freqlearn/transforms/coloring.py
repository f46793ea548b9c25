"""Colour changes; what differs from torchvision's is said in `freqlearn.color`."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from freqlearn.image import DCTImage
from freqlearn.plan import Plan
from freqlearn.transforms.base import PlanTransform


class ColorJitter(PlanTransform):
    """Change brightness, contrast, saturation and hue at random, in random order.

    The factors and their order are `torchvision.transforms.v2.ColorJitter`'s for the same seed. Nothing is clamped
    to 0..255 between the steps, and hue is a rotation of (Cb, Cr) (see `freqlearn.color`).

    Args:
        brightness: largest change of the factor from 1, or its (smallest, largest) value; None: unchanged.
        contrast: likewise.
        saturation: likewise.
        hue: largest turn, 0 to 0.5, or the (smallest, largest), -0.5 to 0.5; None: unchanged.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] | None = None,
        contrast: float | Sequence[float] | None = None,
        saturation: float | Sequence[float] | None = None,
        hue: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.brightness = _as_factors("brightness", brightness)
        self.contrast = _as_factors("contrast", contrast)
        self.saturation = _as_factors("saturation", saturation)
        self.hue = _as_turns(hue)

    def make_params(self, images: list[DCTImage]) -> dict[str, Any]:
        """Draw the order, and a factor for everything that is to change."""
        order = torch.randperm(4).tolist()
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [None if span is None else float(torch.empty(1).uniform_(*span).item()) for span in ranges]
        return {"order": order, "factors": factors}

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Add the drawn steps in the drawn order."""
        for step in params["order"]:
            factor = params["factors"][step]
            if factor is not None:
                add = (Plan.brightness, Plan.contrast, Plan.saturation, Plan.hue)[step]
                plan = add(plan, factor)
        return plan


def _as_factors(name: str, value: float | Sequence[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"expected {name} as a number of 0 or more, got {value}")
        value = (max(0.0, 1.0 - value), 1.0 + value)
    return _as_increasing(name, value, (0.0, float("inf")), unchanged=1.0)


def _as_turns(value: float | Sequence[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    span = (-value, value) if isinstance(value, (int, float)) else value
    return _as_increasing("hue", span, (-0.5, 0.5), unchanged=0.0)


def _as_increasing(
    name: str, value: Sequence[float], bounds: tuple[float, float], *, unchanged: float
) -> tuple[float, float] | None:
    if len(value) != 2:
        raise TypeError(f"expected {name} as a number or two (smallest, largest), got {value!r}")
    low, high = float(value[0]), float(value[1])
    if not bounds[0] <= low <= high <= bounds[1] or math.isinf(high):
        raise ValueError(f"expected {name} as finite, increasing numbers within {bounds}, got {value!r}")
    # As torchvision: a range that changes nothing draws nothing.
    return None if low == high == unchanged else (low, high)


class Grayscale(PlanTransform):
    """Drop the colours: Cb and Cr become zero, Y stays."""

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Take the saturation out."""
        return plan.saturation(0.0)
