"""Bytes of one set of photos in several forms, and the time from each to a model's input."""

import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

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
RGB = rgb.row(rgb.TORCHVISION, 224)
FEW = (
    "pruned to the file's own DCT-24",
    "packed, 24 channels, quality 75",
    "packed, 64 channels, quality 75",
)
"""Forms for photos that take long."""

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
    } | {
        f"packed, {n} channels, quality 75, 4:2:0": Repacking(*sizes, channels=CARRIED[n], sampling="4:2:0")
        for n in ("24", "64")
    }
    return {"written anew, nothing left out": lambda img: img, **kept, **packed}


def in_form(photos: Sequence[Photo], change: Change) -> list[Photo]:
    """The photos as files of a form."""
    data = [fl.write_jpeg(change(fl.read_dct(photo.data)), metadata="orientation") for photo in photos]
    return [replace(photo, data=written) for photo, written in zip(photos, data, strict=True)]


def rows(
    photos: Sequence[Photo], spec: fl.InputSpec, *, rounds: int, only: Sequence[str] = ()
) -> list[dict[str, object]]:
    """A row for each form: kB a file, and ms of a processor from the file's bytes to the model's input.

    Args:
        photos: JPEG files of three components or one.
        spec: Of the model.
        rounds: How often each is timed, in turns; medians count.
        only: Names of `forms`; all by default.
    """
    files = {PLAIN: list(photos)} | {
        name: in_form(photos, change) for name, change in forms(spec).items() if not only or name in only
    }
    transforms = {"training": fl.presets.classification_train(spec), "evaluation": fl.presets.classification_eval(spec)}
    passes: dict[str, Pass] = {
        f"{kind} {name}": _own(each(lambda photo, work=work: work(photo.data)), own)  # type: ignore[misc]
        for kind, work in transforms.items()
        for name, own in files.items()
    }
    for kind, geometry in (("training", Geometry(224)), ("evaluation", Geometry(224, 256))):
        try:
            passes[f"{kind} {RGB}"] = rgb.peer(rgb.TORCHVISION, geometry).make()
        except UnavailableError as reason:
            warnings.warn(f"{RGB} is left out: {reason}", stacklevel=2)
    for run in passes.values():  # warm
        run(photos)
    timings = measure(passes, photos, rounds=rounds)
    found = [_row(name, own, timings) for name, own in files.items()]
    if f"training {RGB}" in passes:
        found.append(_row(f"{RGB}, original files", files[PLAIN], timings, RGB))
    return found


def _own(run: Pass, own: Sequence[Photo]) -> Pass:
    """A pass over its own files of the same photos."""
    return lambda _: run(own)


def _row(name: str, own: Sequence[Photo], timings: dict[str, Timing], key: str | None = None) -> dict[str, object]:
    row: dict[str, Any] = {"files": name, "kB a file": f"{sum(len(photo.data) for photo in own) / len(own) / 1000:.1f}"}
    for kind, space in (("training", ""), ("evaluation", " ")):  # the same words twice are one key otherwise
        timing = timings[f"{kind} {key or name}"]
        row[f"{kind}, ms"] = f"{statistics.median(timing.cpu):.2f}"
        row["times plain" + space] = str(Ratio.of_cpu(timings[f"{kind} {PLAIN}"], timing))
        if f"{kind} {RGB}" in timings:
            row["times RGB 224" + space] = str(Ratio.of_cpu(timings[f"{kind} {RGB}"], timing))
    return row
