"""Train with every normalisation at batch sizes 4 and 32, print the tables, and put them into docs/normalisation.md.

    python -m benchmarks.norms [--seeds 0 1 2] [--model small] [--epochs 12] [--output runs/norms] [--page]

The network small on DCT-24 of pictures of 128 px of $FREQLEARN_DATA/flowers, from scratch. It may be interrupted and
started again; several may run at once (with OMP_NUM_THREADS=1 each), and share the work. With --page nothing is
trained: the page is written from what is finished.
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import get_args

from benchmarks.flowers.running import Experiment
from benchmarks.norms.trials import BATCH_SIZES, NORMS, Trial, accuracy_table, run, share_table
from benchmarks.page import rewritten
from benchmarks.report import table, write
from freqlearn.pipelines.bench.report import Section
from freqlearn.pipelines.options import NetworkName

PAGE = Path(__file__).resolve().parents[2] / "docs" / "normalisation.md"


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model", choices=get_args(NetworkName), default="small")
    parser.add_argument("--norms", choices=NORMS, nargs="+", default=NORMS)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path("runs") / "norms")
    parser.add_argument("--page", action="store_true", help=f"only write the tables into {PAGE.name}")
    options = parser.parse_args()
    data = os.environ.get("FREQLEARN_DATA")
    if not data or not (Path(data) / "flowers" / "train").is_dir():
        sys.exit("set FREQLEARN_DATA to a folder with flowers/train/CLASS and flowers/val/CLASS")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    experiment = Experiment(Path(data) / "flowers", options.output, options.epochs)
    if not options.page:
        for seed in options.seeds:
            for batch_size in BATCH_SIZES:
                for norm in options.norms:
                    run(experiment, Trial(norm, batch_size, seed, options.model))
    tables = {
        "norms": accuracy_table(experiment, options.seeds, options.model),
        "norms-shares": share_table(experiment, options.seeds, options.model),
    }
    for rows in tables.values():
        print(table(rows) if rows else "nothing is finished", end="\n\n")
    if options.page:
        markdown = {name: Section(name, "", rows).markdown() for name, rows in tables.items() if rows}
        PAGE.write_text(rewritten(PAGE.read_text(), markdown))
        print(f"{PAGE}: {', '.join(markdown)}")
    else:
        print(f"written: {write('norms', tables)}")


if __name__ == "__main__":
    main()
