"""One entry of a source, pruned or copied to its place."""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from freqlearn import atomic
from freqlearn.pipelines.data import UnreadableError, naming_file, reason
from freqlearn.pipelines.pruning.entries import Entry
from freqlearn.pipelines.pruning.log import DoneLog
from freqlearn.pipelines.pruning.pictures import Kept, Pruner
from freqlearn.pipelines.pruning.places import Places
from freqlearn.pipelines.pruning.tally import Outcome
from freqlearn.pipelines.shards.writing import CountedFile
from freqlearn.reading import read_bytes

_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Job:
    """What all entries of a run have in common.

    Attributes:
        places: Where everything is.
        pruner: Prunes one picture.
        skips: Whether files that cannot be read are left out.
        log: What has been done; None where there is nothing to go on from.
    """

    places: Places
    pruner: Pruner
    skips: bool
    log: DoneLog | None

    def done(self, entry: Entry) -> Outcome | None:
        """What came of an entry in an earlier run that was stopped."""
        outcome = None if self.log is None else self.log.outcome(entry.name, self.places.target(entry))
        # What was to be skipped then may be an error now.
        return outcome if outcome is None or self.skips or not outcome.skipped else None

    def note(self, entry: Entry, outcome: Outcome) -> Outcome:
        """Note an entry that has no new file."""
        if self.log is not None:
            self.log.note(entry.name, outcome)
        return outcome

    def write(self, entry: Entry, content: Callable[[IO[bytes]], Outcome]) -> Outcome:
        """Write an entry's new file in one step, and note it.

        Args:
            entry: The entry.
            content: Writes the file, and returns what came of it.

        Raises:
            OSError: If it cannot be written; what was there before is then untouched.
        """
        target = self.places.target(entry)
        outcomes = []

        def write(file: IO[bytes]) -> None:
            if self.places.in_place:
                os.chmod(file.fileno() if os.chmod in os.supports_fd else file.name, _permissions(target))
            counted: Any = CountedFile(file)
            outcome = content(counted)
            if self.log is not None:
                self.log.note(entry.name, outcome, counted.size_bytes, counted.digest.hexdigest())
            outcomes.append(outcome)

        if not self.places.single:
            target.parent.mkdir(parents=True, exist_ok=True)
        # An original must not be lost to a power cut; anything else can be made again.
        atomic.write_file(target, write, synchronised=self.places.in_place)
        return outcomes[0]


def prune_file(job: Job, entry: Entry) -> Outcome:
    """Prune a picture, or copy what is none.

    Raises:
        OSError: If the new file cannot be written.
        UnreadableError: If the picture cannot be read, and is not to be skipped; or if it is the only file, and not a
            JPEG file.
    """
    done = job.done(entry)
    if done is not None:
        return done
    outcome = Outcome()
    if entry.kind == "other":
        if job.places.single:
            raise _no_jpeg(entry.path)
        size_bytes = os.stat(entry.path).st_size
        outcome.add_kept(entry.label, size_bytes, jpeg=False)
        return job.note(entry, outcome) if job.places.in_place else job.write(entry, _copy_of(entry.path, outcome))
    try:
        data = read_bytes(entry.path)
        pruned = job.pruner(data, entry.name)
    except (ValueError, OSError) as error:
        if not job.skips:
            raise UnreadableError(naming_file(entry.path, error)) from error
        outcome.add_skipped(str(entry.path), entry.label, reason(error))
        return job.note(entry, outcome)
    if isinstance(pruned, Kept):
        if job.places.single and not pruned.jpeg:
            raise _no_jpeg(entry.path)
        outcome.add_kept(entry.label, len(data), jpeg=pruned.jpeg)
        if job.places.in_place:
            return job.note(entry, outcome)
    else:
        outcome.add_pruned(entry.name, entry.label, len(data), len(pruned.data), pruned.psnr_db)
        data = pruned.data
    return job.write(entry, _bytes(data, outcome))


def _no_jpeg(path: Path) -> UnreadableError:
    return UnreadableError(
        f"{path}: expected a JPEG file, got another, as only files in a folder may be (they are copied)"
    )


def _bytes(data: bytes, outcome: Outcome) -> Callable[[IO[bytes]], Outcome]:
    def write(file: IO[bytes]) -> Outcome:
        file.write(data)
        return outcome

    return write


def _copy_of(path: Path, outcome: Outcome) -> Callable[[IO[bytes]], Outcome]:
    def write(file: IO[bytes]) -> Outcome:
        with open(path, "rb") as source:
            shutil.copyfileobj(source, file, _AT_ONCE)
        return outcome

    return write


def _permissions(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)
