"""How many planted channels a ranking finds, over several seeds: the acid test of a ranking method."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from freqlearn.pipelines import planted
from freqlearn.pipelines.rank_options import Method, RankOptions
from freqlearn.pipelines.ranking import Ranking, rank
from freqlearn.pipelines.ranking_task import SPEC

METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Recovery:
    """What came of one ranking of one planted data set.

    Attributes:
        method: How the channels were ranked.
        seed: Seed of the data and of the training.
        plants: Number of planted channels, and of channels selected.
        found: How many planted ones were selected.
        found_outside: How many of those lie outside the DCT-24 square.
        outside: How many planted ones lie outside the DCT-24 square.
        seconds: Time the ranking took.
    """

    method: Method
    seed: int
    plants: int
    found: int
    found_outside: int
    outside: int
    seconds: float


def recover(
    data: planted.Planted,
    output: Path,
    *,
    methods: Sequence[Method] = METHODS,
    epochs: int = 8,
    batch_size: int = 32,
    workers: int | None = None,
    progress: bool = False,
) -> list[Recovery]:
    """Rank one planted data set by several methods, with the same network, geometry and number of epochs.

    Args:
        data: The planted data.
        output: Folder for the rankings, one folder a method.
        methods: What to rank by; mean and standard deviation are measured once for all of them.
        epochs: Passes over the training files, for the methods that train.
        batch_size: Images a step.
        workers: Loader processes; by default half of the cores, at most 4.
        progress: Show progress bars.
    """
    results = []
    spec: str | None = None
    for method in methods:
        ranking = rank(
            planted_options(
                data,
                output / method,
                method=method,
                epochs=epochs,
                batch_size=batch_size,
                workers=workers,
                progress=progress,
                spec=spec,
            )
        )
        spec = str(ranking.folder / SPEC)
        results.append(recovery_of(data, ranking))
    return results


def recovery_of(data: planted.Planted, ranking: Ranking) -> Recovery:
    """Return how many channels that were planted in some data a ranking on them selected."""
    outside = set(data.channels) - set(planted.SQUARE)
    return Recovery(
        method=ranking.importance.method,
        seed=data.seed,
        plants=len(data.channels),
        found=data.found(ranking.selected),
        found_outside=len(outside & set(ranking.selected)),
        outside=len(outside),
        seconds=ranking.seconds,
    )


def planted_options(
    data: planted.Planted,
    output: Path,
    *,
    method: Method,
    epochs: int,
    batch_size: int,
    workers: int | None,
    progress: bool,
    spec: str | None,
) -> RankOptions:
    """Options that rank a planted data set: exact size, flips, the network `small`, top = the number of plants."""
    return RankOptions(
        data=data.root,
        output=output,
        method=method,
        top=len(data.channels),
        model="small",
        spec=spec,
        size_px=data.size_px,
        augment="flip",
        epochs=epochs,
        batch_size=batch_size,
        ablation_images=_ABLATION_IMAGES,
        workers=workers,
        seed=data.seed,
        progress=progress,
    )


# 193 passes through the network an image; ten images a class tell the planted channels' loss from the others'.
_ABLATION_IMAGES = 90


def summary(results: Sequence[Recovery]) -> list[dict[str, str]]:
    """Return a table's rows, one a method: a column a seed, the shares found, in all and outside the DCT-24 square."""
    seeds = sorted({result.seed for result in results})
    rows = []
    for method in METHODS:
        mine = {result.seed: result for result in results if result.method == method}
        if not mine:
            continue
        found, plants = sum(r.found for r in mine.values()), sum(r.plants for r in mine.values())
        found_outside, outside = sum(r.found_outside for r in mine.values()), sum(r.outside for r in mine.values())
        row = {"ranking by": str(method)}
        row |= {f"seed {seed}": f"{mine[seed].found}/{mine[seed].plants}" if seed in mine else "" for seed in seeds}
        row |= {"found": f"{found} of {plants} = {found / plants:.0%}"}
        row |= {"outside DCT-24": f"{found_outside} of {outside}"}
        rows.append(row)
    return rows
