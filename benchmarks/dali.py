"""Loading by DALI against our own: the largest difference, and images a second.

    python -m benchmarks.dali [FOLDER] [--files 400] [--rounds 5] [--batch-size 16] [--compared 400]

First, values: the evaluation geometry at 448 px, all 192 channels, dequantised, by sampling of the files. Then, speed:
epochs of the training transform, from files that the system's cache holds, by turns in one process. What a loader has
prepared ahead of its turn is not counted: time begins with its eighth batch. Without a folder it uses
$FREQLEARN_DATA/imagenet-sample.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import freqlearn as fl
from benchmarks.loading import computed_s, flat_folder
from benchmarks.photos import sample_folder
from benchmarks.report import table, write
from freqlearn import presets
from freqlearn.pipelines.bench.timing import Ratio, Timing
from freqlearn.pipelines.dali import make_dali_loader, make_dali_native_loader
from freqlearn.pipelines.dali.pixels import PixelsToInput
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.loaders import make_loader

DCT = fl.InputSpec.preset("imagenet-448").select(fl.ChannelSet.square(24))
ALL = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 448, 512)
# More than any of the loaders prepares ahead.
AHEAD = 8
FASTEST = "ours, 2 workers"
# A decoder clamps to 0..255; where a block comes nearer to black or white than this, it may have, before a resize.
NEAR_PX = 32


@dataclass
class Differences:
    """What a group of files adds up to.

    Attributes:
        largest: Of any coefficient.
        largest_inside: Of any coefficient of a block that is nowhere near black or white.
        squares: Sum of squares for Y, Cb, Cr.
        count: Coefficients of each.
        files: How many.
    """

    largest: float = 0.0
    largest_inside: float = 0.0
    squares: torch.Tensor | float = 0.0
    count: int = 0
    files: int = 0

    def add(self, difference: torch.Tensor, inside: torch.Tensor) -> None:
        """Take in a file's (192, h, w) difference; `inside`: (h, w) bool."""
        self.largest = max(self.largest, difference.abs().max().item())
        if inside.any():
            self.largest_inside = max(self.largest_inside, difference[:, inside].abs().max().item())
        planes = difference.reshape(3, -1).double()
        self.squares = self.squares + planes.square().sum(1)
        self.count += planes.shape[1]
        self.files += 1

    def row(self, name: str) -> dict[str, object]:
        """For the screen."""
        rms = torch.as_tensor(self.squares / self.count).sqrt().tolist()
        return {
            "files": name,
            "number": self.files,
            "largest": f"{self.largest:.1f}",
            "largest, blocks inside": f"{self.largest_inside:.1f}",
            **{f"{component} rms": f"{value:.2f}" for component, value in zip(("Y", "Cb", "Cr"), rms, strict=True)},
        }


def sampling_of(path: Path) -> str:
    """What a table calls a file's sampling."""
    sampling = fl.read_info(path).sampling
    if len(sampling) == 1:
        return "gray"
    if len(set(sampling)) == 1:
        return "4:4:4"
    return {((2, 2), (1, 1), (1, 1)): "4:2:0", ((2, 1), (1, 1), (1, 1)): "4:2:2"}.get(tuple(sampling), "other")


def compare(folder: ClassFolder, *, batch_size: int = 16) -> dict[str, Differences]:
    """DALI's channels minus ours, by sampling."""
    found: dict[str, Differences] = {}
    ours, theirs = presets.classification_eval(ALL), PixelsToInput(ALL)
    reader = make_dali_loader(folder, ALL, batch_size=batch_size, shuffle=False).reader
    reader.start(None)
    paths = iter(folder.paths())
    while (batch := reader.next()) is not None:
        # Beyond the folder's end DALI repeats the last file.
        for pixels, path in zip(batch[0], paths, strict=False):
            blocks = pixels.unflatten(1, (-1, 8)).unflatten(0, (-1, 8))  # (h, 8, w, 8, 3)
            inside = (blocks.amin((1, 3, 4)) > NEAR_PX) & (blocks.amax((1, 3, 4)) < 255 - NEAR_PX)
            difference = theirs(pixels[None])[0] - ours(path)
            found.setdefault(sampling_of(path), Differences()).add(difference, inside)
    return found


def loaders(folder: ClassFolder, batch_size: int) -> dict[str, Any]:
    """What is compared, by name."""
    common: dict[str, Any] = {"batch_size": batch_size, "shuffle": True}
    counts = {1: "1 worker", 2: "2 workers"}
    return {
        **{f"ours, {name}": make_loader(folder, DCT, num_workers=n, **common) for n, name in counts.items()},
        **{
            f"DALI to RGB, {n} thread{'s' * (n > 1)}": make_dali_loader(folder, DCT, num_threads=n, **common)
            for n in counts
        },
        **{
            f"ours in DALI, {name}": make_dali_native_loader(folder, DCT, num_workers=n, **common)
            for n, name in counts.items()
        },
    }


def measure(compared: Mapping[str, Any], *, batch_size: int, rounds: int) -> dict[str, Timing]:
    """Every loader goes through an epoch in every round, after one that does not count."""
    timings = {name: Timing() for name in compared}
    for number in range(rounds + 1):
        for name, loader in compared.items():
            cpu = wall = 0.0
            for batches, _ in enumerate(loader, start=1):
                if batches == AHEAD:
                    cpu, wall = computed_s(), time.perf_counter()
            if number:
                files = (batches - AHEAD) * batch_size
                timings[name].wall.append((time.perf_counter() - wall) / files * 1e3)
                timings[name].cpu.append((computed_s() - cpu) / files * 1e3)
    return timings


def speed_rows(timings: Mapping[str, Timing]) -> list[dict[str, object]]:
    """For the screen."""
    return [
        {
            "loader": name,
            "images/s": f"{1e3 / timing.median:.0f}",
            "ms a file": f"{timing.median:.2f}",
            "computed ms": f"{statistics.median(timing.cpu):.2f}",
            f"times as long as {FASTEST}": str(Ratio.of(timing, timings[FASTEST])),
        }
        for name, timing in timings.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--files", type=int, default=400, help="loaded an epoch")
    parser.add_argument("--compared", type=int, default=400, help="files whose values are compared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args(arguments)
    if options.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    torch.set_num_threads(1)
    differences = compare(flat_folder(options.folder, options.compared))
    values = [found.row(name) for name, found in sorted(differences.items())]
    print(table(values))
    folder = flat_folder(options.folder, options.files)
    if len(folder) // options.batch_size <= AHEAD:
        parser.error(f"expected more than {AHEAD} batches of {options.batch_size}, got {len(folder)} files")
    timings = measure(loaders(folder, options.batch_size), batch_size=options.batch_size, rounds=options.rounds)
    speed = speed_rows(timings)
    print(table(speed))
    result = {"compared": sum(found.files for found in differences.values()), "values": values}
    print(f"written to {write('dali', {**result, 'files': len(folder), 'rounds': options.rounds, 'speed': speed})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
