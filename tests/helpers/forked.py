"""A process that may be killed: a copy of this one, which has imported everything."""

import multiprocessing
import os
from collections.abc import Callable


def exit_status(run: Callable[[], int]) -> int:
    """What a process that calls a function ends with: the result, or minus the number of the signal that ended it."""
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(run()))
    process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError("still running after two minutes")
    return process.exitcode
