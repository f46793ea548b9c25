"""What packing gives and costs: bytes, speed, and the error in a model's channels.

    python -m benchmarks.packing [FOLDER] [--files 100] [--rounds 7]

Photos are packed for two models of DCT-24, at 448 px (short side 512) and at 224 px (256), in memory, and compared
with themselves as they were, written anew, and pruned; for that at 448 px also mosaics of 12 megapixels. Times are
those of a processor from the bytes of a file to the model's input, one photo after the other, in turns; "times RGB 224"
compares with torchvision's decoder and transforms of tensors, from the original files. Without a folder it uses
$FREQLEARN_DATA/imagenet-sample.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

import freqlearn as fl
from benchmarks.packing import errors, speed
from benchmarks.photos import sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines.bench.photos import load, mosaics
from freqlearn.pipelines.bench.running import MAX_BYTES, MOSAIC_BYTES
from freqlearn.pipelines.bench.timing import threads
from freqlearn.repacking import Repacking

CHANNELS = fl.ChannelSet.square(24)
SPEC = fl.InputSpec.preset("imagenet-448").select(CHANNELS)
SMALL = replace(SPEC, size_px=224, resize_px=256)
SCALES = ((0.08, 1.0), (0.35, 1.0))
MOSAICS = 4

Row = dict[str, object]


def evaluation_rows(photos: Sequence[bytes], spec: fl.InputSpec) -> list[Row]:
    """The error of evaluation from packed files, by quality."""
    sizes = spec.resize_px or spec.size_px, spec.size_px
    packings = {
        f"24 channels, quality {quality}": Repacking(*sizes, channels=CHANNELS, quality=quality)
        for quality in speed.QUALITIES
    }
    found = errors.eval_errors(photos, spec, packings)
    return [{"packed with": name, **each.columns(list(CHANNELS))} for name, each in found.items()]


def crop_rows(photos: Sequence[bytes], spec: fl.InputSpec) -> list[Row]:
    """The error of random resized crops, by the channels that the files carry, and by quality."""
    sizes = spec.resize_px or spec.size_px, spec.size_px
    packings = {
        f"{name} channels, unrounded": Repacking(*sizes, channels=channels, quant_tables=errors.UNROUNDED)
        for name, channels in errors.CARRIED.items()
    } | {
        f"{name} channels, quality {quality}": Repacking(*sizes, channels=errors.CARRIED[name], quality=quality)
        for name in ("64", "192")
        for quality in speed.QUALITIES
    }
    return [
        {"packed with": name, "area of the crops": f"{low:.0%} to {high:.0%}", **each.columns(list(CHANNELS))}
        for low, high in SCALES
        for name, each in errors.crop_errors(photos, spec, packings, scale=(low, high)).items()
    ]


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
    encoded = [photo.data for photo in photos]
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch, threads(1), torch.inference_mode():
        large = mosaics(photos, Path(scratch), count=MOSAICS, min_bytes=MOSAIC_BYTES)
        for name, some, spec, only in (
            ("448", photos, SPEC, ()),
            ("224", photos, SMALL, ()),
            ("large", large, SPEC, speed.FEW),
        ):
            found[name] = speed.rows(some, spec, rounds=options.rounds, only=only)
            print(table(found[name]), end="\n\n", flush=True)
        for name, rows in (("evaluation", evaluation_rows(encoded, SPEC)), ("crops", crop_rows(encoded, SPEC))):
            found[name] = rows
            print(table(rows), end="\n\n", flush=True)
    print(f"written to {write('packing', {'photos': len(photos), **found})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
