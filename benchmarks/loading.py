"""Milliseconds from JPEG bytes to what a network takes, frequency channels beside RGB, one thread.

    python -m benchmarks.loading [FOLDER] [--files 100] [--runs 5]

Without a folder it uses $FREQLEARN_DATA/imagenet-sample, or else writes photo-sized JPEG files of noise with a 1/f
spectrum. All rows run over the same files in turn, run by run, so that the ratios survive a busy machine.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms import v2

import freqlearn as fl
from benchmarks.photos import jpeg_files, sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines import planted

BASELINE = "RGB: decode, RandomResizedCrop(224), flip (Pillow)"


def standardised(channels: fl.ChannelSet) -> fl.InputSpec:
    """An InputSpec whose mean and deviation cost what real ones cost."""
    return fl.InputSpec.unstandardised(channels, size_px=448, resize_px=512)


def contestants() -> dict[str, Callable[[bytes], object]]:
    """Name of a row -> what is timed, from bytes."""
    rgb = v2.Compose(
        [
            v2.RandomResizedCrop(224, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def decode_rgb(data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data)).convert("RGB")

    rows: dict[str, Callable[[bytes], object]] = {
        BASELINE: lambda data: rgb(decode_rgb(data)),
        "RGB: decode alone (Pillow)": decode_rgb,
        "coefficients: all planes (native)": lambda data: fl.read_dct(data, decoder="native").planes,
        "coefficients: headers alone": fl.read_info,
    }
    for name, channels in {
        "DCT-24": fl.ChannelSet.square(24),
        "DCT-64": fl.ChannelSet.square(64),
        "DCT-192": fl.ChannelSet.all(),
    }.items():
        rows[f"{name}: RandomResizedCrop(448), flip"] = fl.presets.classification_train(standardised(channels))
    return rows


def time_files(files: list[bytes], runs: int) -> dict[str, list[float]]:
    """Milliseconds a file of each row, one number a run."""
    rows = contestants()
    for work in rows.values():
        work(files[0])
    times: dict[str, list[float]] = {name: [] for name in rows}
    for run in range(runs):
        for name, work in rows.items():
            torch.manual_seed(run)
            start = time.perf_counter()
            for data in files:
                work(data)
            times[name].append(1e3 * (time.perf_counter() - start) / len(files))
    return times


def load(folder: Path, count: int) -> list[bytes]:
    """The bytes of the first `count` JPEG files below a folder, in the order of their names."""
    return [path.read_bytes() for path in jpeg_files(folder)[:count]]


def main() -> None:
    """Time, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of JPEG files")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder: Path | None = arguments.folder or sample_folder()
    if folder is None:
        with tempfile.TemporaryDirectory() as made:
            planted.write(Path(made), size_px=448, plants=1, train_per_class=-(-arguments.files // 2), val_per_class=1)
            files, origin = load(Path(made), arguments.files), "planted files, 448 px"
    else:
        files, origin = load(folder, arguments.files), folder.name
    times = time_files(files, arguments.runs)
    middle = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        {
            "one thread": name,
            "ms a file": f"{value:.2f}",
            "least-most": f"{min(times[name]):.2f}-{max(times[name]):.2f}",
            "of the RGB loader": f"{value / middle[BASELINE]:.2f}",
        }
        for name, value in middle.items()
    ]
    print(f"{len(files)} files ({origin}), median of {arguments.runs} runs\n{table(rows)}")
    print("written:", write("loading", {"files": len(files), "origin": origin, "runs": arguments.runs, "ms": times}))


if __name__ == "__main__":
    main()
