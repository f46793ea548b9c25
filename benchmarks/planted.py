"""Planted channels found by gate, energy and ablation, over several seeds: the acid test of a ranking.

    python -m benchmarks.planted [--seeds 5] [--epochs 8]

Every seed plants other channels, half of them outside the DCT-24 square, in other pictures; each method selects as many
channels as were planted. Same network, geometry and epochs for the gate and for the model that ablation takes channels
from.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.report import table, write
from freqlearn.pipelines import planted
from freqlearn.pipelines.recovery import Recovery, recover, summary


def run(*, seeds: int, epochs: int, first_seed: int = 0) -> list[Recovery]:
    """Plant and rank with every seed in turn."""
    results: list[Recovery] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first_seed, first_seed + seeds):
            data = planted.write(Path(scratch, f"planted-{seed}"), seed=seed)
            found = recover(data, Path(scratch, f"rankings-{seed}"), epochs=epochs)
            results += found
            print(
                f"seed {seed}:",
                ", ".join(f"{r.method} {r.found}/{r.plants} ({r.seconds:.0f} s)" for r in found),
                flush=True,
            )
    return results


def main() -> None:
    """Print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="planted data sets to rank")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first one")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the training files")
    arguments = parser.parse_args()
    results = run(seeds=arguments.seeds, epochs=arguments.epochs, first_seed=arguments.first_seed)
    rows = summary(results)
    print(table(rows))
    path = write("planted", {"epochs": arguments.epochs, "rows": rows, "runs": [asdict(result) for result in results]})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
