"""The memory high-water mark of a peer: each in a process of its own, above what it had before the first photo.

python -m freqlearn.pipelines.bench.memory WORKLOAD PEER FILE...   # what the parent runs; prints JSON
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from freqlearn.pipelines.bench.peers import UnavailableError, first_line

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5)


def high_water(workload: str, peer: str, files: Sequence[Path]) -> dict[str, float]:
    """Measure one peer.

    Args:
        workload: Key of the workload.
        peer: Name of its row.
        files: JPEG files.

    Returns:
        MB: "before" the first photo, interpreter and libraries and the files' bytes; "added" at most by working
        through the photos.

    Raises:
        UnavailableError: If the peer or the system cannot.
    """
    if not _CLEAR.exists():
        raise UnavailableError("needs Linux's /proc to read a process's high-water mark")
    command = [sys.executable, "-m", "freqlearn.pipelines.bench.memory", workload, peer, *map(str, files)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | one_thread)
    if done.returncode:
        complaint = done.stderr.strip().splitlines() or ["no message"]
        raise UnavailableError(complaint[-1][:160])
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _megabytes(key: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024 / 1e6


def _child(key: str, name: str, files: Sequence[str]) -> dict[str, float]:
    from freqlearn.pipelines.bench.photos import Photo
    from freqlearn.pipelines.bench.timing import threads
    from freqlearn.pipelines.bench.workloads import workloads

    peers = [peer for workload in workloads() if workload.key == key for peer in workload.peers if peer.name == name]
    if not peers:
        raise ValueError(f"expected a row of the workload {key!r}, got {name!r}")
    photos = [Photo.read(Path(file)) for file in files]
    with threads(1):
        run = peers[0].make()
        before = _megabytes("VmRSS")
        _CLEAR.write_text(_RESET_PEAK)
        run(photos)
    return {"before": before, "added": _megabytes("VmHWM") - before}


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(_child(sys.argv[1], sys.argv[2], sys.argv[3:])) + "\n")
    except Exception as failure:
        sys.exit(f"{type(failure).__name__}: {first_line(failure)}")
