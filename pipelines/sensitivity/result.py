"""What a measurement of sensitivity found: its table and its files."""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.documents import Format
from freqlearn.pipelines.sensitivity.removals import Removal, Remove
from freqlearn.pipelines.tables import table
from freqlearn.spectrum import Mask

CSV_NAME, JSON_NAME = "sensitivity.csv", "sensitivity.json"
FORMAT = Format("freqlearn.sensitivity", 1, "a sensitivity", ("data", "remove", "mask", "models"), "measure it anew")
"""How sensitivity.json says what it is."""


@dataclass(frozen=True, kw_only=True)
class SensitivityPoint:
    """A model without some frequencies of its pictures.

    Attributes:
        removed: The frequencies.
        top1: Share of images classified correctly without them.
        lost: Images that are classified correctly with them only.
        gained: Images that are classified correctly without them only.
        images: How many images there are.
        energy: Share of the pictures' variance in Y that went with them, over all images.
    """

    removed: Removal
    top1: float
    lost: int
    gained: int
    images: int
    energy: float

    @property
    def drop(self) -> float:
        """How much accuracy is lost."""
        return (self.lost - self.gained) / self.images

    @property
    def standard_error(self) -> float:
        """Of `drop`, for the images being a sample; smaller than an accuracy's, because both have the same images."""
        return math.sqrt(((self.lost + self.gained) / self.images - self.drop**2) / self.images)


@dataclass(frozen=True, kw_only=True)
class ModelSensitivity:
    """A model's accuracy without each of some frequencies.

    Attributes:
        name: What it is called in table and plot.
        checkpoint: Its file.
        network: Name of the network.
        input: Name of the channel set, or "rgb".
        size_px: Side of its picture.
        resize_px: Short side that files are resized to before the crop; None for no resize.
        images: How many images it was given.
        top1: Share of them classified correctly with nothing taken out.
        points: What was taken out, and what is left of the accuracy.
        skipped: Path and reason of each file that could not be read.
    """

    name: str
    checkpoint: str
    network: str
    input: str
    size_px: int
    resize_px: int | None
    images: int
    top1: float
    points: tuple[SensitivityPoint, ...]
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The sensitivities of some models to the frequencies of their pictures.

    Attributes:
        data: Folder of the images.
        remove: What was taken out; see `removals`.
        mask: How the gain falls at the edges.
        models: The models.
    """

    data: str
    remove: Remove
    mask: Mask
    models: tuple[ModelSensitivity, ...]

    def __str__(self) -> str:
        rows = []
        for removed in self.removals():
            row = {"cycles per picture taken out": str(removed)}
            for model in self.models:
                row[model.name] = _cell(model, removed)
            rows.append(row)
        nothing = {"cycles per picture taken out": "none"}
        rows.insert(0, nothing | {model.name: f"{model.top1:.1%}" for model in self.models})
        notes = ["accuracy, its change in points ± standard error, and the share of the pictures' variance taken out"]
        counts = {model.images for model in self.models}
        notes.append(f"{' and '.join(map(str, sorted(counts)))} images of {self.data}, {self.mask} mask")
        for model in self.models:
            if model.skipped:
                notes.append(f"{model.name}: {len(model.skipped)} files that cannot be read are left out")
        return "\n".join([table(rows), *(f"({note})" for note in notes)])

    def removals(self) -> list[Removal]:
        """Everything that was taken out of at least one model's pictures, from low to high."""
        found = {point.removed for model in self.models for point in model.points}
        return sorted(found, key=lambda removed: (removed.low, removed.high))

    def save(self, folder: Path) -> None:
        """Write sensitivity.csv and sensitivity.json."""
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / CSV_NAME, self.to_csv())
        atomic.write_text(folder / JSON_NAME, json.dumps(self.to_dict(), indent=1) + "\n")

    def to_csv(self) -> str:
        """One row for each model and each thing taken out; the first of a model with nothing taken out."""
        file = io.StringIO()
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ("model", "input", "size_px", "low", "high", "images", "top1", "drop", "standard_error", "energy")
        )
        for model in self.models:
            about = (model.name, model.input, model.size_px)
            rows.writerow((*about, "", "", model.images, round(model.top1, 6), 0, 0, 0))
            for point in model.points:
                high = "" if math.isinf(point.removed.high) else round(point.removed.high, 6)
                numbers = (point.top1, point.drop, point.standard_error, point.energy)
                rows.writerow(
                    (*about, round(point.removed.low, 6), high, point.images, *(round(value, 6) for value in numbers))
                )
        return file.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types; an edge at infinity is null."""
        models = [asdict(model) | {"points": list(_plain_points(model))} for model in self.models]
        return FORMAT.document(data=self.data, remove=self.remove, mask=self.mask, models=models)


def _plain_points(model: ModelSensitivity) -> Iterator[dict[str, Any]]:
    for point in model.points:
        plain = asdict(point)
        removed = plain.pop("removed")
        edges = {"low": removed["low"], "high": None if math.isinf(removed["high"]) else removed["high"]}
        yield edges | plain | {"drop": point.drop, "standard_error": point.standard_error}


def _cell(model: ModelSensitivity, removed: Removal) -> str:
    for point in model.points:
        if point.removed == removed:
            change = f"{(point.gained - point.lost) / point.images * 100:+.1f} ± {100 * point.standard_error:.1f}"
            return f"{point.top1:.1%} ({change}; {point.energy:.2%})"
    return "no such frequencies"
