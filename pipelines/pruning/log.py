"""What a pruning has done, noted while it runs, so that the same command goes on after a stop."""

import errno
import json
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from freqlearn.pipelines.pruning.tally import Outcome
from freqlearn.pipelines.unfinished import has_content, partial_path

_log = logging.getLogger(__name__)


class DoneLog:
    """Outcomes by entry, a line each, in a file beside the report. Safe to use from many threads; close it at the end.

    An entry is noted when its new content is written and has not its name yet. So what is there can be told from what
    was there before, even in place: noted, and of the noted content.

    Not `freqlearn.pipelines.unfinished.Unfinished`, which reads everything into memory and writes it again: of a
    million files that would be gigabytes. Here only the places of lines are kept.
    """

    def __init__(self, report: Path, run: str) -> None:
        """Begin the log of a run, or go on with it.

        Args:
            report: The run's report; the log lies beside it until that is written.
            run: What the run is, see `freqlearn.pipelines.unfinished.digest_of_run`.

        Raises:
            OSError: If it cannot be read or written.
            ValueError: If there is the log of another run.
        """
        self.path = partial_path(report)
        self._lock = threading.Lock()
        self._lines: dict[str, int] = {}
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115  # until `close`
        try:
            self._end = self._scanned(run)
            self._file.truncate(self._end)  # half a line of a run that was killed
            if self._end == 0:
                self._append({"run": run})
        except BaseException:
            self._file.close()
            raise

    def outcome(self, name: str, target: Path) -> Outcome | None:
        """What came of an entry, if it is done and its file is still what was written then."""
        if name not in self._lines:
            return None
        with open(self.path, "rb") as file:
            file.seek(self._lines[name])
            noted = json.loads(file.readline())
        if noted["sha256"] is not None and not has_content(target, noted["bytes"], noted["sha256"]):
            return None
        return Outcome.parsed(noted["outcome"])

    def note(self, name: str, outcome: Outcome, size_bytes: int = 0, sha256: str | None = None) -> None:
        """Note an entry as done.

        Args:
            name: The entry's.
            outcome: What came of it.
            size_bytes: Size of its new file.
            sha256: Of its new file; None if it has none.

        Raises:
            OSError: If the line cannot be written; the log is then as it was.
        """
        self._append({"name": name, "bytes": size_bytes, "sha256": sha256, "outcome": outcome.plain()})

    def remove(self) -> None:
        """Remove the log: the report is written."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _scanned(self, run: str) -> int:
        """Find the lines; where the last whole one ends."""
        end = 0
        with open(self.path, "rb") as file:
            for line in file:
                noted = _parsed(line)
                value = noted.get("name" if end else "run")
                if not isinstance(value, str):
                    _log.warning("%s cannot be read to its end: going on without the rest", self.path)
                    break
                if end:
                    self._lines[value] = end
                elif value != run:
                    raise ValueError(
                        f"{self.path.parent} holds what another run has begun (other files, options or version): "
                        f"finish that one with its own command, or remove {self.path} and what it has written"
                    )
                end += len(line)
        return end

    def _append(self, noted: dict[str, Any]) -> None:
        line = json.dumps(noted).encode("ascii") + b"\n"
        with self._lock:
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._end)
                raise
            self._end += len(line)


def _parsed(line: bytes) -> dict[str, Any]:
    """What a line holds; nothing if it is not whole."""
    try:
        noted = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        noted = None
    return noted if isinstance(noted, dict) else {}
