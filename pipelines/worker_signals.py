"""Loader processes leave it to the main process to stop: it finishes its step first, and needs them for that."""

import multiprocessing
import os
import signal
import threading


def leave_stopping_to_main(worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM, which reach a whole process group or job; but for a SIGTERM of the main process.

    A `worker_init_fn` for DataLoader. One that has died of a signal would make the main process fail in its next step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    main = multiprocessing.parent_process()
    if main is not None and hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows: SIGTERM ends the process there
        # Blocked here, and so in all threads that begin later, SIGTERM waits for the one that asks who has sent it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_main_says_so, args=(main.pid,), daemon=True).start()


def _end_when_main_says_so(main: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != main:
        pass
    os._exit(0)
