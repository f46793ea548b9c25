"""What a sweep over the number of channels found: its table, its files, its plot."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.documents import Format
from freqlearn.pipelines import sweep_plot
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.sweep_points import Point, Summary
from freqlearn.pipelines.tables import table

CSV_NAME, JSON_NAME = "sweep.csv", "sweep.json"
FORMAT = Format(
    "freqlearn.sweep", 1, "a sweep", ("model", "method", "measured_on", "points", "summary"), "sweep the channels anew"
)
"""How sweep.json says what it is."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Accuracy against the number of channels.

    Attributes:
        importance: The ranking whose most important channels were trained with.
        model: The network.
        points: All trainings.
        folder: Where the files are.
    """

    importance: Importance
    model: str
    points: tuple[Point, ...]
    folder: Path

    @property
    def summary(self) -> list[Summary]:
        """The baseline first, then by the number of channels."""
        groups: dict[tuple[bool, int], list[Point]] = {}
        for point in self.points:
            groups.setdefault((point.input == "dct", point.channels), []).append(point)
        return [Summary.of(groups[key]) for key in sorted(groups)]

    def __str__(self) -> str:
        several = any(entry.std is not None for entry in self.summary)
        rows = []
        for entry in self.summary:
            row = {
                "channels": "RGB" if entry.input == "rgb" else str(entry.channels),
                "bytes per image": f"{entry.bytes_per_image:,}",
                "MMACs": f"{entry.macs / 1e6:,.1f}",
                "accuracy": f"{entry.accuracy:.1%} ± {100 * entry.standard_error:.1f}",
            }
            if several:
                row |= {"seeds": str(entry.seeds), "std": "" if entry.std is None else f"{100 * entry.std:.1f}"}
            rows.append(row)
        images = self.points[0].images
        explained = f"± is the standard error of {images} validation images"
        if several:
            explained += "; std is over seeds; both in points"
        files = f"{CSV_NAME}, {JSON_NAME}, sweep.png, sweep.svg"
        return "\n".join([table(rows), f"({explained}; after the last epoch)", f"Wrote {self.folder}/: {files}"])

    def save(self) -> None:
        """Write sweep.csv, sweep.json, sweep.png and sweep.svg to the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self.folder / CSV_NAME, self.to_csv())
        atomic.write_text(self.folder / JSON_NAME, json.dumps(self.to_dict(), indent=1) + "\n")
        sweep_plot.draw(self.summary, self.folder, points=self.points, title=self._title())

    def to_csv(self) -> str:
        """Return one row a training."""
        file = io.StringIO()
        rows = csv.DictWriter(file, list(asdict(self.points[0])), lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(point) for point in self.points)
        return file.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return FORMAT.document(
            model=self.model,
            method=self.importance.method,
            measured_on=dict(self.importance.measured_on),
            points=[asdict(point) for point in self.points],
            summary=[asdict(entry) for entry in self.summary],
        )

    def _title(self) -> str:
        on = self.importance.measured_on.get("folder")
        where = f" on {'/'.join(Path(str(on)).parts[-2:])}" if on else ""
        return f"{self.model} on the most important channels, ranked by {self.importance.method}{where}"
