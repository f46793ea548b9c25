"""All benchmarks, one after the other: `python -m benchmarks`. Each also runs alone: `python -m benchmarks.NAME`."""

import os
import subprocess
import sys
from pathlib import Path


def commands() -> list[list[str]]:
    """The benchmarks to run here; parity only where there are photos to compare."""
    photos = os.environ.get("FREQLEARN_DATA")
    parity = [["benchmarks.parity", str(Path(photos) / "imagenet-sample")]] if photos else []
    if not parity:
        print("FREQLEARN_DATA names no folder of photos: benchmarks.parity is left out\n")
    return [*parity, ["benchmarks.loading"], ["benchmarks.models"], ["benchmarks.planted"]]


def main() -> int:
    """Run them; return 1 if any failed."""
    failed = []
    for module, *arguments in commands():
        print("$ python -m", module, *arguments, flush=True)
        if subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode:
            failed.append(module)
        print(flush=True)
    if failed:
        print("failed:", ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
