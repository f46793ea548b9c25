"""The picture of docs/detection.md: what a small Mask R-CNN on DCT-24 finds in generated scenes that it has not seen.

    python -m benchmarks.detection_picture [OUTPUT] [--scenes 96] [--epochs 12]

Writes scenes of shapes, trains on some, and draws six others with `detect predict`; prints the average precision on all
of the others. Nothing of it is a photo, so that anybody may have it. OUTPUT is docs/detection.png by default.
"""

import argparse
import logging
import tempfile
from pathlib import Path

from PIL import Image

from freqlearn.pipelines.detection.evaluating import evaluate_detector
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.predicting import predict
from freqlearn.pipelines.detection.shapes import write_shapes
from freqlearn.pipelines.detection.training import train_detector

SIZE_PX = 128
SHOWN, COLUMNS = 6, 3
_GAP_PX = 8


def options(train: Path, output: Path, *, epochs: int) -> DetectOptions:
    """A training of some minutes on a processor's core."""
    return DetectOptions(
        images=train / "images",
        annotations=train / "instances.json",
        val_fraction=0,
        output=output,
        channels="24",
        min_size=SIZE_PX * 3 // 4,
        max_size=SIZE_PX,
        norm="batch",
        min_anchor=16,
        proposals=100,
        rois=32,
        detections=20,
        epochs=epochs,
        lr=1e-3,
        workers=0,
        progress=False,
    )


def grid(pictures: list[Image.Image]) -> Image.Image:
    """Pictures side by side, each in the middle of its cell, on white."""
    width, height = (max(picture.size[axis] for picture in pictures) + _GAP_PX for axis in (0, 1))
    rows = -(-len(pictures) // COLUMNS)
    drawn = Image.new("RGB", (COLUMNS * width - _GAP_PX, rows * height - _GAP_PX), "white")
    for number, picture in enumerate(pictures):
        row, column = divmod(number, COLUMNS)
        left = column * width + (width - _GAP_PX - picture.width) // 2
        top = row * height + (height - _GAP_PX - picture.height) // 2
        drawn.paste(picture, (left, top))
    return drawn


def main() -> None:
    """Draw it, in 256 colours, which make a file of a third of the size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?", default=Path("docs/detection.png"))
    parser.add_argument("--scenes", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=12)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = write_shapes(folder / "train", images=chosen.scenes, size_px=SIZE_PX, seed=0)
        others = write_shapes(folder / "others", images=24, size_px=SIZE_PX, seed=1)
        checkpoint = train_detector(options(train, folder / "run", epochs=chosen.epochs)).checkpoint
        print(evaluate_detector(checkpoint, others / "images", others / "instances.json", workers=0, progress=False))
        files = sorted((others / "images").iterdir())[:SHOWN]
        drawn = [found.picture for found in predict(checkpoint, files, output=folder / "drawn")]
        pictures = [Image.open(picture).convert("RGB") for picture in drawn if picture is not None]
        grid(pictures).quantize(256).save(chosen.output, optimize=True)
    print(f"{chosen.output}: {chosen.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
