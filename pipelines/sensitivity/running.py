"""Measuring several checkpoints on the same images, one after the other."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from freqlearn.pipelines.checkpoint import Checkpoint, load_classifier
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.evaluation import evaluation_files
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.options import Accelerator, OnBadImage
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.sensitivity.measuring import measure
from freqlearn.pipelines.sensitivity.pictures import PictureInput
from freqlearn.pipelines.sensitivity.plot import draw
from freqlearn.pipelines.sensitivity.removals import Removal, Remove, read_edges, removals
from freqlearn.pipelines.sensitivity.result import ModelSensitivity, Sensitivity
from freqlearn.pipelines.trainer import device_of
from freqlearn.spectrum import Mask

_log = logging.getLogger(__name__)


def sensitivity(
    checkpoints: Sequence[str | Path],
    data: str | Path,
    output: str | Path,
    *,
    remove: Remove = "band",
    edges: str = "auto",
    per_octave: int = 1,
    mask: Mask = "sharp",
    images: int | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> Sensitivity:
    """Measure how accurate models are with frequencies taken out of their pictures.

    Frequencies are taken out of the picture that a model sees after its own evaluation geometry, before it becomes the
    model's input. sensitivity.csv, sensitivity.json, sensitivity.png and sensitivity.svg are written after every model.

    Args:
        checkpoints: Files that `freqlearn train` wrote, of rgb and dct models alike.
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE; or tar shards.
        output: Folder to write to.
        remove: "band": one band after the other; "above": everything from each edge on; "below": everything below it.
        edges: Where bands end, in cycles per picture, separated by commas; "auto" as `automatic_edges` has them.
        per_octave: Of "auto": bands an octave.
        mask: How the gain falls at the edges.
        images: Measure on at most so many, chosen by their names.
        batch_size: Images to compute at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        on_bad_image: "error" stops at a file that cannot be read, "skip" leaves it out.
        progress: Show a progress bar.

    Raises:
        CheckpointError: If a checkpoint cannot be used.
        ValueError: If options or images cannot be used.
        KeyboardInterrupt: If the measurement is interrupted; the message says what is kept.
    """
    if not checkpoints:
        raise ValueError("expected at least one checkpoint, got none")
    for name, number in (("per_octave", per_octave), ("batch_size", batch_size), ("images", images)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    device = device_of(accelerator)
    loaded = [load_classifier(path) for path in checkpoints]
    largest = max(checkpoint.header.spec.size_px for checkpoint in loaded)
    wanted = removals(read_edges(edges, largest_px=largest, per_octave=per_octave), remove)
    _warn_of_other_scenes(loaded)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    done: list[ModelSensitivity] = []
    for name, checkpoint in zip(_names(checkpoints), loaded, strict=True):
        with pointing_to_skip(), _saying_what_is_kept(done, folder):
            found = _measure_one(
                checkpoint, name, data, wanted,
                mask=mask, images=images, batch_size=batch_size, workers=workers, device=device,
                on_bad_image=on_bad_image, progress=progress,
            )  # fmt: skip
        done.append(found)
        result = Sensitivity(data=str(data), remove=remove, mask=mask, models=tuple(done))
        result.save(folder)
        draw(result, folder)
    return result


def _measure_one(
    checkpoint: Checkpoint,
    name: str,
    data: str | Path,
    wanted: Sequence[Removal],
    *,
    mask: Mask,
    images: int | None,
    batch_size: int,
    workers: int | None,
    device: torch.device,
    on_bad_image: OnBadImage,
    progress: bool,
) -> ModelSensitivity:
    files, _ = evaluation_files(checkpoint, data)
    spec = checkpoint.header.spec
    with divided_cores(workers) as chosen:
        loader = make_loader(
            labelled_dataset(files.sample(images), PictureInput(spec).transform()),
            batch_size=batch_size,
            shuffle=False,
            num_workers=chosen,
            persistent_workers=False,
            on_error="raise" if on_bad_image == "error" else "skip",
        )
        passes = 1 + sum(removed.concerns(spec.size_px) for removed in wanted)
        with progress_bar(name, "passes", total=len(loader) * passes, shown=progress) as step_done:
            return measure(checkpoint, loader, wanted, name=name, mask=mask, device=device, step_done=step_done)


@contextmanager
def _saying_what_is_kept(done: Sequence[ModelSensitivity], folder: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = f"; {folder} holds what was measured of {', '.join(model.name for model in done)}" if done else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from stop


def _names(checkpoints: Sequence[str | Path]) -> list[str]:
    """What to call each: its run's folder, where those differ; else the path."""
    folders = [Path(path).resolve().parent.name for path in checkpoints]
    return folders if len(set(folders)) == len(folders) else [str(path) for path in checkpoints]


def _warn_of_other_scenes(checkpoints: Sequence[Checkpoint]) -> None:
    """Cycles per picture mean the same only for pictures that show the same part of a photo."""
    shares = {}
    for checkpoint in checkpoints:
        spec = checkpoint.header.spec
        shares[str(checkpoint.path)] = 1.0 if spec.resize_px is None else spec.size_px / spec.resize_px
    smallest, largest = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    if shares[largest] > 1.02 * shares[smallest]:
        _log.warning(
            "The crops differ: %s sees %.0f %% of a photo's short side, %s %.0f %%; a cycle per picture is not the "
            "same for both",
            smallest, 100 * shares[smallest], largest, 100 * shares[largest],
        )  # fmt: skip
