"""Which of several processes that run together speaks for all. Light to import."""

import os
import sys


class FailedElsewhere(RuntimeError):
    """The first process has failed and said why; this one only stops."""


def is_first_process() -> bool:
    """Whether this process is the first one, or the only one.

    torchrun tells a process its number in RANK, SLURM in SLURM_PROCID, Lightning in NODE_RANK and LOCAL_RANK.
    """
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return os.environ[name] == "0"
    return all(os.environ.get(name, "0") == "0" for name in ("NODE_RANK", "LOCAL_RANK"))


def say(line: str) -> None:
    """Print a line of a command's result, in the first process only."""
    if is_first_process():
        sys.stdout.write(line + "\n")
