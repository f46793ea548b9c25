"""Train everything that docs/results.md compares on flowers.

    python -m benchmarks.flowers [--seeds 0 1 2] [--only main-rgb main-square ...] [--epochs 15] [--output runs/flowers]

ResNet-18 from scratch on $FREQLEARN_DATA/flowers. On two cores it takes hours. It may be interrupted and started again;
several may run at once (with OMP_NUM_THREADS=1 each), and share the work.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from benchmarks.flowers.running import Experiment, run
from benchmarks.flowers.variants import VARIANTS


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--only", choices=names, nargs="+", default=names, metavar="VARIANT", help=", ".join(names))
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path("runs") / "flowers")
    options = parser.parse_args()
    data = os.environ.get("FREQLEARN_DATA")
    if not data or not (Path(data) / "flowers" / "train").is_dir():
        sys.exit("set FREQLEARN_DATA to a folder with flowers/train/CLASS and flowers/val/CLASS")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    experiment = Experiment(Path(data) / "flowers", options.output, options.epochs)
    for seed in options.seeds:
        for variant in VARIANTS:
            if variant.name in options.only:
                run(experiment, variant, seed)


if __name__ == "__main__":
    main()
