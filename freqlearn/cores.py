"""This machine's cores."""

import os


def available_cores() -> int:
    """Return how many cores this process may use: its share of them, where torchrun has started several."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(1, cores // max(1, int(processes))) if processes.isdecimal() else cores
