"""Two optimizers that Lightning, schedules and gradient scalers take for one."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


class PairedOptimizer(Optimizer):
    """Steps two optimizers together, each with its own parameter groups.

    A network may need SGD while the gate in front of it needs Adam: the gradients of its switches are so small that
    SGD would hardly move them. Lightning's automatic optimisation knows one optimizer only.
    """

    def __init__(self, first: Optimizer, second: Optimizer) -> None:
        """Pair two optimizers; the groups of the first come first."""
        self._parts = (first, second)
        super().__init__([*first.param_groups, *second.param_groups], defaults={})
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step of both; return what the closure, which computes the gradients, returns."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        for part in self._parts:
            part.step()
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Let the two work on this optimizer's groups and state, which schedules change and checkpoints set."""
        position = 0
        for part in self._parts:
            count = len(part.param_groups)
            part.param_groups = self.param_groups[position : position + count]
            part.state = self.state
            position += count
