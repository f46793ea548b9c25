"""From the results of single trainings to the tables and CSV files of docs/results.md."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.flowers.running import TOP, Experiment
from benchmarks.flowers.variants import OCTAVE_ALPHAS, VARIANTS, Variant
from benchmarks.report import write_rows
from freqlearn.channels import ChannelSet
from freqlearn.indexing import NUM_CHANNELS, label
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.importance import Importance

METHODS = ("gate", "energy", "ablation")

COMPARED: tuple[tuple[str, str], ...] = (
    ("main-square", "main-rgb"),
    ("main-all", "main-rgb"),
    ("main-all", "main-square"),
    ("small-square", "small-rgb"),
    ("small-all", "small-square"),
    ("small-floor", "small-all"),
    ("small-floor", "small-square"),
    ("small-gate", "small-square"),
    ("small-gate", "small-random"),
    ("small-square", "small-random"),
    ("small-energy", "small-gate"),
    ("small-ablation", "small-gate"),
    ("small-dynamic", "small-gate"),
    ("small-dynamic", "small-all"),
)
"""Pairs whose difference docs/results.md reports, photo by photo."""

OCTAVE_COMPARED: tuple[tuple[str, str], ...] = tuple(
    pair
    for alpha in OCTAVE_ALPHAS
    for pair in (
        (f"small-rgb-octave-{alpha:g}", "small-rgb"),
        (f"small-square-octave-{alpha:g}", "small-square"),
        (f"small-square-octave-{alpha:g}-input", "small-square"),
        (f"small-square-octave-{alpha:g}-input", f"small-square-octave-{alpha:g}"),
    )
)
"""Those of docs/octave.md."""


@dataclass(frozen=True)
class Row:
    """One variant over its seeds.

    Attributes:
        variant: The variant.
        seeds: Seeds that are finished.
        correct: (seeds, photos) 0 or 1.
        results: What each training's result.json says.
    """

    variant: Variant
    seeds: tuple[int, ...]
    correct: NDArray[np.float64]
    results: tuple[Mapping[str, Any], ...]

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """(seeds,) share of validation photos named correctly."""
        accuracies: NDArray[np.float64] = self.correct.mean(axis=1)
        return accuracies

    def mean_of(self, key: str) -> float:
        """Mean over the seeds of one of a result's numbers."""
        return float(np.mean([result[key] for result in self.results]))


def finished(experiment: Experiment, seeds: Sequence[int]) -> dict[str, Row]:
    """The variants of which at least one training has come to its end, by name."""
    rows = {}
    for variant in VARIANTS:
        found = {seed: experiment.result(variant, seed) for seed in seeds}
        done = {seed: result for seed, result in found.items() if result is not None}
        if done:
            correct = np.array([result["correct"] for result in done.values()], dtype=np.float64)
            rows[variant.name] = Row(variant, tuple(done), correct, tuple(done.values()))
    return rows


def accuracy_table(rows: Iterable[Row]) -> list[dict[str, str]]:
    """A row a variant: cost and accuracy, mean and standard deviation over the seeds."""
    table = []
    for row in rows:
        accuracies = 100 * row.accuracies
        table.append(
            {
                "input": row.variant.label,
                "channels": f"{row.mean_of('channels'):.3g}",
                "bytes per image": f"{row.mean_of('bytes_per_image'):,.0f}",
                "GMACs": f"{row.mean_of('macs') / 1e9:.3f}",
                "accuracy, %": mean_and_spread(accuracies),
                "each seed": ", ".join(f"{value:.1f}" for value in accuracies),
            }
        )
    return table


def mean_and_spread(values: NDArray[np.float64]) -> str:
    """Mean, and standard deviation where there is more than one value."""
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def interval(photos: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean over photos, and the ends of its 95 % confidence interval."""
    mean, margin = float(photos.mean()), float(1.96 * photos.std(ddof=1) / math.sqrt(len(photos)))
    return mean, mean - margin, mean + margin


def difference_table(rows: Mapping[str, Row], pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """A row a pair: the difference in points, photo by photo, and its 95 % confidence interval over photos."""
    table = []
    for first, second in pairs:
        if first not in rows or second not in rows:
            continue
        a, b = rows[first], rows[second]
        seeds = [seed for seed in a.seeds if seed in b.seeds]
        if not seeds:
            continue
        each = 100 * np.stack([a.correct[a.seeds.index(s)] - b.correct[b.seeds.index(s)] for s in seeds])
        mean, low, high = interval(each.mean(axis=0))  # of a photo's differences, averaged over the seeds
        table.append(
            {
                "difference": f"{a.variant.label} - {b.variant.label}",
                "points": f"{mean:+.1f}",
                "95 % interval": f"{low:+.1f} to {high:+.1f}",
                "each seed": ", ".join(f"{seed_mean:+.1f}" for seed_mean in each.mean(axis=1)),
            }
        )
    return table


def rankings(experiment: Experiment, seeds: Sequence[int]) -> dict[tuple[str, int], Importance]:
    """The rankings that there are, by method and seed."""
    found = {}
    for method in METHODS:
        for seed in seeds:
            folder = experiment.ranking(method, seed)
            if (folder / "importance.json").is_file():
                found[method, seed] = Importance.load(folder)
    return found


def ranking_table(found: Mapping[tuple[str, int], Importance]) -> list[dict[str, str]]:
    """A row a pair of methods: rank correlation and common channels of the top 24, mean (least to most) over seeds."""
    square = set(ChannelSet.square(TOP))
    table = []
    for i, first in enumerate(METHODS):
        for second in METHODS[i:]:
            pairs = [
                (a, b)
                for (one, seed), a in found.items()
                for (other, second_seed), b in found.items()
                if one == first and other == second and (seed < second_seed if first == second else seed == second_seed)
            ]
            if not pairs or first == second == "energy":  # its photos are the same for every seed
                continue
            name = f"{first}, one seed against another" if first == second else f"{first} against {second}"
            table.append(
                {
                    "rankings": name,
                    "rank correlation": _spread([a.rank_correlation(b) for a, b in pairs], ".2f"),
                    f"common in the top {TOP}": _spread([len({*a.top(TOP)} & {*b.top(TOP)}) for a, b in pairs], ".3g"),
                }
            )
        mine = [ranking for (method, _), ranking in found.items() if method == first]
        if mine:
            common = _spread([len(square & {*ranking.top(TOP)}) for ranking in mine], ".3g")
            table.append(
                {"rankings": f"{first} against the square", "rank correlation": "-", f"common in the top {TOP}": common}
            )
    return table


def share_table(found: Mapping[tuple[str, int], Importance]) -> list[dict[str, str]]:
    """A row a method: where its importance lies, mean over the seeds."""
    table = []
    for method in METHODS:
        mine = [ranking.summary() for (name, _), ranking in found.items() if name == method]
        if mine:
            shares = {key: f"{np.mean([summary[key] for summary in mine]):.1%}" for key in mine[0]}
            table.append({"ranking by": method, **shares})
    return table


def mean_importance(found: Mapping[tuple[str, int], Importance], method: str) -> Importance:
    """A method's importances, averaged over its seeds."""
    mine = {seed: ranking for (name, seed), ranking in found.items() if name == method}
    values = np.mean([ranking.values for ranking in mine.values()], axis=0)
    first = next(iter(mine.values()))
    return Importance(values, first.method, {**first.measured_on, "seed": f"mean of {sorted(mine)}"})


def write_csv(experiment: Experiment, rows: Mapping[str, Row], seeds: Sequence[int], folder: Path) -> list[Path]:
    """Write every number: runs.csv (a training), photos.csv (each photo), rankings.csv, curves.csv (each epoch)."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = [
        {
            "variant": name, "seed": seed, "epochs": result["epochs"], "channels": round(result["channels"], 3),
            "bytes_per_image": result["bytes_per_image"], "macs": result["macs"], "accuracy": result["accuracy"],
            "input": " ".join(map(str, result["input"] or [])),
        }
        for name, row in rows.items() for seed, result in zip(row.seeds, row.results, strict=True)
    ]  # fmt: skip
    val = read_class_folder(experiment.data / "val")
    photos = [
        {"photo": str(path.relative_to(val.root))}
        | {
            f"{name} {seed}": int(row.correct[position, index])
            for name, row in rows.items()
            for position, seed in enumerate(row.seeds)
        }
        for index, path in enumerate(val.paths())
    ]
    found = rankings(experiment, seeds)
    channels = [
        {"channel": index, "name": label(index)}
        | {f"{method} {seed}": ranking.values[index] for (method, seed), ranking in found.items()}
        for index in range(NUM_CHANNELS)
    ]
    tables = {"runs": runs, "photos": photos, "rankings": channels, "curves": list(_curves(experiment, rows))}
    return [write_rows(folder / f"{name}.csv", table) for name, table in tables.items()]


def _curves(experiment: Experiment, rows: Mapping[str, Row]) -> Iterator[dict[str, Any]]:
    """What the trainings logged, epoch by epoch."""
    columns = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")
    for name, row in rows.items():
        for seed in row.seeds:
            epochs: dict[int, dict[str, Any]] = {}
            for log in sorted((experiment.folder(row.variant, seed) / "logs").glob("version_*/metrics.csv")):
                with log.open(newline="") as file:
                    for line in csv.DictReader(file):
                        values = {key: line[key] for key in columns if line.get(key)}
                        if values:
                            epochs.setdefault(int(line["epoch"]), {}).update(values)
            for epoch, values in sorted(epochs.items()):
                yield {"variant": name, "seed": seed, "epoch": epoch, **{key: values.get(key, "") for key in columns}}


def _spread(values: Sequence[float], form: str) -> str:
    middle = f"{np.mean(values):{form}}"
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"
