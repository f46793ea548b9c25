"""All benchmarks, one after the other: `python -m benchmarks`. Each also runs alone: `python -m benchmarks.NAME`."""

import subprocess
import sys

from benchmarks.photos import sample_folder

PHOTOS = ("parity", "geometry", "tolerance", "loading", "halving", "encoding", "pruning", "packing")


def commands() -> list[list[str]]:
    """The benchmarks to run here; those that need photos only where there are some."""
    photos = sample_folder()
    of_photos = [[f"benchmarks.{name}", str(photos)] for name in PHOTOS] if photos else []
    if not of_photos:
        print(f"FREQLEARN_DATA names no folder of photos: {', '.join(PHOTOS)} are left out\n")
    return [
        *of_photos,
        ["benchmarks.boxes"],
        ["benchmarks.speed"],
        ["benchmarks.models"],
        ["benchmarks.costs"],
        ["benchmarks.planted"],
        ["benchmarks.fft_conv"],
        ["benchmarks.octave_speed"],
    ]


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
