"""What `freqlearn stats` keeps of an interrupted run, so that the next one goes on where it stopped."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.documents import Format
from freqlearn.pipelines.measuring import Measurement
from freqlearn.statistics import ChannelStatistics

_FORMAT = Format(
    "freqlearn.partial_statistics",
    2,
    "an unfinished measurement",
    ("run", "list", "done", "skipped", "statistics"),
    "measure anew",
)
_log = logging.getLogger(__name__)


def partial_path(output: Path, rank: int = 0) -> Path:
    """Return where a process keeps its unfinished measurements for an output file."""
    return output.with_name(f"{output.name}.partial" + (f".{rank}" if rank else ""))


class PartialFile:
    """The file beside an output that holds unfinished measurements of lists of files, a line each.

    Lines are only ever appended, a later one of a list replacing those before, so a run may be killed at any time. They
    are only gone on from if they were made by the same run: the same files (names, sizes, times of change) and options.
    Each process has a file of its own; what all of them hold is gone on from, by any number of processes.

    Args:
        output: The output file; see ``partial_path``.
        run: What the run is; see ``digest_of_run``.
        rank: Number of this process.
    """

    def __init__(self, output: Path, run: str, rank: int = 0) -> None:
        self.path = partial_path(output, rank)
        self.run = run
        self.output = output

    def load(self) -> dict[int, Measurement]:
        """Return the unfinished measurements of this run, whichever process made them, by their lists' numbers."""
        found: dict[int, Measurement] = {}
        for path in self._files():
            for number, measurement in self._read(path):
                if number not in found or measurement.done > found[number].done:
                    found[number] = measurement
        return found

    def start(self) -> None:
        """Make this process's file ready to append to: what it holds of another run, or half a line, goes."""
        kept = dict(self._read(self.path)) if self.path.is_file() else {}
        atomic.write_text(self.path, "".join(self._line(number, kept[number]) for number in kept))

    def append(self, number: int, measurement: Measurement) -> None:
        """Write what has been measured of a list."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(self._line(number, measurement))

    def remove(self) -> None:
        """Remove the files of all processes: the output is written."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        name = re.compile(re.escape(partial_path(self.output).name) + r"(\.\d+)?")
        return sorted(path for path in self.output.parent.iterdir() if name.fullmatch(path.name))

    def _line(self, number: int, measurement: Measurement) -> str:
        state = _FORMAT.document(
            run=self.run,
            list=number,
            done=measurement.done,
            skipped=measurement.skipped,
            statistics=measurement.statistics.to_dict(),
        )
        return json.dumps(state) + "\n"

    def _read(self, path: Path) -> Iterable[tuple[int, Measurement]]:
        for line in path.read_bytes().splitlines():
            try:
                data = _FORMAT.checked(_FORMAT.parsed(line.decode()))
                measurement = _measurement(data)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("%s cannot be read to its end (%s): going on without the rest", path, error)
                return
            if data["run"] != self.run:
                _log.warning("%s is of another run (other files, options or version): starting over", path)
                return
            yield int(data["list"]), measurement


def _measurement(data: Mapping[str, Any]) -> Measurement:
    statistics = ChannelStatistics.from_dict(data["statistics"])
    return Measurement(statistics, int(data["done"]), tuple((path, reason) for path, reason in data["skipped"]))


def digest_of_run(files: Iterable[str | Path], options: str) -> str:
    """What identifies a run: its files, with sizes and times of change, and its options.

    Args:
        files: The files, in order; what is no local file counts by its name.
        options: Everything else that decides the result, as text.
    """
    digest = hashlib.sha256(options.encode())
    for file in files:
        try:
            status = os.stat(file)
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError as error:  # measuring it will say what is wrong
            state = type(error).__name__
        digest.update(b"\0" + os.fsencode(file) + b"\0" + state.encode())
    return digest.hexdigest()
