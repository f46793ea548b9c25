"""Dividing this machine's cores between loader processes and the network."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from freqlearn.pipelines.measuring import available_threads


@contextmanager
def divided_cores(workers: int | None) -> Iterator[int]:
    """Give loader processes their cores and torch the others, for the length of a block.

    torch starts a thread a core, whatever else runs. Where loader processes need the same cores, its threads wait for
    each other in busy loops: on two busy cores a training of the network `small` took 5 times the processor time with
    two threads and two workers that it took with one and one.

    Args:
        workers: Loader processes; None for half the cores, at most 4.

    Yields:
        The number of loader processes to start.
    """
    cores = available_threads()
    chosen = min(max(cores // 2, 1), 4) if workers is None else workers
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, cores - chosen)))
    try:
        yield chosen
    finally:
        torch.set_num_threads(before)
