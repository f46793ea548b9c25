"""`freqlearn bench` on the sample photos: everything that docs/performance.md says of speed and memory.

    python -m benchmarks.speed [FOLDER] [options of freqlearn bench]

Without a folder it uses $FREQLEARN_DATA/imagenet-sample, or else writes photo-sized JPEG files of noise with a 1/f
spectrum. The result goes to runs/benchmarks/speed.json; `python -m benchmarks.page` puts it into the documentation.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.photos import sample_folder
from benchmarks.report import RESULTS
from freqlearn.pipelines import planted
from freqlearn.pipelines.cli import main as freqlearn

PLANTED_PX = 448


def main(arguments: list[str]) -> int:
    """Run the command with a folder and an output of our own; return its exit status."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    options = ["--output", str(RESULTS / "speed.json")]
    if arguments and not arguments[0].startswith("-"):
        return freqlearn(["bench", arguments[0], *options, *arguments[1:]])
    folder = sample_folder()
    if folder is not None:
        return freqlearn(["bench", str(folder), *options, *arguments])
    with tempfile.TemporaryDirectory() as made:
        planted.write(Path(made), size_px=PLANTED_PX, plants=1, train_per_class=50, val_per_class=1)
        return freqlearn(["bench", made, *options, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
