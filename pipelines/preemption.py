"""How a run ends that was asked to stop from outside: exit statuses, and the exception that carries them. Light."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PREEMPTED = 75
"""Exit status of a run that SIGTERM has stopped: EX_TEMPFAIL of sysexits.h, "try again later". Resuming goes on."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as of a shell."""


class Preempted(SystemExit):
    """A scheduler wants its machine back (SIGTERM, or SIGUSR1 as Slurm's --signal sends it).

    A program that does not catch it exits with status 75.
    """

    def __init__(self, message: str) -> None:
        """Say what was saved, for a person."""
        super().__init__(PREEMPTED)
        self.message = message

    def __str__(self) -> str:
        return self.message


PREEMPTING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Signals that take a machine back: SIGTERM, and what Slurm sends early with --signal=USR1@120. Windows lacks that."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Run a block in which SIGTERM raises Preempted, so that files are closed and unfinished work is kept.

    A training takes the signals over while it runs. Once one has stopped the block, no other may spoil the exit status
    while the process ends. Handlers can be set in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    except Preempted:
        for number in PREEMPTING:
            signal.signal(number, signal.SIG_IGN)
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, previous)
        raise
    signal.signal(signal.SIGTERM, previous)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Preempted("stopped by SIGTERM")
