"""`freqlearn rank`: from a folder of images to the importance of the 192 channels, and its heatmap."""

import logging
import time
from collections.abc import Mapping, Sequence
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
from freqlearn.pipelines.inputs import choose_spec, measured_spec, read_spec
from freqlearn.pipelines.options import ABOUT_THE_RUN
from freqlearn.pipelines.processes import as_one, chosen_world, connect, done_by_first
from freqlearn.pipelines.rank_methods import MODEL, SPEC, by_ablation, by_energy, by_gate
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.run_data import DataFolders, open_run_data
from freqlearn.pipelines.starting import CONFIG, new_folder
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning
from freqlearn.spec import InputSpec

_log = logging.getLogger(__name__)

# What may differ between a run and its continuation.
_FREE_ON_RESUME = ABOUT_THE_RUN | {"ablation_images", "epochs", "max_steps", "on_bad_image", "top"}


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


def rank(options: RankOptions, *, callbacks: Sequence[Callback] = ()) -> Ranking:
    """Rank the 192 channels on a folder of images.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg, spec.json and config.yaml to the output folder,
    and for the methods that train a folder model/ as `train` writes it: of a ranking by gate, the dynamic model. The
    caller's random state is left as it was. Where several processes rank together, each calls this; the first one
    writes.

    Args:
        options: What to rank on, and how.
        callbacks: Further Lightning callbacks, for the methods that train.

    Raises:
        ValueError: For a mistake in the options or the data.
        GateCollapseError: If the gate switched everything off.
        KeyboardInterrupt: On Ctrl-C while training, after the state was saved.
    """
    begin = time.perf_counter()
    # What can be wrong is looked for before other processes are started: then there is one to say so.
    local, nodes = chosen_world(options.devices, options.nodes)
    folders = open_run_data(options)
    _check_folder(options)
    spec = _choose_spec(options)
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
        options = replace(options, workers=workers)
        with quiet_lightning(options.folder):
            connect(trainer)
        begin_with = _resumed if options.resume else _fresh
        spec, variance = done_by_first(trainer, lambda: begin_with(options, folders, spec))
        if options.method == "energy":
            values, facts = by_energy(options, folders, variance)
        else:
            rank_by = by_gate if options.method == "gate" else by_ablation
            values, facts = rank_by(options, folders, spec, callbacks)
        importance = Importance(values, options.method, _measured_on(options, folders, spec, facts))
        done_by_first(trainer, lambda: _write(options, importance))
    seconds = time.perf_counter() - begin
    return Ranking(
        importance=importance, selected=importance.top(options.top), spec=spec, folder=options.folder, seconds=seconds
    )


def is_begun(folder: Path) -> bool:
    """Whether a folder holds a ranking, carried through or not."""
    return (folder / CONFIG).is_file() or is_finished(folder)


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a ranking that was carried through."""
    return (folder / JSON_NAME).is_file()


def read_ranking(options: RankOptions) -> Ranking:
    """Read a finished ranking instead of repeating it.

    Raises:
        ValueError: If it is of other options.
    """
    _check_same(options)
    importance, spec = Importance.load(options.folder), InputSpec.load(options.folder / SPEC)
    return Ranking(
        importance=importance, selected=importance.top(options.top), spec=spec, folder=options.folder, seconds=0.0
    )


def _write(options: RankOptions, importance: Importance) -> None:
    # Beside what was found while measuring, what the training has found: one list of the whole ranking.
    _, skipped = list_bad_images(options.folder, listed_in(options.folder / MODEL))
    if skipped:
        _log.warning("%s", skipped_line(options.folder, skipped))
    heatmap.draw(importance, options.folder, selected=importance.top(options.top))
    importance.save(options.folder)  # last: its presence means that the ranking is complete


def _check_folder(options: RankOptions) -> None:
    """Refuse a folder that holds another ranking, or none to resume."""
    folder = options.folder
    if options.resume:
        _check_same(options)
        return
    for name in (JSON_NAME, f"{MODEL}/{LAST}"):
        if (folder / name).exists():
            raise ValueError(f"{folder}: holds another ranking ({name}); choose another output, or resume that one")


def _fresh(options: RankOptions, folders: DataFolders, chosen: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
    folder = options.folder
    with new_folder(folder):  # before the files are measured, which takes time
        spec, variance = _measured(options, folders, chosen)
    spec.save(folder / SPEC)
    atomic.write_text(folder / CONFIG, yaml.safe_dump(options.plain() | {"output": str(folder)}, sort_keys=False))
    return spec, variance


def _check_same(options: RankOptions) -> None:
    config = options.folder / CONFIG
    if not config.is_file():
        raise ValueError(f"{config}: no such file, so there is no ranking to resume; leave out resume to start")
    before, now = RankOptions(data=Path()).plain() | _read_config(config), options.plain()
    for name in sorted(set(now) - _FREE_ON_RESUME):
        if before[name] != now[name]:
            raise ValueError(
                f"{options.folder}: was begun with {name} {before[name]}, and now it is {now[name]}; a resumed "
                f"ranking keeps its options: use --config {config}"
            )


def _resumed(options: RankOptions, folders: DataFolders, chosen: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
    if options.method == "energy":  # nothing was trained, and spec.json does not keep the variance of constant channels
        return _measured(options, folders, chosen)
    spec = InputSpec.load(options.folder / SPEC)
    return spec, np.square(np.asarray(spec.std))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected the options of a ranking as YAML: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected the options of a ranking, got {type(config).__name__}")
    return config


def _choose_spec(options: RankOptions) -> InputSpec:
    """The spec of all 192 channels; not standardised yet if none was given."""
    if options.spec is not None:
        given = read_spec(options.spec)
        if given.channels is None or len(given.channels) != len(ChannelSet.all()):
            raise ValueError(f"{options.spec}: expected a spec of all 192 channels to rank, got {given}")
    return choose_spec(options.training())


def _measured(options: RankOptions, folders: DataFolders, spec: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
    """The spec with mean and std, and (192,) float64 the channels' variances."""
    if options.spec is not None:
        variance = np.square(np.asarray(spec.std))
    else:
        # Those kept that never vary (Cb and Cr of gray pictures): they rank last.
        spec, statistics = measured_spec(
            spec,
            folders.train,
            images=options.stats_images,
            seed=options.seed,
            constant="keep",
            on_bad_image=options.on_bad_image,
            output=options.folder,
        )
        variance = statistics.variance
    return spec if options.std_floor is None else spec.with_std_floor(options.std_floor), variance


def _measured_on(
    options: RankOptions, folders: DataFolders, spec: InputSpec, facts: Mapping[str, Any]
) -> dict[str, Any]:
    trained = {} if options.method == "energy" else {"model": options.model, "epochs": options.epochs}
    return {
        "folder": str(folders.train.root),
        "classes": len(folders.train.classes),
        **trained,
        **facts,
        "seed": options.seed,
        "spec": f"{spec}; {spec.source}",
        "freqlearn": version("freqlearn"),
    }
