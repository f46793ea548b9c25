"""What a pruning has done: as a table for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freqlearn.pipelines.pruning.tally import Tally, total
from freqlearn.pipelines.tables import table

FORMAT = "freqlearn.prune_report"
_CLASSES_SHOWN = 20
_FILES_SHOWN = 5


@dataclass(frozen=True)
class PruneReport:
    """What `prune` has done.

    Attributes:
        source: What was pruned.
        output: Where it went.
        kept: What was kept of each picture, in words.
        options: How, as JSON types.
        classes: Class -> what came of its files. A class is a folder, relative to the source, or a label of shards.
        grew: Name, bytes before and bytes after of files that are larger now; the first 1000, all are counted.
        lowest: The file with the lowest luma PSNR, and it in dB; None if no file has lost anything of Y.
        skipped: Name and reason of files that could not be read.
    """

    source: str
    output: str
    kept: str
    options: Mapping[str, Any]
    classes: Mapping[str, Tally]
    grew: Sequence[tuple[str, int, int]]
    lowest: tuple[str, float] | None
    skipped: Sequence[tuple[str, str]]

    @property
    def total(self) -> Tally:
        """All classes together."""
        return total(self.classes.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "format": FORMAT,
            "version": 1,
            "source": self.source,
            "output": self.output,
            "kept": self.kept,
            "options": dict(self.options),
            "total": _row(self.total),
            "lowest": None if self.lowest is None else {"file": self.lowest[0], "luma_psnr_db": self.lowest[1]},
            "classes": {label: _row(tally) for label, tally in self.classes.items()},
            "grew": [{"file": name, "before": before, "after": after} for name, before, after in self.grew],
            "skipped": [{"file": name, "reason": why} for name, why in self.skipped],
        }

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def __str__(self) -> str:
        everything = self.total
        rows = [_shown(label or ".", tally) for label, tally in self.classes.items() if tally.pruned]
        lines = [self.kept]
        if len(rows) > 1:
            lines += [table([*rows[:_CLASSES_SHOWN], _shown("all", everything)])]
            if len(rows) > _CLASSES_SHOWN:
                lines.append(f"({len(rows) - _CLASSES_SHOWN} more classes in the report)")
        else:
            lines.append(table([_shown("all", everything)]))
        if self.lowest is not None:
            lines.append(f"lowest luma PSNR: {self.lowest[1]:.2f} dB, {_printable(self.lowest[0])}")
        if everything.same_luma:
            lines.append(f"{everything.same_luma} of {everything.pruned} lost nothing of Y: not in the PSNR")
        if everything.kept:
            lines.append(f"{everything.kept} JPEG files without Y, Cb and Cr (CMYK, RGB, ...) left as they are")
        if everything.copied:
            lines.append(f"{everything.copied} other files left as they are")
        if everything.grew:
            lines.append(f"{everything.grew} grew: " + _listed([name for name, _, _ in self.grew], everything.grew))
        return "\n".join(lines)


def _row(tally: Tally) -> dict[str, Any]:
    changed = tally.psnr_mean_db is not None
    return {
        "pruned": tally.pruned,
        "bytes_before": tally.bytes_before,
        "bytes_after": tally.bytes_after,
        "luma_psnr_mean_db": tally.psnr_mean_db,
        "luma_psnr_lowest_db": tally.psnr_lowest_db if changed else None,
        "same_luma": tally.same_luma,
        "grew": tally.grew,
        "kept_jpegs": tally.kept,
        "copied": tally.copied,
        "copied_bytes": tally.copied_bytes,
        "skipped": tally.skipped,
    }


def _shown(label: str, tally: Tally) -> dict[str, object]:
    mean = tally.psnr_mean_db
    return {
        "class": _printable(label),
        "pruned": tally.pruned,
        "before, MB": f"{tally.bytes_before / 1e6:.3f}",
        "after, MB": f"{tally.bytes_after / 1e6:.3f}",
        "times smaller": f"{tally.bytes_before / tally.bytes_after:.2f}" if tally.bytes_after else "-",
        "PSNR of Y, dB": "-" if mean is None else f"{mean:.2f}",
        "lowest": "-" if mean is None else f"{tally.psnr_lowest_db:.2f}",
        "grew": tally.grew,
        "skipped": tally.skipped,
    }


def _listed(names: Sequence[str], count: int) -> str:
    some = ", ".join(_printable(name) for name in names[:_FILES_SHOWN])
    return some if count <= _FILES_SHOWN else f"{some} and {count - _FILES_SHOWN} more"


def _printable(name: str) -> str:
    """A name on one line: what is no UTF-8 in it, or moves the cursor, is escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
