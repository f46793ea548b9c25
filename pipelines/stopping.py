"""Signals that ask a training to stop: Ctrl-C, and a scheduler's SIGTERM or SIGUSR1."""

import signal
import threading
from enum import IntEnum
from types import FrameType
from typing import Any

from freqlearn.pipelines.preemption import PREEMPTING


class Stop(IntEnum):
    """Why a training stops early. Processes that train together agree on the largest."""

    NONE = 0
    INTERRUPT = 1
    PREEMPTION = 2


class Interrupted(Exception):
    """Ctrl-C; not a KeyboardInterrupt, because Lightning answers that one with sys.exit."""


class StopSignals:
    """Notes signals that ask for a stop, instead of dying of them.

    A KeyboardInterrupt in the middle of an optimizer step would leave a state that cannot be resumed exactly. A second
    Ctrl-C does stop at once. SIGTERM may come more often than once: to the process and to its group.
    """

    def __init__(self) -> None:
        self.requested = Stop.NONE
        self._previous: dict[int, Any] = {}

    def take(self) -> None:
        """Take the signals over (possible in the main thread only)."""
        if self._previous or threading.current_thread() is not threading.main_thread():
            return
        self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
        for number in PREEMPTING:
            self._previous[number] = signal.signal(number, self._preempt)

    def give_back(self) -> None:
        """Set the handlers again that were there before, but for signals that have been given another since.

        At the end of a run Lightning sets all handlers of before the run again; then what was there before `take` were
        Lightning's own, which would keep its trainer and all weights in memory, and the process from being stopped.
        """
        while self._previous:
            number, handler = self._previous.popitem()
            if signal.getsignal(number) in (self._interrupt, self._preempt):
                # None: it was not set from Python, and cannot be set again from there.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.requested is Stop.INTERRUPT:
            raise Interrupted("interrupted without saving")
        self.requested = max(self.requested, Stop.INTERRUPT)

    def _preempt(self, number: int, frame: FrameType | None) -> None:
        self.requested = Stop.PREEMPTION
