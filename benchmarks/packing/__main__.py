"""What packing gives and costs: bytes, speed, and the error in a model's channels.

    python -m benchmarks.packing [FOLDER] [--files 100] [--rounds 7]

Photos are packed for a model of DCT-24 at 448 px (short side 512), in memory, and compared with themselves as they were,
written anew, and pruned. Times are those of a processor from the bytes of a file to the model's input, one photo after
the other, in turns; "as RGB 224" compares with torchvision's decoder and transforms of tensors, from the original files.
Without a folder it uses $FREQLEARN_DATA/imagenet-sample.
"""

import argparse
import sys
from pathlib import Path

import torch

import freqlearn as fl
from benchmarks.packing import errors, speed
from benchmarks.photos import sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines.bench.photos import load
from freqlearn.pipelines.bench.running import MAX_BYTES
from freqlearn.pipelines.bench.timing import threads
from freqlearn.repacking import Repacking

CHANNELS = fl.ChannelSet.square(24)
SPEC = fl.InputSpec.preset("imagenet-448").select(CHANNELS)
SCALES = ((0.08, 1.0), (0.35, 1.0))


def error_rows(photos: list[bytes]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Of evaluation by quality; of random resized crops by the channels that the files carry, and by quality."""
    sizes = SPEC.resize_px or SPEC.size_px, SPEC.size_px
    by_quality = {
        f"24 channels, quality {quality}": Repacking(*sizes, channels=CHANNELS, quality=quality)
        for quality in speed.QUALITIES
    }
    evaluation: list[dict[str, object]] = [
        {"packed with": name, **found.columns(list(CHANNELS))}
        for name, found in errors.eval_errors(photos, SPEC, by_quality).items()
    ]
    packings = {
        f"{name} channels, unrounded": Repacking(*sizes, channels=channels, quant_tables=errors.UNROUNDED)
        for name, channels in errors.CARRIED.items()
    } | {f"192 channels, quality {quality}": Repacking(*sizes, quality=quality) for quality in speed.QUALITIES}
    crops: list[dict[str, object]] = []
    for scale in SCALES:
        for name, found in errors.crop_errors(photos, SPEC, packings, scale=scale).items():
            crops.append({"packed with": name, "crop's area": _span(scale), **found.columns(list(CHANNELS))})
    return evaluation, crops


def _span(scale: tuple[float, float]) -> str:
    return f"{100 * scale[0]:.0f} to {100 * scale[1]:.0f} %"


def main() -> int:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    photos = load(options.folder, count=options.files, max_bytes=MAX_BYTES)
    with threads(1), torch.inference_mode():
        found = {"files": speed.rows(photos, SPEC, rounds=options.rounds)}
        found["evaluation"], found["crops"] = error_rows([photo.data for photo in photos])
    for rows in found.values():
        print(table(rows), end="\n\n")
    print(f"written to {write('packing', {'photos': len(photos), **found})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
