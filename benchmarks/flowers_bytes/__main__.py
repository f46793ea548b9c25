"""Copy, train and evaluate what docs/bytes.md says of accuracy on files with fewer bytes.

    python -m benchmarks.flowers_bytes [--seeds 0 1 2] [--train-on COPY ...] [--epochs 15] [--output runs/flowers]

First the copies of $FREQLEARN_DATA/flowers are made, then models are trained on them, then every model is evaluated.
Models of the originals are those of `python -m benchmarks.flowers`, if that had the same --output. It may be
interrupted and started again; several may run at once (with OMP_NUM_THREADS=1 each), and share the trainings. On two
cores it takes hours; `--train-on original` trains on the originals alone and evaluates those on all copies.
"""

from benchmarks.flowers.arguments import begin, parser_for
from benchmarks.flowers_bytes.copies import TRAINED_ON, copies
from benchmarks.flowers_bytes.running import correct, is_trained, train_on


def main() -> None:
    """Do what is missing."""
    parser = parser_for(__doc__)
    names = list(dict.fromkeys(copy.name for copy in TRAINED_ON))
    parser.add_argument("--train-on", choices=names, nargs="+", default=names, metavar="COPY", help=", ".join(names))
    options = parser.parse_args()
    experiment = begin(options)
    for copy in (*copies("small"), *copies("main")):
        copy.make(experiment)
    for copy in TRAINED_ON:
        for seed in options.seeds:
            if copy.name in options.train_on:
                train_on(experiment, copy, seed)
    for original, *others in (copies("small"), copies("main")):
        for copy in (original, *others):
            for seed in options.seeds:
                if copy.same_pictures is not copy:
                    continue
                for model in {original, copy}:
                    if is_trained(experiment, model, seed):
                        correct(experiment, model, copy, seed)


if __name__ == "__main__":
    main()
