"""What the commands that train on the flowers are told: which seeds, how long, and where to."""

import argparse
import logging
import os
import sys
from pathlib import Path

from benchmarks.flowers.running import Experiment


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """A parser of the arguments that these commands share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path("runs") / "flowers")
    return parser


def begin(options: argparse.Namespace) -> Experiment:
    """The experiment that the arguments describe, with a log of what is done."""
    data = os.environ.get("FREQLEARN_DATA")
    if not data or not (Path(data) / "flowers" / "train").is_dir():
        sys.exit("set FREQLEARN_DATA to a folder with flowers/train/CLASS and flowers/val/CLASS")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return Experiment(Path(data) / "flowers", options.output, options.epochs)
