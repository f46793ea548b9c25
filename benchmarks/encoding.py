"""What `DCTImage.from_rgb` takes beside Pillow's and simplejpeg's encoders, with all channels and with a few.

    python -m benchmarks.encoding [FOLDER] [--images 40] [--quality 75] [--rounds 5]

Pixels to coefficients, and with `write_jpeg` to files, 4:2:0; the others' time is that of whole files. Processor time,
one thread; each encoder's best round counts, and rounds take turns. simplejpeg is one of freqlearn's extras `bench`.
FOLDER is $FREQLEARN_DATA/imagenet-sample by default.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import freqlearn as fl
from benchmarks.photos import jpeg_files, sample_folder
from benchmarks.report import table, write
from freqlearn.indexing import NUM_CHANNELS

Encoder = Callable[[NDArray[np.uint8]], int]


def encoders(quality: int) -> dict[str, Encoder]:
    """Encoders of (H, W, 3) uint8 pixels by name; each returns its file's bytes, 0 where there is none."""

    def pillow(rgb: NDArray[np.uint8], *, optimize: bool = False) -> int:
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling="4:2:0", optimize=optimize)
        return len(file.getvalue())

    def ours(rgb: NDArray[np.uint8], channels: fl.ChannelSet, optimise: bool | None) -> int:
        image = fl.DCTImage.from_rgb(rgb, quality=quality, channels=channels)
        return 0 if optimise is None else len(fl.write_jpeg(image, optimise=optimise))

    found: dict[str, Encoder] = {"Pillow": pillow, "Pillow, optimize": lambda rgb: pillow(rgb, optimize=True)}
    try:
        import simplejpeg
    except ImportError:
        pass
    else:
        found["simplejpeg"] = lambda rgb: len(
            simplejpeg.encode_jpeg(rgb, quality=quality, colorspace="RGB", colorsubsampling="420")
        )
    for channels in (fl.ChannelSet.all(), fl.ChannelSet.square(48), fl.ChannelSet.square(24)):
        name = f"freqlearn, {len(channels)} of {NUM_CHANNELS}"
        for what, optimise in (("coefficients", None), ("file", False), ("file, optimised", True)):
            found[f"{name}: {what}"] = lambda rgb, c=channels, o=optimise: ours(rgb, c, o)  # type: ignore[misc]
    return found


def measure(pictures: list[NDArray[np.uint8]], quality: int, rounds: int) -> list[dict[str, object]]:
    """A row for each encoder: its best round, in turns with the others so that all see the same machine."""
    found = encoders(quality)
    seconds = dict.fromkeys(found, float("inf"))
    sizes = dict.fromkeys(found, 0)
    for _ in range(rounds):
        for name, encoder in found.items():
            begin = time.process_time()
            sizes[name] = sum(map(encoder, pictures))
            seconds[name] = min(seconds[name], time.process_time() - begin)
    count = len(pictures)
    return [
        {
            "encoder": name,
            "ms a picture": f"{1000 * seconds[name] / count:.3f}",
            "of Pillow's": f"{seconds[name] / seconds['Pillow']:.2f}",
            "of simplejpeg's": f"{seconds[name] / seconds['simplejpeg']:.2f}" if "simplejpeg" in seconds else "",
            "kB a file": f"{sizes[name] / count / 1000:.1f}" if sizes[name] else "",
        }
        for name in found
    ]


def main() -> None:
    """Print the table and write runs/benchmarks/encoding.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--images", type=int, default=40, help="how many of them")
    parser.add_argument("--quality", type=int, default=75, help="1 to 100")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many")
    arguments = parser.parse_args()
    if arguments.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    files = jpeg_files(arguments.folder)[: arguments.images]
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    rows = measure(pictures, arguments.quality, arguments.rounds)
    print(table(rows))
    print(f"\nwritten to {write('encoding', {'images': len(files), 'quality': arguments.quality, 'rows': rows})}")


if __name__ == "__main__":
    main()
