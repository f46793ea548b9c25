"""One tar shard, pruned sample by sample."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import IO, NamedTuple, cast

from freqlearn.pipelines.data import UnreadableError, naming_file, reason
from freqlearn.pipelines.in_order import InOrder
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


def prune_shard(job: Job, entry: Entry, workers: InOrder, advance: Callable[[], object]) -> Outcome:
    """Prune the pictures of a shard and copy its other members, in their order.

    Args:
        job: What all entries have in common.
        entry: The shard.
        workers: Prune samples.
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
            return _written(job, entry, workers, writer, advance)

    return job.write(entry, content)


def _written(job: Job, entry: Entry, workers: InOrder, writer: ShardWriter, advance: Callable[[], object]) -> Outcome:
    """Write all of a shard; what came of it."""
    outcome, samples = Outcome(), 0
    for are_samples, parts in groupby(read_shard(entry.path), lambda part: isinstance(part, Sample)):
        if are_samples:
            for sample in workers.results(partial(prune_sample, job, entry), cast(Iterator[Sample], parts)):
                for name, content in sample.members:
                    writer.add(name, content)
                samples += sample.counts
                outcome.add(sample.outcome)
                advance()
            continue
        for part in cast(Iterator[Folder | LargeMember], parts):
            if isinstance(part, Folder):
                writer.add_folder(part.name)
                continue
            with naming_shard(entry.path, f"in member {part.name}"):
                writer.copy(part.name, part.file, part.size_bytes)
            outcome.add_kept("", part.size_bytes, jpeg=False)
    if outcome.skipped:
        outcome.samples[entry.name] = samples
    return outcome


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
