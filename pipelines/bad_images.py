"""bad_images.csv: the files that a run has skipped, each once, and why."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from freqlearn import atomic

BAD_IMAGES = "bad_images.csv"


def list_bad_images(folder: Path, found: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Add files to the list in a folder; there is no list as long as nothing was skipped.

    Args:
        folder: Where bad_images.csv is, or goes.
        found: Files and reasons.

    Returns:
        Those that were not on it, and how many are on it now.

    Raises:
        OSError: If it cannot be written.
    """
    path = folder / BAD_IMAGES
    listed = listed_in(folder)
    new = {name: why.removeprefix(f"{name}: ") for name, why in found.items() if _printable(name) not in listed}
    if new:
        listed |= {_printable(name): _printable(why) for name, why in new.items()}
        atomic.write_text(path, _as_csv(listed))
    return new, len(listed)


def skipped_line(folder: Path, count: int) -> str:
    """What to say of the list at the end of a run."""
    return f"{count} image{'s' if count > 1 else ''} skipped, listed in {folder / BAD_IMAGES}"


def _printable(text: str) -> str:
    """The text without the surrogates that stand for what is no UTF-8 in a file's name."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listed_in(folder: Path) -> dict[str, str]:
    """Files and reasons on the list in a folder; none if there is no list."""
    path = folder / BAD_IMAGES
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["file"]: row["reason"] for row in csv.DictReader(file)}


def _as_csv(listed: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "reason"))
    writer.writerows(sorted(listed.items()))
    return text.getvalue()
