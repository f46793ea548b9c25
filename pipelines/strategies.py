"""How Lightning runs several processes."""

from typing import Any

from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import STEP_OUTPUT


class UnevenDDPStrategy(DDPStrategy):
    """DDP whose processes may validate different numbers of batches.

    Lightning validates through DistributedDataParallel, whose first forward pass after a training step exchanges
    buffers: a process without a validation batch would leave the others waiting. Validation needs no exchange but
    that of the results.
    """

    def validation_step(self, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        """The module's own validation step."""
        if self.lightning_module is None:
            raise RuntimeError("expected a module to validate, got none: connect one first")
        with self.precision_plugin.val_step_context():
            return self.lightning_module.validation_step(*args, **kwargs)
