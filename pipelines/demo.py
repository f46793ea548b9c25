"""`freqlearn demo`: the whole path, from JPEG files to ranked channels, a trained model and its predictions."""

import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqlearn.channels import ChannelSet
from freqlearn.indexing import label
from freqlearn.pipelines import heatmap, planted
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.importance import JSON_NAME
from freqlearn.pipelines.inputs import measured_spec
from freqlearn.pipelines.networks import usual_resize_px
from freqlearn.pipelines.options import Augment, TrainOptions
from freqlearn.pipelines.prediction import Prediction, predict
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.ranking import Ranking, rank
from freqlearn.pipelines.recovery import METHODS, recover, recovery_of, summary
from freqlearn.pipelines.run_data import open_data
from freqlearn.pipelines.tables import table
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.spec import InputSpec

# Marks a folder as the demo's own, so that the next demo may replace what is in it.
_MARK = ".freqlearn-demo"
_REPLACED = ("rank", "train", "recovery")
_PREDICTED_FILES = 4
_STATISTICS_IMAGES = 1000


def demo(
    photos: Path | None = None,
    *,
    output: Path = Path("demo"),
    top: int | None = None,
    size_px: int | None = None,
    epochs: int = 8,
    seeds: int = 5,
    seed: int = 0,
    workers: int | None = None,
) -> None:
    """Show the whole path on planted data, or on a folder of photos; `freqlearn.pipelines.commands.demo` explains.

    Raises:
        ValueError: For a mistake in the arguments or the photos.
    """
    for name, value, least in (("top", top, 1), ("size_px", size_px, 8), ("epochs", epochs, 1), ("seeds", seeds, 0)):
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if photos is not None:
        open_data(photos, seed=seed)  # a mistake in the folder is said before anything is written
    begin = time.perf_counter()
    _prepare(output)
    with divided_cores(workers) as workers:
        _run(photos, output, seeds, top=top, size_px=size_px, epochs=epochs, seed=seed, workers=workers)
    seconds = time.perf_counter() - begin
    _say(f"\nDone in {seconds:.0f} s. Everything is in {output}/; the heatmap is {output}/rank/heatmap.png")


def _run(photos: Path | None, output: Path, seeds: int, **options: Any) -> None:
    plan = _plant(output, **options) if photos is None else _look_at(photos, output, **options)
    ranking = _rank(plan)
    results = _train(plan, ranking)
    _predict(plan, results)
    if plan.planted is not None and seeds:
        _recover(plan, plan.planted, ranking, seeds)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the demo works on, and with which options."""

    data: Path
    output: Path
    planted: planted.Planted | None
    top: int
    size_px: int
    augment: Augment
    epochs: int
    seed: int
    workers: int | None

    @property
    def spec(self) -> Path:
        return self.output / "spec.json"


def _prepare(output: Path) -> None:
    if output.is_dir() and any(output.iterdir()) and not (output / _MARK).is_file():
        raise ValueError(f"{output}: holds files that are not the demo's; choose another --output")
    for name in _REPLACED:
        shutil.rmtree(output / name, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    (output / _MARK).touch()


def _plant(output: Path, *, top: int | None, size_px: int | None, epochs: int, seed: int, workers: int | None) -> _Plan:
    _head("Planting channels in JPEG files")
    data = planted.write(_planted_folder(output, size_px or 112, seed), seed=seed, size_px=size_px or 112)
    files = len(data.classes) * (data.train_per_class + data.val_per_class)
    _say(
        f"{files} JPEG files ({data.size_px}x{data.size_px} px) in {data.root}/: noise with a spectrum like photos.\n"
        f"Their {len(data.classes)} classes differ in {len(data.channels)} channels only: {_listed(data.channels)}.\n"
        "Each is stronger in one class and weaker in the others: on the whole it is as strong as its neighbours."
    )
    return _Plan(
        data=data.root,
        output=output,
        planted=data,
        top=top or len(data.channels),
        size_px=data.size_px,
        augment="flip",
        epochs=epochs,
        seed=seed,
        workers=workers,
    )


def _planted_folder(output: Path, size_px: int, seed: int) -> Path:
    return output / f"planted-{size_px}px" / f"seed-{seed}"


def _look_at(
    photos: Path, output: Path, *, top: int | None, size_px: int | None, epochs: int, seed: int, workers: int | None
) -> _Plan:
    folders = open_data(photos, seed=seed)
    _head("The photos")
    _say(f"{len(folders.train)} files of {len(folders.train.classes)} classes in {folders.train.root}/ to train on")
    return _Plan(
        data=photos,
        output=output,
        planted=None,
        top=top or 24,
        size_px=size_px or 224,
        augment="standard",
        epochs=epochs,
        seed=seed,
        workers=workers,
    )


def _rank(plan: _Plan) -> Ranking:
    _head("Statistics of all 192 channels, straight from the files' coefficients")
    train_files = open_data(plan.data, seed=plan.seed).train
    resize_px = None if plan.planted else usual_resize_px(plan.size_px)
    unmeasured = InputSpec.unstandardised(ChannelSet.all(), plan.size_px, resize_px)
    # Of the training files only; of gray photos Cb and Cr are kept.
    spec, measured = measured_spec(unmeasured, train_files, images=_STATISTICS_IMAGES, seed=plan.seed, constant="keep")
    spec.save(plan.spec)
    _say(f"{measured.images} files measured; wrote {plan.spec}")

    _head("Ranking the 192 channels: a gate learns which of them the network `small` needs")
    ranking = rank(
        RankOptions(
            data=plan.data,
            output=plan.output / "rank",
            top=plan.top,
            model="small",
            spec=str(plan.spec),
            augment=plan.augment,
            epochs=plan.epochs,
            workers=plan.workers,
            seed=plan.seed,
            progress=_on_a_terminal(),
        )
    )
    if plan.planted is None:
        _say(str(ranking))
        return ranking
    heatmap.draw(ranking.importance, ranking.folder, selected=ranking.selected, marked=plan.planted.channels)
    _show_found(plan.planted, ranking)
    return ranking


def _show_found(data: planted.Planted, ranking: Ranking) -> None:
    rows = []
    for place, channel in enumerate(ranking.importance.ranking()[: len(ranking.selected) + 3], start=1):
        if place == len(ranking.selected) + 1:
            rows.append({"": "", "channel": "...", "probability": "", "planted": ""})
        probability = f"{ranking.importance.values[channel]:.3f}"
        is_planted = "yes" if channel in data.channels else "no"
        rows.append({"": str(place), "channel": label(channel), "probability": probability, "planted": is_planted})
    _say(table(rows))
    _say(f"{data.found(ranking.selected)} of {len(data.channels)} planted channels found; wrote {ranking.folder}/")


def _train(plan: _Plan, ranking: Ranking) -> dict[str, TrainResult]:
    _head("Training with the selected channels, with DCTNet's 24, and with all 192")
    importance = str(ranking.folder / JSON_NAME)
    results = {
        f"top {plan.top} by the gate": _train_one(plan, f"top-{plan.top}", importance, plan.top),
        "DCT-24, the published square": _train_one(plan, "dct-24", "24", None),
        "all 192": _train_one(plan, "all-192", "all", None),
    }
    rows = [
        {
            "input": name,
            "channels": str(result.spec.in_channels),
            "bytes per image": f"{result.spec.bytes_per_image:,}",
            "accuracy": "" if result.accuracy is None else f"{result.accuracy:.1%}",
            "images/s": f"{result.images / result.seconds:,.0f}",
        }
        for name, result in results.items()
    ]
    _say(table(rows))
    _say(f"(network `small`, {plan.epochs} epochs; accuracy on validation files; images/s in training, with decoding)")
    return results


def _train_one(plan: _Plan, name: str, channels: str, top: int | None) -> TrainResult:
    return train(
        TrainOptions(
            data=plan.data,
            output=plan.output / "train" / name,
            model="small",
            channels=channels,
            top=top,
            spec=str(plan.spec),
            augment=plan.augment,
            epochs=plan.epochs,
            batch_size=32,
            lr=3e-3,
            workers=plan.workers,
            seed=plan.seed,
            progress=_on_a_terminal(),
        )
    )


def _predict(plan: _Plan, results: Mapping[str, TrainResult]) -> None:
    _head("Predicting validation files with two of the checkpoints")
    val = open_data(plan.data, seed=plan.seed).val
    if not isinstance(val, ClassFolder):
        return
    chosen = [round((i + 0.5) * len(val) / _PREDICTED_FILES) for i in range(_PREDICTED_FILES)]
    files = [val.path(index) for index in chosen]
    rows = [{"file": "/".join(file.parts[-2:])} for file in files]
    for name in list(results)[:2]:
        for row, prediction in zip(rows, predict(results[name].checkpoint, files, top=1), strict=True):
            row[name] = _told(prediction)
    _say(table(rows))
    checkpoint = next(iter(results.values())).checkpoint
    _say(f"By hand: freqlearn predict {checkpoint} {files[0]}")


def _told(prediction: Prediction) -> str:
    if not prediction.top:
        return "cannot be read"
    name, probability = prediction.top[0]
    return f"{name} ({probability:.0%})"


def _recover(plan: _Plan, data: planted.Planted, ranking: Ranking, seeds: int) -> None:
    plural = "seed" if seeds == 1 else "seeds"
    _head(f"The acid test: planted channels found with {seeds} {plural}, by {', '.join(METHODS)}")
    results = [recovery_of(data, ranking)]
    for seed in range(plan.seed, plan.seed + seeds):
        # The first data set has its gate ranking already.
        methods = [method for method in METHODS if method != "gate" or seed != plan.seed]
        drawn = planted.write(_planted_folder(plan.output, plan.size_px, seed), seed=seed, size_px=plan.size_px)
        with _quiet():
            results += recover(
                drawn,
                plan.output / "recovery" / f"seed-{seed}",
                methods=methods,
                epochs=plan.epochs,
                workers=plan.workers,
            )
        _say(f"seed {seed}: " + ", ".join(f"{r.method} {r.found} of {r.plants}" for r in results if r.seed == seed))
    _say(table(summary(results)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of progress: the lines of fourteen rankings would hide the result."""
    logger = logging.getLogger("freqlearn")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _listed(channels: Iterable[int]) -> str:
    return ", ".join(label(channel) for channel in channels)


def _head(title: str) -> None:
    _say(f"\n== {title}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _on_a_terminal() -> bool:
    return sys.stdout.isatty()
