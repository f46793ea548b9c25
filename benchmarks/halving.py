"""What is left of each frequency channel at half the resolution: the case for and against low DCT channels.

    python -m benchmarks.halving [FOLDER] [--images 60]

A network with octave convolutions keeps its low channels averaged over 2x2 places (`--octave-input` does so with DCT
channels). This prints, for every channel, the share of its variance that the averages still have: 1 for maps that are
constant over 2x2 blocks, 1/4 for white noise, less where neighbours are opposed. Images are cropped to 448 px;
variances are summed over the images. FOLDER is $FREQLEARN_DATA/imagenet-sample by default.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.photos import jpeg_files, sample_folder
from benchmarks.report import write
from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.indexing import COMPONENTS
from freqlearn.models.octave import halve
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.all(), 448, 512)


def kept_variance(files: list[Path]) -> Tensor:
    """(3, 8, 8) float64: by component, v and u, the variance after halving as a share of the one before."""
    transform = presets.classification_eval(SPEC)
    before, after = torch.zeros(2, len(ChannelSet.all()), dtype=torch.float64)
    for file in files:
        maps = transform(file)[None].double()  # (1, 192, 56, 56)
        before += maps.var(dim=(0, 2, 3))
        after += halve(maps).var(dim=(0, 2, 3))
    return (after / before).reshape(len(COMPONENTS), 8, 8)


def main() -> None:
    """Print a table of 8x8 for each component and write runs/benchmarks/halving.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--images", type=int, default=60, help="how many of them")
    arguments = parser.parse_args()
    if arguments.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    files = jpeg_files(arguments.folder)[: arguments.images]
    kept = kept_variance(files)
    for name, table in zip(COMPONENTS, kept, strict=True):
        print(f"{name}, v downwards, u to the right")
        print("\n".join("  ".join(f"{share:.2f}" for share in row) for row in table.tolist()))
    print(f"written: {write('halving', {'images': len(files), 'kept': kept.tolist()})}")


if __name__ == "__main__":
    main()
