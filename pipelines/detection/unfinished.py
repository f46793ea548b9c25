"""What is done of a long run, kept beside its output until it is complete, so that the same run goes on from there."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.pipelines.partial import partial_path

_log = logging.getLogger(__name__)


class Unfinished:
    """Lines of JSON in OUTPUT.partial, one for each part of a run that is done.

    They are only appended, so a run may be killed at any time. Each process has a file of its own; what all of them
    hold is gone on from, by any number of processes.
    """

    def __init__(self, output: Path, run: str, *, rank: int = 0) -> None:
        """Look beside an output file.

        Args:
            output: The output file.
            run: What the run is, see `digest_of_run`: lines of another one are not gone on from.
            rank: Number of this process.
        """
        self.output, self.run = output, run
        self.path = partial_path(output, rank)

    def load(self) -> dict[str, Any]:
        """What is done, whichever process did it: values by their keys."""
        return {key: value for path in self._files() for key, value in self._lines(path)}

    def start(self) -> None:
        """Make this process's file ready to append to: what it holds of another run, or half a line, goes."""
        kept = list(self._lines(self.path, said=True)) if self.path.is_file() else []
        atomic.write_text(self.path, "".join(self._line(key, value) for key, value in kept))

    def append(self, key: str, value: Any) -> None:
        """Note that a part is done; the value must be of JSON types."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(self._line(key, value))

    def remove(self) -> None:
        """Remove the files of all processes: the output is written."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        if not self.output.parent.is_dir():
            return []
        name = re.compile(re.escape(partial_path(self.output).name) + r"(\.\d+)?")
        return sorted(path for path in self.output.parent.iterdir() if name.fullmatch(path.name))

    def _line(self, key: str, value: Any) -> str:
        return json.dumps({"run": self.run, "key": key, "value": value}) + "\n"

    def _lines(self, path: Path, *, said: bool = False) -> Iterator[tuple[str, Any]]:
        for line in path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                run, key, value = entry["run"], str(entry["key"]), entry["value"]
            except (KeyError, TypeError, ValueError):
                if not said:
                    _log.warning("%s cannot be read to its end: going on without the rest", path)
                return
            if run != self.run:
                if not said:
                    _log.warning("%s is of another run (other files, options or checkpoint): starting over", path)
                return
            yield key, value
