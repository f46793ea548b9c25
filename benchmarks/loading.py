"""Loaders against each other: processes or threads, batches or samples, frequency channels or RGB.

    python -m benchmarks.loading [FOLDER] [--files 512] [--rounds 7] [--batch-size 32]

Whole epochs of the training transform, from files that the system's cache holds, workers running already. Nothing is
done with the batches. Without a folder it uses $FREQLEARN_DATA/imagenet-sample.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import freqlearn as fl
from benchmarks.photos import jpeg_files, sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines.bench.timing import Ratio, Timing
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.loaders import ImageLoader, make_loader

DCT = fl.InputSpec.preset("imagenet-448").select(fl.ChannelSet.square(24))
RGB = fl.InputSpec.preset("imagenet-rgb")
WORKERS = {
    "0 workers, 1 thread": {"num_workers": 0, "num_threads": 1},
    "0 workers, 2 threads": {"num_workers": 0, "num_threads": 2},
    "1 worker, 1 thread": {"num_workers": 1, "num_threads": 1},
    "1 worker, 2 threads": {"num_workers": 1, "num_threads": 2},
    "2 workers, 1 thread": {"num_workers": 2, "num_threads": 1},
}
FASTEST = "2 workers, 1 thread"


class Alone:
    """A transform that cannot be taken apart, so that every sample is decoded by itself."""

    def __init__(self, transform: Callable[[Any], torch.Tensor]) -> None:
        self.transform = transform

    def __call__(self, data: bytes) -> torch.Tensor:
        """Transform one sample."""
        return self.transform(data)


def flat_folder(root: Path, count: int) -> ClassFolder:
    """JPEG files of a folder, at any depth, as if they were of one class; evenly spread over their names."""
    files = jpeg_files(root)
    chosen = files[:: max(1, len(files) // count)][:count]
    names = np.array([os.fsencode(path.relative_to(root)) for path in chosen])
    return ClassFolder(root, ("photos",), names, np.zeros(len(chosen), np.int64))


def loaders(folder: ClassFolder, batch_size: int) -> dict[str, ImageLoader]:
    """What is compared, by name; the last samples of an epoch are loaded too."""
    together = fl.presets.classification_train(DCT)

    def make(transform: Any, options: Mapping[str, int]) -> ImageLoader:
        return make_loader(folder, transform, batch_size=batch_size, shuffle=True, drop_last=False, **options)

    workers_alone = {name: options for name, options in WORKERS.items() if options["num_threads"] == 1}
    return {
        **{f"DCT-24 by batches, {name}": make(together, options) for name, options in WORKERS.items()},
        **{f"DCT-24 by samples, {name}": make(Alone(together), options) for name, options in workers_alone.items()},
        **{f"RGB 224 by Pillow, {name}": make(RGB, options) for name, options in workers_alone.items()},
    }


def computed_s() -> float:
    """What this process and its workers have computed so far, in seconds (Linux)."""
    ticks = 0
    for pid in (os.getpid(), *(process.pid for process in multiprocessing.active_children())):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(compared: Mapping[str, ImageLoader], files: int, *, rounds: int) -> dict[str, Timing]:
    """Every loader goes through an epoch in every round, after one that does not count."""
    timings = {name: Timing() for name in compared}
    for number in range(rounds + 1):
        for name, loader in compared.items():
            cpu, wall = computed_s(), time.perf_counter()
            for _ in loader:
                pass
            if number:
                timings[name].wall.append((time.perf_counter() - wall) / files * 1e3)
                timings[name].cpu.append((computed_s() - cpu) / files * 1e3)
    return timings


def main() -> int:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--files", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    torch.set_num_threads(1)
    folder = flat_folder(options.folder, options.files)
    timings = measure(loaders(folder, options.batch_size), len(folder), rounds=options.rounds)
    fastest = timings[f"DCT-24 by batches, {FASTEST}"]
    rows = [
        {
            "loader": name,
            "ms a file": f"{timing.median:.2f}",
            "computed ms": f"{statistics.median(timing.cpu):.2f}",
            f"times as long as by batches, {FASTEST}": str(Ratio.of(timing, fastest)),
        }
        for name, timing in timings.items()
    ]
    print(table(rows))
    print(f"written to {write('loading', {'files': len(folder), 'rows': rows})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
