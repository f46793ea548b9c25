"""What `freqlearn stats` keeps of an interrupted run, so that the next one goes on where it stopped."""

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from freqlearn import atomic
from freqlearn.documents import Format
from freqlearn.pipelines.measuring import Measurement
from freqlearn.statistics import ChannelStatistics

_FORMAT = Format(
    "freqlearn.partial_statistics",
    1,
    "an unfinished measurement",
    ("run", "done", "skipped", "statistics"),
    "measure anew",
)
_log = logging.getLogger(__name__)


def partial_path(output: Path) -> Path:
    """Return where an unfinished measurement for an output file is kept."""
    return output.with_name(output.name + ".partial")


class PartialFile:
    """The file beside an output that holds an unfinished measurement.

    It is only gone on from if it was made by the same run: the same files (names, sizes, times of change) and options.

    Args:
        output: The output file; see ``partial_path``.
        paths: The files to measure, in order.
        options: Everything else that decides the result, as text.
    """

    def __init__(self, output: Path, paths: Iterable[Path], options: str) -> None:
        self.path = partial_path(output)
        self.run = _digest(paths, options)

    def load(self) -> Measurement | None:
        """Return the unfinished measurement, or None if there is none of this run."""
        try:
            data = _FORMAT.checked(_FORMAT.parsed(self.path.read_text(encoding="utf-8")))
            if data["run"] != self.run:
                _log.warning("%s is of another run (other files, options or version): starting over", self.path)
                return None
            statistics = ChannelStatistics.from_dict(data["statistics"])
            return Measurement(statistics, data["done"], tuple((path, reason) for path, reason in data["skipped"]))
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("%s cannot be read (%s): starting over", self.path, error)
            return None

    def save(self, measurement: Measurement) -> None:
        """Write an unfinished measurement, replacing the last one in one step."""
        state = _FORMAT.document(
            run=self.run,
            done=measurement.done,
            skipped=measurement.skipped,
            statistics=measurement.statistics.to_dict(),
        )
        atomic.write_text(self.path, json.dumps(state))


def _digest(paths: Iterable[Path], options: str) -> str:
    digest = hashlib.sha256(options.encode())
    for path in paths:
        try:
            status = path.stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError as error:  # measuring it will say what is wrong
            state = type(error).__name__
        digest.update(b"\0" + os.fsencode(path) + b"\0" + state.encode())
    return digest.hexdigest()
