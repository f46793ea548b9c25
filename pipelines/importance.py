"""Importance: 192 numbers that rank the channels, and what they were measured on."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.indexing import COMPONENTS, NUM_CHANNELS, channel_index, label, split_index
from freqlearn.pipelines.rank_options import Method

JSON_NAME, CSV_NAME = "importance.json", "importance.csv"
UNITS: Mapping[str, str] = {"gate": "probability", "energy": "share of variance", "ablation": "loss increase"}
"""What a method's numbers are."""

FORMAT = Format("freqlearn.importance", 1, "an importance", ("method", "unit", "measured_on", "channels"), "rank anew")
"""How importance.json says what it is."""


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each of the 192 channels matters.

    Attributes:
        values: (192,) float64, index 64 * component + 8 * v + u; larger is more important. Read-only.
        method: "gate": mean probability that the channel's switch is on. "energy": the channel's share of the total
            variance of the dequantised coefficients. "ablation": how much the loss rises without the channel, in nats;
            may be negative.
        measured_on: What they were measured on, as JSON types.
    """

    values: NDArray[np.float64]
    method: Method
    measured_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.shape != (NUM_CHANNELS,):
            raise ValueError(f"expected {NUM_CHANNELS} importances, got shape {values.shape}")
        if not np.isfinite(values).all():
            worst = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"expected finite importances, got {values[worst]} for {label(worst)}")
        if self.method not in get_args(Method):
            raise ValueError(f"expected one of the methods {', '.join(get_args(Method))}, got {self.method!r}")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def unit(self) -> str:
        """What the numbers are: "probability", "share of variance" or "loss increase"."""
        return UNITS[self.method]

    def top(self, k: int) -> ChannelSet:
        """Return the k most important channels, in index order; ValueError if k is not in 1..192."""
        return ChannelSet.top(self.values, k)

    def ranking(self) -> tuple[int, ...]:
        """Return all 192 channels, the most important first; of equal ones, the lower index."""
        return tuple(np.argsort(-self.values, kind="stable").tolist())

    def share_of(self, channels: ChannelSet) -> float:
        """Return which share of all importance lies in some channels, 0..1.

        Negative importances (an ablation that helped) count as zero.
        """
        positive = np.maximum(self.values, 0.0)
        total = float(positive.sum())
        return float(positive[list(channels)].sum()) / total if total > 0 else 0.0

    def rank_correlation(self, other: "Importance") -> float:
        """Return Spearman's rank correlation with another importance, -1..1: 1 if both order the channels alike.

        Equally important channels share their mean rank. Not a number where one of the two ranks all alike.
        """
        mine, others = _mean_ranks(self.values), _mean_ranks(other.values)
        if not (np.ptp(mine) and np.ptp(others)):
            return math.nan
        return float(np.corrcoef(mine, others)[0, 1])

    def summary(self) -> dict[str, float]:
        """Return the shares of importance in Y, Cb and Cr, and in the 16 lowest frequencies of the three."""
        shares = {name: self.share_of(_component(name)) for name in COMPONENTS}
        return {**shares, "lowest 16 frequencies": self.share_of(LOWEST_16)}

    def save(self, folder: str | PathLike[str]) -> tuple[Path, Path]:
        """Write importance.json and importance.csv.

        Args:
            folder: Folder to write to; made if need be.

        Returns:
            The two files.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        json_path, csv_path = folder / JSON_NAME, folder / CSV_NAME
        atomic.write_text(csv_path, self.to_csv())
        atomic.write_text(json_path, self.to_json())
        return json_path, csv_path

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read an importance.json, given as the file or as its folder.

        Raises:
            ValueError: It is missing, or not an importance file of a version that is understood.
        """
        path = Path(path)
        if path.is_dir():
            path = path / JSON_NAME
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror}); `freqlearn rank` writes one") from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}: expected an importance file, which is JSON; `freqlearn rank` writes one"
            ) from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_json(self) -> str:
        """Return the file's text: one line a channel, numbers that read back exactly."""
        rows = [{"channel": i, "component": c, "v": v, "u": u, "importance": x} for i, c, v, u, x in self._rows()]
        head = FORMAT.document(method=self.method, unit=self.unit, measured_on=dict(self.measured_on))
        # By hand, for a line a channel: indent= would give it six.
        opened = json.dumps(head, indent=1).removesuffix("\n}")
        lines = ",\n".join("  " + json.dumps(row) for row in rows)
        return opened + ',\n "channels": [\n' + lines + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON, of another format or version, or does not have each channel once.
        """
        data = FORMAT.checked(FORMAT.parsed(text))
        try:
            entries = {_entry_index(entry): float(entry["importance"]) for entry in data["channels"]}
            method, measured_on = data["method"], dict(data["measured_on"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"the importance file is damaged: {error!r}") from error
        if len(entries) != NUM_CHANNELS or len(data["channels"]) != NUM_CHANNELS:
            raise ValueError(f"expected each of the {NUM_CHANNELS} channels once, got {len(entries)} different ones")
        return cls(np.array([entries[i] for i in range(NUM_CHANNELS)]), method, measured_on)

    def to_csv(self) -> str:
        """Return a table for people and spreadsheets: rank, channel, component, v, u, importance; channels in order."""
        rank = {channel: position + 1 for position, channel in enumerate(self.ranking())}
        file = io.StringIO()
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["channel", "component", "v", "u", "importance", "rank"])
        table.writerows([*row, rank[row[0]]] for row in self._rows())
        return file.getvalue()

    def _rows(self) -> list[tuple[int, str, int, int, float]]:
        rows = []
        for index, value in enumerate(self.values.tolist()):
            component, v, u = split_index(index)
            rows.append((index, COMPONENTS[component], v, u, value))
        return rows


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0 upwards, equal values sharing the mean of theirs: (N,) float64."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts + 1) / 2)[place]
    return ranks


def _component(name: str) -> ChannelSet:
    start = channel_index(name, 0, 0)
    return ChannelSet.of(range(start, start + 64), name=name)


LOWEST_16 = ChannelSet.of(
    (channel_index(c, v, u) for c in COMPONENTS for v in range(4) for u in range(4)), name="lowest 16 frequencies"
)
"""v and u below 4, in all three components: 48 of 192 channels."""


def _entry_index(entry: Mapping[str, Any]) -> int:
    index = channel_index(entry["component"], entry["v"], entry["u"])
    if index != entry["channel"]:
        raise ValueError(f"{label(index)} is channel {index}, but the file calls it {entry['channel']}")
    return index
