"""What every benchmark shares: the table on the screen, the JSON beside it, and the machine that it ran on."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

RESULTS = Path("runs") / "benchmarks"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out rows with the same keys as text: first column left, the others right."""
    if not rows:
        return "(no rows)"
    head = list(rows[0])
    cells = [head, *([str(row[key]) for key in head] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def machine() -> dict[str, object]:
    """The facts that a reader of a number wants: processor, cores, versions."""
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": cpu,
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
