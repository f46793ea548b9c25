"""What is done of a long run, kept beside its output until it is complete, so that the same run goes on from there."""

import hashlib
import json
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from freqlearn import atomic

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_log = logging.getLogger(__name__)


class UnfinishedRun(ABC, Generic[_Key, _Value]):
    """Lines in OUTPUT.partial, one for each part of a run; subclasses say what a line holds.

    They are only ever appended, a later one of a part replacing those before, so a run may be killed at any time. They
    are only gone on from if they are of the same run. Each process has a file of its own; what all of them hold is gone
    on from, by any number of processes.
    """

    def __init__(self, output: Path, run: str, rank: int = 0) -> None:
        """Look beside an output file.

        Args:
            output: The output file.
            run: What the run is, see `digest_of_run`.
            rank: Number of this process.
        """
        self.output, self.run = output, run
        self.path = partial_path(output, rank)

    @abstractmethod
    def line(self, key: _Key, value: _Value) -> str:
        """A part as a line of text."""

    @abstractmethod
    def parsed(self, line: bytes) -> tuple[str, _Key, _Value]:
        """What run a line is of, the part's key, and its value.

        Raises:
            KeyError, TypeError, ValueError: If the line is damaged.
        """

    def load(self) -> dict[_Key, _Value]:
        """What is done, whichever process did it."""
        return dict(self.entries())

    def entries(self) -> Iterator[tuple[_Key, _Value]]:
        """All lines of this run, in order, file by file."""
        for path in self._files():
            yield from self._read(path)

    def start(self) -> None:
        """Make this process's file ready to append to: what it holds of another run, or half a line, goes."""
        kept = dict(self._read(self.path, said=True)) if self.path.is_file() else {}
        atomic.write_text(self.path, "".join(self.line(key, value) for key, value in kept.items()))

    def append(self, key: _Key, value: _Value) -> None:
        """Note what is done of a part."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(self.line(key, value))

    def remove(self) -> None:
        """Remove the files of all processes: the output is written."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        if not self.output.parent.is_dir():
            return []
        name = re.compile(re.escape(partial_path(self.output).name) + r"(\.\d+)?")
        return sorted(path for path in self.output.parent.iterdir() if name.fullmatch(path.name))

    def _read(self, path: Path, *, said: bool = False) -> Iterator[tuple[_Key, _Value]]:
        """The lines of a file up to the first that is damaged or of another run, which is `said` already or logged."""
        for line in path.read_bytes().splitlines():
            try:
                run, key, value = self.parsed(line)
            except (KeyError, TypeError, ValueError) as error:
                if not said:
                    _log.warning("%s cannot be read to its end (%s): going on without the rest", path, error)
                return
            if run != self.run:
                if not said:
                    _log.warning("%s is of another run (other files, options or version): starting over", path)
                return
            yield key, value


class Unfinished(UnfinishedRun[str, Any]):
    """Lines of plain JSON: parts by names, with values of JSON types."""

    def line(self, key: str, value: Any) -> str:
        """A part as a line of text."""
        return json.dumps({"run": self.run, "key": key, "value": value}) + "\n"

    def parsed(self, line: bytes) -> tuple[str, str, Any]:
        """What run a line is of, the part's name, and its value."""
        entry = json.loads(line)
        return entry["run"], str(entry["key"]), entry["value"]


def partial_path(output: Path, rank: int = 0) -> Path:
    """Return where a process keeps what is done of an output file."""
    return output.with_name(f"{output.name}.partial" + (f".{rank}" if rank else ""))


def has_content(path: Path, size_bytes: int, sha256: str) -> bool:
    """Whether a file is there, of that size and of that SHA-256 in hexadecimal digits."""
    try:
        if path.stat().st_size != size_bytes:
            return False
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


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
        except OSError as error:  # working on it will say what is wrong
            state = type(error).__name__
        digest.update(b"\0" + os.fsencode(file) + b"\0" + state.encode())
    return digest.hexdigest()
