"""Train everything that docs/results.md compares on flowers.

    python -m benchmarks.flowers [--seeds 0 1 2] [--only main-rgb main-square ...] [--epochs 15] [--output runs/flowers]

ResNet-18 from scratch on $FREQLEARN_DATA/flowers. On two cores it takes hours. It may be interrupted and started again;
several may run at once (with OMP_NUM_THREADS=1 each), and share the work.
"""

from benchmarks.flowers.arguments import begin, parser_for
from benchmarks.flowers.running import run
from benchmarks.flowers.variants import VARIANTS


def main() -> None:
    """Train what is missing."""
    parser = parser_for(__doc__)
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--only", choices=names, nargs="+", default=names, metavar="VARIANT", help=", ".join(names))
    options = parser.parse_args()
    experiment = begin(options)
    for seed in options.seeds:
        for variant in VARIANTS:
            if variant.name in options.only:
                run(experiment, variant, seed)


if __name__ == "__main__":
    main()
