"""Mirroring, exact on coefficients."""

from typing import Any

from freqlearn.plan import Plan
from freqlearn.transforms.base import RandomlyApplied


class RandomHorizontalFlip(RandomlyApplied):
    """Exchange left and right with probability `p`, as `torchvision.transforms.v2.RandomHorizontalFlip`."""

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Flip what the plan shows."""
        return plan.hflip()


class RandomVerticalFlip(RandomlyApplied):
    """Exchange top and bottom with probability `p`, as `torchvision.transforms.v2.RandomVerticalFlip`."""

    def change(self, plan: Plan, params: dict[str, Any]) -> Plan:
        """Flip what the plan shows."""
        return plan.vflip()
