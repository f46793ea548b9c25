"""One ranking of channels from its options to its files, whatever is trained for it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.indexing import COMPONENTS, label
from freqlearn.pipelines import heatmap
from freqlearn.pipelines.bad_images import list_bad_images, listed_in, skipped_line
from freqlearn.pipelines.checkpoint_files import LAST
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.importance import JSON_NAME, LOWEST_16, Importance
from freqlearn.pipelines.inputs import read_spec
from freqlearn.pipelines.processes import as_one, chosen_world, connect, done_by_first
from freqlearn.pipelines.ranking_task import MODEL, SPEC, Options, RankingTask
from freqlearn.pipelines.starting import CONFIG, new_folder
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning
from freqlearn.spec import InputSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What came of a ranking.

    Attributes:
        importance: The 192 numbers.
        selected: The most important channels.
        spec: Mean and standard deviation of all 192 channels; `spec.select(selected)` is a model's input.
        folder: Where the files are.
        seconds: Time it took.
    """

    importance: Importance
    selected: ChannelSet
    spec: InputSpec
    folder: Path
    seconds: float

    def __str__(self) -> str:
        where = self.importance.measured_on
        images = f"{where['images']} images of " if "images" in where else ""
        value = self.importance.values
        order = [channel for channel in self.importance.ranking() if channel in self.selected]
        listed = [f"{label(channel)} {value[channel]:.3g}" for channel in order]
        rows = ["   ".join(f"{entry:<14}" for entry in listed[i : i + 6]).rstrip() for i in range(0, len(listed), 6)]
        shares, lowest = self.importance.summary(), self.importance.share_of(LOWEST_16)
        share_text = ", ".join(f"{shares[name]:.1%} in {name}" for name in COMPONENTS)
        files = "importance.json, importance.csv, heatmap.png, heatmap.svg, spec.json"
        return "\n".join(
            [
                f"{len(self.selected)} most important of 192 channels, by {self.importance.method} "
                f"({self.importance.unit}), on {images}{where['folder']}:",
                *(f"  {row}" for row in rows),
                self.selected.describe(),
                f"Of all importance, {share_text}; {lowest:.1%} in the lowest 16 frequencies (v, u < 4).",
                f"Wrote {self.folder}/: {files}",
            ]
        )


def run_ranking(
    make: Callable[[Options], RankingTask[Options]], options: Options, *, callbacks: Sequence[Callback] = ()
) -> Ranking:
    """Carry a ranking through.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg, spec.json and config.yaml to the output folder,
    and for the methods that train a folder model/ as a training writes it. The caller's random state is left as it was.
    Where several processes rank together, each calls this; the first one writes.

    Args:
        make: Makes the task of some options.
        options: What to rank on, and how.
        callbacks: Further Lightning callbacks, for the methods that train.

    Raises:
        ValueError: For a mistake in the options or the data.
        GateCollapseError: If a gate switched everything off.
        KeyboardInterrupt: On Ctrl-C while training, after the state was saved.
    """
    begin = time.perf_counter()
    # What can be wrong is looked for before other processes are started: then there is one to say so.
    local, nodes = chosen_world(options.devices, options.nodes)
    task = make(options)
    task.open()
    _check_folder(task)
    if task.spec is not None:
        _check_all_channels(task.spec)
    chosen = task.chosen_spec()
    trainer = make_trainer(
        epochs=1,
        accelerator=options.accelerator,
        devices=local,
        nodes=nodes,
        precision=options.precision,
        sync_batchnorm=options.synchronises,
        progress=False,
    )
    with (
        divided_cores(options.workers, processes=local) as workers,
        as_one(trainer),
        pointing_to_skip(),
        torch.random.fork_rng(devices=[]),  # training keeps the devices' own
    ):
        task.options = replace(options, workers=workers)
        with quiet_lightning(task.folder):
            connect(trainer)
        begin_with = _resumed if options.resume else _fresh
        spec, variance = done_by_first(trainer, lambda: begin_with(task, chosen))
        values, facts = task.importances(spec, variance, callbacks)
        importance = Importance(values, task.method, _measured_on(task, spec, facts))
        done_by_first(trainer, lambda: _write(task, importance))
    return _result(task, importance, spec, seconds=time.perf_counter() - begin)


def is_begun(folder: Path) -> bool:
    """Whether a folder holds a ranking, carried through or not."""
    return (folder / CONFIG).is_file() or is_finished(folder)


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a ranking that was carried through."""
    return (folder / JSON_NAME).is_file()


def read_finished(task: RankingTask[Any]) -> Ranking:
    """Read a finished ranking instead of repeating it.

    Raises:
        ValueError: If it is of other options.
    """
    _check_same(task)
    return _result(task, Importance.load(task.folder), InputSpec.load(task.folder / SPEC), seconds=0.0)


def _check_all_channels(text: str) -> None:
    """Refuse a spec that is not one of all 192 channels."""
    given = read_spec(text)
    if given.channels is None or len(given.channels) != len(ChannelSet.all()):
        raise ValueError(f"{text}: expected a spec of all 192 channels to rank, got {given}")


def _result(task: RankingTask[Any], importance: Importance, spec: InputSpec, *, seconds: float) -> Ranking:
    selected = importance.top(task.top)
    return Ranking(importance=importance, selected=selected, spec=spec, folder=task.folder, seconds=seconds)


def _write(task: RankingTask[Any], importance: Importance) -> None:
    # Beside what was found while measuring, what the training has found: one list of the whole ranking.
    _, skipped = list_bad_images(task.folder, listed_in(task.folder / MODEL))
    if skipped:
        _log.warning("%s", skipped_line(task.folder, skipped))
    heatmap.draw(importance, task.folder, selected=importance.top(task.top))
    importance.save(task.folder)  # last: its presence means that the ranking is complete


def _check_folder(task: RankingTask[Any]) -> None:
    """Refuse a folder that holds another ranking, or none to resume."""
    if task.options.resume:
        _check_same(task)
        return
    for name in (JSON_NAME, f"{MODEL}/{LAST}"):
        if (task.folder / name).exists():
            raise ValueError(
                f"{task.folder}: holds another ranking ({name}); choose another output, or resume that one"
            )


def _fresh(task: RankingTask[Any], chosen: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
    folder = task.folder
    with new_folder(folder):  # before the files are measured, which takes time
        spec, variance = task.measured_spec(chosen)
    spec.save(folder / SPEC)
    atomic.write_text(folder / CONFIG, yaml.safe_dump(task.options.plain() | {"output": str(folder)}, sort_keys=False))
    return spec, variance


def _check_same(task: RankingTask[Any]) -> None:
    config = task.folder / CONFIG
    if not config.is_file():
        raise ValueError(f"{config}: no such file, so there is no ranking to resume; leave out resume to start")
    before, now = task.usual_options() | _read_config(config), task.options.plain()
    for name in sorted(set(now) - task.free_on_resume):
        if before[name] != now[name]:
            raise ValueError(
                f"{task.folder}: was begun with {name} {before[name]}, and now it is {now[name]}; a resumed "
                f"ranking keeps its options: use --config {config}"
            )


def _resumed(task: RankingTask[Any], chosen: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
    if task.method == "energy":  # nothing was trained, and spec.json does not keep the variance of constant channels
        return task.measured_spec(chosen)
    spec = InputSpec.load(task.folder / SPEC)
    return spec, np.square(np.asarray(spec.std))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected the options of a ranking as YAML: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected the options of a ranking, got {type(config).__name__}")
    return config


def _measured_on(task: RankingTask[Any], spec: InputSpec, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **task.about(),
        **facts,
        "seed": task.options.seed,
        "spec": f"{spec}; {spec.source}",
        "freqlearn": version("freqlearn"),
    }
