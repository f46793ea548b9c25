"""What every benchmark shares: the table on the screen, the JSON or CSV beside it, and the machine that it ran on."""

import csv
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from freqlearn.pipelines.bench.machine import processor
from freqlearn.pipelines.tables import table

__all__ = ["machine", "table", "write", "write_rows"]

RESULTS = Path("runs") / "benchmarks"


def machine() -> dict[str, object]:
    """The facts that a reader of a number wants: processor, cores, versions."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def write(name: str, result: Mapping[str, Any], *, folder: Path = RESULTS) -> Path:
    """Write a benchmark's result with the command and the machine as `folder/name.json`; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    command = " ".join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]])
    path.write_text(json.dumps({"command": command, "machine": machine(), **result}, indent=2) + "\n")
    return path


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows, all with the columns of the first, as a CSV file; return its path."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path
