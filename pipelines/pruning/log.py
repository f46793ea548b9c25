"""What a pruning has done, noted while it runs, so that the same command goes on after a stop."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from freqlearn.pipelines.pruning.tally import Outcome
from freqlearn.pipelines.unfinished import Unfinished, partial_path

_BEGUN = ""  # the key of the first line: no file has an empty name


class DoneLog:
    """Outcomes by entry, in a file beside the report. Safe to use from many threads.

    A file is noted when its new content is written and has not its name yet. So what is there can be told from what was
    there before, even in place: noted, and of the noted content.
    """

    def __init__(self, report: Path, run: str) -> None:
        """Open or begin the log of a run.

        Args:
            report: The run's report; the log lies beside it until that is written.
            run: What the run is, see `freqlearn.pipelines.unfinished.digest_of_run`.

        Raises:
            ValueError: If there is the log of another run.
        """
        self._file = Unfinished(report, run)
        self._lock = threading.Lock()
        path = partial_path(report)
        if _run_of(path) not in (None, run):
            raise ValueError(
                f"{path.parent} holds what another run has begun (other files, options or version): finish that one "
                f"with its own command, or remove {path} and what it has written"
            )
        # As text: a million parsed outcomes would take gigabytes.
        self._done = {name: json.dumps(value) for name, value in self._file.entries()}
        self._file.start()
        if _BEGUN not in self._done:
            self._file.append(_BEGUN, "begun")

    def outcome(self, name: str, target: Path) -> Outcome | None:
        """What came of an entry, if it was done and its file is still what was written then."""
        value: Any = json.loads(self._done.pop(name, "null"))
        if value is None or not (value["sha256"] is None or _has_content(target, value["bytes"], value["sha256"])):
            return None
        return Outcome.parsed(value["outcome"])

    def note(self, name: str, outcome: Outcome, size_bytes: int = 0, sha256: str | None = None) -> None:
        """Note an entry as done.

        Args:
            name: The entry's.
            outcome: What came of it.
            size_bytes: Size of its new file.
            sha256: Of its new file; None if it has none.
        """
        with self._lock:
            self._file.append(name, {"bytes": size_bytes, "sha256": sha256, "outcome": outcome.plain()})

    def remove(self) -> None:
        """Remove the log: the report is written."""
        self._file.remove()


def _has_content(path: Path, size_bytes: int, sha256: str) -> bool:
    try:
        if path.stat().st_size != size_bytes:
            return False
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _run_of(path: Path) -> str | None:
    """What run a log is of; None if there is none, or it was stopped before it had a line."""
    try:
        with open(path, "rb") as file:
            return str(json.loads(file.readline())["run"])
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None
