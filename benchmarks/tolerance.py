"""What a tolerance buys and costs: speed and error of the evaluation transform for a few values.

    python -m benchmarks.tolerance [FOLDER] [--files 100] [--rounds 7] [--values 0.03 0.1 0.3 1 3]

Photos are brought to 448 px; 12-megapixel mosaics are made of them, where antialiasing leaves the most small weights.
Errors are of dequantised coefficients of all channels of DCT-24, against tolerance 0. Without a folder it uses
$FREQLEARN_DATA/imagenet-sample.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import freqlearn as fl
from benchmarks.photos import sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines.bench.peers import Pass, each
from freqlearn.pipelines.bench.photos import Photo, load, mosaics
from freqlearn.pipelines.bench.running import MAX_BYTES, MOSAIC_BYTES
from freqlearn.pipelines.bench.timing import Ratio, measure, threads

CHANNELS = fl.ChannelSet.square(24)
Row = dict[str, object]


def transform(tolerance: float, *, resize_px: int) -> fl.transforms.Compose:
    """Resize and centre crop to 448 px, dequantised channels."""
    return fl.transforms.Compose(
        [
            fl.transforms.ReadDCT(),
            fl.transforms.Resize(resize_px),
            fl.transforms.CenterCrop(448),
            fl.transforms.ToFrequencyTensor(CHANNELS, tolerance=tolerance),
        ]
    )


def errors(photos: Sequence[Photo], tolerance: float, *, resize_px: int) -> tuple[float, float]:
    """(largest, root mean square) difference from tolerance 0."""
    exact, close = (transform(value, resize_px=resize_px) for value in (0.0, tolerance))
    apart = [(exact(photo.data) - close(photo.data)).double() for photo in photos]
    largest = max(float(difference.abs().max()) for difference in apart)
    return largest, float(np.sqrt(np.mean([float(difference.square().mean()) for difference in apart])))


def rows(name: str, photos: Sequence[Photo], values: Sequence[float], *, resize_px: int, rounds: int) -> list[Row]:
    """One row a tolerance, the first of which is 0."""
    passes: dict[str, Pass] = {}
    for value in values:
        work = transform(value, resize_px=resize_px)
        passes[f"{value:g}"] = each(lambda photo, work=work: work(photo.data))
        passes[f"{value:g}"](photos)
    timings = measure(passes, photos, rounds=rounds)
    found: list[Row] = []
    for value in values:
        timing = timings[f"{value:g}"]
        largest, rms = errors(photos, value, resize_px=resize_px)
        found.append(
            {
                "photos": name,
                "tolerance": f"{value:g}",
                "ms a photo": f"{timing.median:.2f}",
                "times as fast as 0": str(Ratio.of(timings["0"], timing)),
                "largest error": f"{largest:.3g}",
                "rms error": f"{rms:.3g}",
            }
        )
    return found


def main() -> int:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--values", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0, 3.0])
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    values = [0.0, *(value for value in options.values if value)]
    photos = load(options.folder, count=options.files, max_bytes=MAX_BYTES)
    with tempfile.TemporaryDirectory() as scratch, threads(1), torch.inference_mode():
        large = mosaics(photos, Path(scratch), count=4, min_bytes=MOSAIC_BYTES)
        found = [
            *rows(f"{len(photos)} of {options.folder.name}", photos, values, resize_px=512, rounds=options.rounds),
            *rows(f"{len(large)} of 12 megapixels", large, values, resize_px=448, rounds=options.rounds),
        ]
    print(table(found))
    print(f"written to {write('tolerance', {'rows': found})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
