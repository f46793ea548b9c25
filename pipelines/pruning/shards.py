"""One tar shard, pruned sample by sample."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import IO, NamedTuple

from freqlearn.pipelines.data import UnreadableError, naming_file, reason
from freqlearn.pipelines.pruning.entries import Entry
from freqlearn.pipelines.pruning.files import Job
from freqlearn.pipelines.pruning.members import Folder, LargeMember, Member, Sample, naming_shard, read_shard
from freqlearn.pipelines.pruning.pictures import Kept, is_picture
from freqlearn.pipelines.pruning.tally import Outcome
from freqlearn.pipelines.shards.writing import Compression, ShardWriter

_LONGEST_LABEL = 100
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}


class PrunedSample(NamedTuple):
    """What came of a sample.

    Attributes:
        members: What to write; nothing of a sample with a picture that cannot be read.
        outcome: In numbers.
        counts: Whether webdataset counts it as a sample.
    """

    members: Sequence[Member]
    outcome: Outcome
    counts: bool


def prune_shard(job: Job, entry: Entry, pool: Executor, queued: int, advance: Callable[[], object]) -> Outcome:
    """Prune the pictures of a shard and copy its other members, in their order.

    Args:
        job: What all entries have in common.
        entry: The shard.
        pool: Prunes samples.
        queued: How many samples may wait there.
        advance: Called after each sample.

    Raises:
        OSError: If the new shard cannot be written.
        SampleError: If the shard is damaged, or has members that are neither files nor folders.
        UnreadableError: If a picture cannot be read, and is not to be skipped.
    """
    done = job.done(entry)
    if done is not None:
        return done

    def content(file: IO[bytes]) -> Outcome:
        with ShardWriter(file, compression=_COMPRESSIONS.get(job.places.target(entry).suffix, "")) as writer:
            return _Shard(job, entry, pool, queued, writer, advance).written()

    return job.write(entry, content)


class _Shard:
    """A shard that is being written."""

    def __init__(
        self,
        job: Job,
        entry: Entry,
        pool: Executor,
        queued: int,
        writer: ShardWriter,
        advance: Callable[[], object],
    ) -> None:
        self.job, self.entry, self.pool, self.queued = job, entry, pool, queued
        self.writer, self.advance = writer, advance
        self.outcome = Outcome()
        self.samples = 0
        self.waiting: deque[Future[PrunedSample]] = deque()

    def written(self) -> Outcome:
        """Write all of it; what came of it."""
        for part in read_shard(self.entry.path):
            if isinstance(part, Sample):
                self.waiting.append(self.pool.submit(prune_sample, self.job, self.entry, part))
                self._write(leave=self.queued - 1)
                continue
            self._write(leave=0)
            if isinstance(part, Folder):
                self.writer.add_folder(part.name)
            else:
                self._copy(part)
        self._write(leave=0)
        if self.outcome.skipped:
            self.outcome.samples[self.entry.name] = self.samples
        return self.outcome

    def _write(self, *, leave: int) -> None:
        while len(self.waiting) > leave:
            sample = self.waiting.popleft().result()
            for name, content in sample.members:
                self.writer.add(name, content)
            self.samples += sample.counts
            self.outcome.add(sample.outcome)
            self.advance()

    def _copy(self, member: LargeMember) -> None:
        with naming_shard(self.entry.path, f"in member {member.name}"):
            self.writer.copy(member.name, member.file, member.size_bytes)
        self.outcome.add_kept("", member.size_bytes, jpeg=False)


def prune_sample(job: Job, entry: Entry, sample: Sample) -> PrunedSample:
    """Prune the pictures of a sample.

    Raises:
        UnreadableError: If one cannot be read, and is not to be skipped.
    """
    label = label_of(sample)
    outcome = Outcome()
    members = []
    for name, content in sample.members:
        where = f"{entry.path}/{name}"
        if not is_picture(name):
            members.append(Member(name, content))
            outcome.add_kept(label, len(content), jpeg=False)
            continue
        try:
            pruned = job.pruner(content, name)
        except ValueError as error:
            if not job.skips:
                raise UnreadableError(naming_file(where, error)) from error
            skipped = Outcome()
            skipped.add_skipped(where, label, reason(error))
            return PrunedSample((), skipped, False)
        if isinstance(pruned, Kept):
            outcome.add_kept(label, len(content), jpeg=pruned.jpeg)
            members.append(Member(name, content))
        else:
            outcome.add_pruned(f"{entry.name}/{name}", label, len(content), len(pruned.data), pruned.psnr_db)
            members.append(Member(name, pruned.data))
    return PrunedSample(members, outcome, sample.key is not None)


def label_of(sample: Sample) -> str:
    """What counts as a sample's class: the text of .cls, or "label" of .json; else the folder of its first member."""
    contents = {name[len(sample.key or "") + 1 :].lower(): content for name, content in sample.members if sample.key}
    found: object = None
    try:
        if "cls" in contents:
            found = contents["cls"].decode("utf-8").strip()
        elif "json" in contents:
            fields = json.loads(contents["json"])
            found = fields.get("label") if isinstance(fields, dict) else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, str | int) and 0 < len(str(found)) <= _LONGEST_LABEL:
        return str(found)
    return sample.members[0].name.rpartition("/")[0].removeprefix("./")
