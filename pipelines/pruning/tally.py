"""What pruning has made of some files, in numbers that add up."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

MOST_LISTED = 1000


@dataclass
class Tally:
    """Counts and sums over files.

    Attributes:
        pruned: JPEG files that were written anew.
        bytes_before: Their bytes in the source,
        bytes_after: and now.
        grew: How many of them are larger now.
        same_luma: How many of them have lost nothing of Y.
        psnr_sum_db: Sum of the luma PSNR of all others, in dB.
        psnr_lowest_db: The lowest; infinite if there is none.
        kept: JPEG files that are as they were: they have no coefficients of Y, Cb and Cr (CMYK, RGB, arithmetic
            coding).
        copied: Other files, as they were.
        copied_bytes: Bytes of those kept and copied.
        skipped: Files that could not be read.
    """

    pruned: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    grew: int = 0
    same_luma: int = 0
    psnr_sum_db: float = 0.0
    psnr_lowest_db: float = math.inf
    kept: int = 0
    copied: int = 0
    copied_bytes: int = 0
    skipped: int = 0

    def add(self, other: "Tally") -> None:
        """Add what another one has counted."""
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, min(mine, others) if each.name == "psnr_lowest_db" else mine + others)

    def add_pruned(self, before: int, after: int, psnr_db: float) -> None:
        """Count a file that was written anew; its PSNR is infinite if Y is the same."""
        self.pruned += 1
        self.bytes_before += before
        self.bytes_after += after
        self.grew += after > before
        if math.isinf(psnr_db):
            self.same_luma += 1
        else:
            self.psnr_sum_db += psnr_db
            self.psnr_lowest_db = min(self.psnr_lowest_db, psnr_db)

    @property
    def psnr_mean_db(self) -> float | None:
        """Mean luma PSNR of the files that have lost something of Y; None if there are none."""
        changed = self.pruned - self.same_luma
        return self.psnr_sum_db / changed if changed else None

    def plain(self) -> dict[str, Any]:
        """What is not as in an empty tally, as JSON types."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


@dataclass
class Outcome:
    """What came of one entry: a file, or a shard with many.

    Attributes:
        classes: Class -> what came of its files.
        grew: Name, bytes before and bytes after of files that grew; of the first 1000, all are counted.
        skipped: Name and reason of files that could not be read.
        lowest: The file with the lowest luma PSNR, and it in dB.
        samples: Shard -> number of its samples, where some were left out.
    """

    classes: dict[str, Tally] = field(default_factory=dict)
    grew: list[tuple[str, int, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    lowest: tuple[str, float] | None = None
    samples: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Outcome") -> None:
        """Add what came of other files."""
        for label, tally in other.classes.items():
            self.of(label).add(tally)
        self.grew += other.grew[: MOST_LISTED - len(self.grew)]
        self.skipped += other.skipped
        self.samples |= other.samples
        if other.lowest is not None and (self.lowest is None or other.lowest[1] < self.lowest[1]):
            self.lowest = other.lowest

    def of(self, label: str) -> Tally:
        """The tally of a class."""
        return self.classes.setdefault(label, Tally())

    def add_pruned(self, name: str, label: str, before: int, after: int, psnr_db: float) -> None:
        """Count a file that was written anew."""
        self.of(label).add_pruned(before, after, psnr_db)
        if after > before:
            self.grew.append((name, before, after))
        if not math.isinf(psnr_db) and (self.lowest is None or psnr_db < self.lowest[1]):
            self.lowest = name, psnr_db

    def add_kept(self, label: str, size_bytes: int, *, jpeg: bool) -> None:
        """Count a file that is as it was."""
        tally = self.of(label)
        tally.kept += jpeg
        tally.copied += not jpeg
        tally.copied_bytes += size_bytes

    def add_skipped(self, name: str, label: str, why: str) -> None:
        """Count a file that could not be read."""
        self.of(label).skipped += 1
        self.skipped.append((name, why))

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "classes": {label: tally.plain() for label, tally in self.classes.items()},
            **({"grew": self.grew} if self.grew else {}),
            **({"skipped": self.skipped} if self.skipped else {}),
            **({"lowest": self.lowest} if self.lowest else {}),
            **({"samples": self.samples} if self.samples else {}),
        }

    @classmethod
    def parsed(cls, data: Mapping[str, Any]) -> "Outcome":
        """Inverse of `plain`.

        Raises:
            KeyError, TypeError, ValueError: If it is something else.
        """
        lowest = data.get("lowest")
        return cls(
            {str(label): Tally(**tally) for label, tally in data["classes"].items()},
            [(str(name), int(before), int(after)) for name, before, after in data.get("grew", [])],
            [(str(name), str(why)) for name, why in data.get("skipped", [])],
            None if lowest is None else (str(lowest[0]), float(lowest[1])),
            {str(shard): int(samples) for shard, samples in data.get("samples", {}).items()},
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of some tallies."""
    result = Tally()
    for tally in tallies:
        result.add(tally)
    return result
