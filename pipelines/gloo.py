"""Processes that torchrun has started, for work in which they exchange little: over the network, no GPU needed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed

# Ranks wait for the slowest one, which may have hours to go. torchrun ends them all if one fails.
_PATIENCE = timedelta(days=30)


@contextmanager
def started_processes() -> Iterator[None]:
    """Connect with the other processes that torchrun has started, for the length of a block; nothing without it."""
    connected = distributed.is_available() and distributed.is_initialized()
    if connected or int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    distributed.init_process_group("gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()
