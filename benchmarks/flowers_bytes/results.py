"""From single evaluations to the tables, the picture and the CSV files of docs/bytes.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.flowers.results import interval, mean_and_spread
from benchmarks.flowers.running import Experiment
from benchmarks.flowers.variants import SIZES_PX
from benchmarks.flowers_bytes.copies import Copy, Group, copies
from benchmarks.flowers_bytes.running import channel_error, correct, is_trained
from benchmarks.report import write_rows
from freqlearn.pipelines.folders import read_class_folder

GROUPS: tuple[Group, ...] = ("small", "main")


@dataclass(frozen=True)
class Row:
    """What is known of one copy.

    Attributes:
        copy: The copy.
        bytes_per_image: Mean over its photos.
        channel_error: Of the model's channels in its validation photos; see `channel_error`.
        originals: (seeds, photos) 0 or 1: the models of the originals, evaluated on the copy.
        own: The same of models trained on the copy, for `own_seeds`; None where there are none.
        seeds: Of the models.
        own_seeds: Of those trained on the copy.
    """

    copy: Copy
    bytes_per_image: float
    channel_error: float
    originals: NDArray[np.float64]
    own: NDArray[np.float64] | None
    seeds: tuple[int, ...]
    own_seeds: tuple[int, ...]

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """(seeds,) per cent, of the models of the originals."""
        accuracies: NDArray[np.float64] = 100 * self.originals.mean(axis=1)
        return accuracies

    @property
    def own_accuracies(self) -> NDArray[np.float64] | None:
        """(own_seeds,) per cent, of the models of the copy."""
        return None if self.own is None else 100 * self.own.mean(axis=1)


def rows(experiment: Experiment, group: Group, seeds: Sequence[int]) -> list[Row]:
    """A row for each copy that is made, the originals first; evaluates what has not been yet."""
    original = Copy("original", group)
    trained = tuple(seed for seed in seeds if is_trained(experiment, original, seed))
    found = []
    for copy in copies(group):
        if not trained or not copy.is_made(experiment):
            continue
        same = copy.same_pictures
        own_seeds = tuple(seed for seed in seeds if is_trained(experiment, same, seed))
        own = np.stack([correct(experiment, same, same, seed) for seed in own_seeds]) if own_seeds else None
        originals = np.stack([correct(experiment, original, same, seed) for seed in trained])
        error = 0.0 if same.kind == "original" else channel_error(experiment, copy)
        found.append(Row(copy, copy.bytes_per_image(experiment), error, originals, own, trained, own_seeds))
    return found


def table(found: Sequence[Row]) -> list[dict[str, str]]:
    """Bytes and accuracy of each copy, and the difference to the originals, photo by photo."""
    shown = []
    for row in found:
        first = found[0]
        line = {
            "files": row.copy.label,
            "bytes per image": f"{row.bytes_per_image:,.0f}",
            "times smaller": f"{first.bytes_per_image / row.bytes_per_image:.2f}",
            "error in DCT-24": f"{row.channel_error:.1%}",
            "trained on the originals, %": mean_and_spread(row.accuracies),
            "difference": "" if row is first else _difference(row.originals, row.seeds, first),
        }
        if any(other.own is not None for other in found[1:] if other.copy.same_pictures is other.copy):
            own = row.own_accuracies
            line["trained on these files, %"] = "" if own is None else _with_count(own, len(first.seeds))
            compared = row.own is not None and row.copy.same_pictures is row.copy and row is not first
            line["difference "] = _difference(row.own, row.own_seeds, first) if compared else ""
        shown.append(line)
    return shown


def _difference(ours: NDArray[np.float64] | None, seeds: Sequence[int], first: Row) -> str:
    """Points, and the 95 % interval over photos, of the seeds that both have."""
    if ours is None:
        return ""
    common = [seed for seed in seeds if seed in first.seeds]
    apart = [ours[list(seeds).index(seed)] - first.originals[first.seeds.index(seed)] for seed in common]
    mean, low, high = interval(100 * np.stack(apart).mean(axis=0))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _with_count(accuracies: NDArray[np.float64], seeds: int) -> str:
    shown = mean_and_spread(accuracies)
    return shown if len(accuracies) == seeds else f"{shown} ({len(accuracies)} of {seeds} seeds)"


def write_csv(experiment: Experiment, found: dict[Group, list[Row]], folder: Path) -> list[Path]:
    """Write bytes_runs.csv (each model on each copy) and bytes_photos.csv (each photo's answers)."""
    runs = [
        {
            "size_px": SIZES_PX[group], "files": row.copy.name, "bytes_per_image": round(row.bytes_per_image, 1),
            "channel_error": round(row.channel_error, 6),
            "trained_on": trained_on, "seed": seed, "accuracy": round(float(answers.mean()), 6),
        }
        for group, group_rows in found.items() for row in group_rows
        for trained_on, seed, answers in _models(row)
    ]  # fmt: skip
    val = read_class_folder(experiment.data / "val")
    columns = {
        f"{SIZES_PX[group]} {row.copy.name}, trained on {trained_on} {seed}": answers
        for group, group_rows in found.items()
        for row in group_rows
        for trained_on, seed, answers in _models(row)
        if row.copy.same_pictures is row.copy
    }
    photos = [
        {"photo": str(path.relative_to(val.root))} | {name: int(answers[n]) for name, answers in columns.items()}
        for n, path in enumerate(val.paths())
    ]
    return [write_rows(folder / "bytes_runs.csv", runs), write_rows(folder / "bytes_photos.csv", photos)]


def _models(row: Row) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    """What models were trained on, their seeds, and their answers."""
    yield from (("original", seed, answers) for seed, answers in zip(row.seeds, row.originals, strict=True))
    if row.own is not None and row.copy.same_pictures.kind != "original":
        yield from ((row.copy.name, seed, answers) for seed, answers in zip(row.own_seeds, row.own, strict=True))
