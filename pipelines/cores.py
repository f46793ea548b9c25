"""Dividing the cores between loader processes and the network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from freqlearn.cores import available_cores


def usual_workers(processes: int = 1) -> int:
    """Return how many loader processes each of some processes starts where nobody says: half its cores, at most 4."""
    return min(max(available_cores() // (2 * processes), 1), 4)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run a block, and the threads that it starts, with so many torch threads each."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def divided_cores(workers: int | None, *, processes: int = 1) -> Iterator[int]:
    """Give loader processes their cores and torch the others, for the length of a block.

    torch starts a thread a core, whatever else runs. Where loader processes need the same cores, its threads wait for
    each other in busy loops: on two busy cores a training of the network `small` took 5 times the processor time with
    two threads and two workers that it took with one and one.

    Args:
        workers: Loader processes; None for `usual_workers`.
        processes: How many processes on this machine do the same.

    Yields:
        The number of loader processes to start.
    """
    # available_cores has divided by those that torchrun started.
    processes = max(1, processes // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    cores = max(1, available_cores() // processes)
    chosen = usual_workers(processes) if workers is None else workers
    with torch_threads(max(1, min(torch.get_num_threads(), cores - chosen))):
        yield chosen
