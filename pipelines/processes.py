"""The processes that train together: how many there are, and how they agree before the first step."""

import atexit
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import lightning as L
import torch

from freqlearn.pipelines.first_process import FailedElsewhere

T = TypeVar("T")


def chosen_world(devices: int | None = None, nodes: int = 1) -> tuple[int, int]:
    """Processes on each machine, and machines.

    Args:
        devices: Processes asked for on each machine; None for one.
        nodes: Machines asked for.

    Returns:
        What torchrun has started, if it has; else what was asked for.

    Raises:
        ValueError: If torchrun has started another number than was asked for.
    """
    if "LOCAL_WORLD_SIZE" not in os.environ or "WORLD_SIZE" not in os.environ:
        return devices or 1, nodes
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    if devices not in (None, local):
        raise ValueError(f"torchrun has started {local} processes here, and devices is {devices}; leave out devices")
    if nodes not in (1, world // local):
        raise ValueError(f"torchrun runs on {world // local} machines, and nodes is {nodes}; leave out nodes")
    return local, world // local


def share_of_batch(batch_size: int, *, world: int, accumulate: int) -> int:
    """Images of a batch that one process computes at once.

    Args:
        batch_size: Images an optimizer step.
        world: Number of processes.
        accumulate: Parts that each process's share is computed in.

    Raises:
        ValueError: If they do not come out even.
    """
    parts = world * accumulate
    if batch_size % parts:
        lower, upper = batch_size // parts * parts, -(-batch_size // parts) * parts
        raise ValueError(
            f"batch_size {batch_size} cannot be shared evenly by {world} processes with accumulate {accumulate}; "
            f"choose {f'{lower} or {upper}' if lower else upper}"
        )
    return batch_size // parts


def connect(trainer: L.Trainer) -> None:
    """Start the other processes where Lightning is to do that, and connect to them; nothing with one process.

    Lightning does it when training begins. Earlier, so that what precedes is done once and not in every process.
    """
    if trainer.world_size == 1:
        return
    if trainer.strategy.launcher is not None:
        trainer.strategy.launcher.launch(lambda: None)
    trainer.strategy.setup_environment()
    atexit.unregister(disconnect)  # a process that trains twice connects once
    atexit.register(disconnect)


def disconnect() -> None:
    """End the connection with the other processes, if there is one.

    gloo's threads free tensors, for which they want Python: one that is late, when Python is being taken down, aborts
    the process (exit code -6 after a whole training). Lightning ends NCCL's groups alone.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def done_by_first(trainer: L.Trainer, prepare: Callable[[], T]) -> T:
    """Let the first process prepare something, and give the result to all.

    Args:
        trainer: A connected trainer.
        prepare: Runs in the first process only; its result must pickle.

    Raises:
        FailedElsewhere: In the other processes, if the first has failed; there its error is raised as it is.
    """
    if not trainer.is_global_zero:
        received: Any = trainer.strategy.broadcast((None, None))
        result, failure = received
        if failure is not None:
            raise FailedElsewhere(failure)
        return cast(T, result)
    try:
        made = prepare()
    except BaseException as error:
        trainer.strategy.broadcast((None, str(error) or type(error).__name__))
        raise
    trainer.strategy.broadcast((made, None))
    return made


@contextmanager
def as_one(trainer: L.Trainer) -> Iterator[None]:
    """Run a block as one of several processes: only the first one logs, and none is left behind when it fails.

    Raises:
        ConnectionError: If another process has stopped.
    """
    logger = logging.getLogger("freqlearn")
    level = logger.level
    if not trainer.is_global_zero:
        logger.setLevel(logging.WARNING)
    try:
        yield
    except BaseException as error:
        # Those that Lightning has started would wait in the next exchange of gradients.
        for process in getattr(trainer.strategy.launcher, "procs", []):
            process.kill()
        if trainer.world_size > 1 and _is_of_connection(error):
            raise ConnectionError("another process has stopped; it says why, unless it was killed") from error
        raise
    finally:
        logger.setLevel(level)


def _is_of_connection(error: BaseException) -> bool:
    # NCCL has an error of its own; gloo's is a RuntimeError that only its text tells from others.
    return isinstance(error, torch.distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))
