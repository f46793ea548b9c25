"""Bytes of one set of photos in several forms, and the time from each to a model's input."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

import freqlearn as fl
from benchmarks.packing.errors import CARRIED
from freqlearn.pipelines.bench import rgb
from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import Pass, UnavailableError, each
from freqlearn.pipelines.bench.photos import Photo
from freqlearn.pipelines.bench.timing import Ratio, Timing, measure
from freqlearn.repacking import Repacking

QUALITIES = (90, 75, 50)
PLAIN = "original files"
RGB_224 = rgb.row(rgb.TORCHVISION, 224)

Change = Callable[[fl.DCTImage], fl.DCTImage]


def forms(spec: fl.InputSpec) -> dict[str, Change]:
    """What is done to the photos, by name; packed for a model's evaluation."""
    sizes = spec.resize_px or spec.size_px, spec.size_px
    kept: dict[str, Change] = {
        f"pruned to the file's own DCT-{n}": lambda img, channels=CARRIED[n]: img.keep(channels)  # type: ignore[misc]
        for n in ("48", "24")
    }
    packed: dict[str, Change] = {
        f"packed, {n} channels, quality {quality}": Repacking(*sizes, channels=CARRIED[n], quality=quality)
        for n, qualities in (("24", QUALITIES), ("64", QUALITIES), ("192", (75,)))
        for quality in qualities
    }
    return {"written anew, nothing left out": lambda img: img, **kept, **packed}


def in_form(photos: Sequence[Photo], change: Change) -> list[Photo]:
    """The photos as files of a form."""
    data = [fl.write_jpeg(change(fl.read_dct(photo.data)), metadata="orientation") for photo in photos]
    return [replace(photo, data=written) for photo, written in zip(photos, data, strict=True)]


def rows(photos: Sequence[Photo], spec: fl.InputSpec, *, rounds: int) -> list[dict[str, object]]:
    """A row for each form: kB a file, and ms of a processor from the file's bytes to the model's input.

    Args:
        photos: JPEG files of three components or one.
        spec: Of the model.
        rounds: How often each is timed, in turns; medians count.
    """
    files = {PLAIN: list(photos)} | {name: in_form(photos, change) for name, change in forms(spec).items()}
    transforms = {"training": fl.presets.classification_train(spec), "evaluation": fl.presets.classification_eval(spec)}
    passes: dict[str, Pass] = {
        f"{kind} {name}": _own(each(lambda photo, work=work: work(photo.data)), own)  # type: ignore[misc]
        for kind, work in transforms.items()
        for name, own in files.items()
    }
    for kind, geometry in (("training", Geometry(224)), ("evaluation", Geometry(224, 256))):
        try:
            passes[f"{kind} {RGB_224}"] = rgb.peer(rgb.TORCHVISION, geometry).make()
        except UnavailableError as reason:
            warnings.warn(f"{RGB_224} is left out: {reason}", stacklevel=2)
    for run in passes.values():  # warm
        run(photos)
    timings = measure(passes, photos, rounds=rounds)
    return [_row(name, own, timings) for name, own in files.items()] + (
        [_row(RGB_224 + ", original files", files[PLAIN], timings, RGB_224)] if f"training {RGB_224}" in passes else []
    )


def _own(run: Pass, own: Sequence[Photo]) -> Pass:
    """A pass over its own files of the same photos."""
    return lambda _: run(own)


def _row(name: str, own: Sequence[Photo], timings: dict[str, Timing], key: str | None = None) -> dict[str, object]:
    row: dict[str, Any] = {"files": name, "kB a file": f"{sum(len(photo.data) for photo in own) / len(own) / 1000:.1f}"}
    for kind in ("training", "evaluation"):
        timing = timings[f"{kind} {key or name}"]
        row[f"{kind}, ms"] = f"{torch.tensor(timing.cpu).median():.2f}"
        row[f"{kind}, times as fast as plain"] = str(Ratio.of_cpu(timings[f"{kind} {PLAIN}"], timing))
        if f"{kind} {RGB_224}" in timings:
            row[f"{kind}, as RGB 224"] = str(Ratio.of_cpu(timings[f"{kind} {RGB_224}"], timing))
    return row
