"""`freqlearn prune`: from options to smaller files, and a report."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from itertools import groupby

from freqlearn import atomic
from freqlearn.cores import available_cores
from freqlearn.pipelines.bad_images import list_bad_images, skipped_line
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.in_order import InOrder
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.pruning.companions import correct_sizes
from freqlearn.pipelines.pruning.files import Job, prune_file
from freqlearn.pipelines.pruning.keeping import keeping
from freqlearn.pipelines.pruning.log import DoneLog
from freqlearn.pipelines.pruning.options import PruneOptions
from freqlearn.pipelines.pruning.pictures import Pruner
from freqlearn.pipelines.pruning.places import Places, find_places
from freqlearn.pipelines.pruning.report import PruneReport
from freqlearn.pipelines.pruning.shards import prune_shard
from freqlearn.pipelines.pruning.tally import Outcome
from freqlearn.pipelines.unfinished import digest_of_run, partial_path

_log = logging.getLogger(__name__)


def prune(options: PruneOptions) -> PruneReport:
    """Write JPEG files anew with only the coefficients that a model sees, or those of some channels.

    The result does not depend on the number of threads. A run that was stopped, however, is gone on from by the same
    options.

    Raises:
        ImportError: If a progress bar is wanted and the extra `train` is missing, or a pattern of shards is to be
            expanded and webdataset is.
        KeyboardInterrupt: On Ctrl-C, with a message that says how far it came.
        OSError: If something cannot be written. What is finished is kept.
        ValueError: If the options make no sense, there is nothing to prune, or a file cannot be read.
    """
    kept = keeping(options)
    facts = {**kept.facts, "metadata": options.metadata, "progressive": options.progressive}
    places = find_places(options)
    pruner = Pruner(kept.keep, kept.color_spaces, kept.psnr_blocks, options.metadata, options.progressive)
    with nullcontext() if places.single else _begun_log(places, repr(sorted(facts.items()))) as log, pointing_to_skip():
        outcome = _pruned(Job(places, pruner, options.on_bad_image == "skip", log), options)
        correct_sizes(places.root, outcome.samples)
        report = PruneReport(
            source=options.source,
            output=str(places.root),
            kept=kept.words,
            options=facts,
            classes={label: outcome.classes[label] for label in sorted(outcome.classes)},
            grew=outcome.grew,
            lowest=outcome.lowest,
            skipped=outcome.skipped,
        )
        if hasattr(os, "sync") and not places.in_place:
            os.sync()
        if outcome.skipped:
            _, count = list_bad_images(places.report.parent, dict(outcome.skipped))
            _log.warning("%s", skipped_line(places.report.parent, count))
        atomic.write_text(places.report, report.to_json())
        if log is not None:
            log.remove()
    return report


def _begun_log(places: Places, facts: str) -> DoneLog:
    """The log of this run, and the folder that it is in, which must be empty or this run's.

    Raises:
        ValueError: If the output folder holds something else.
    """
    facts = f"{facts} {places.in_place} {version('freqlearn')}"
    if places.in_place:  # their sizes change as they are replaced
        run = digest_of_run([], "\0".join([facts, *(entry.name for entry in places.entries)]))
    else:
        run = digest_of_run((entry.path for entry in places.entries), facts)
        if not partial_path(places.report).is_file() and places.root.is_dir() and any(places.root.iterdir()):
            raise ValueError(
                f"{places.root}: expected a new or empty folder, or one that the same command has left unfinished; "
                "remove it or write elsewhere"
            )
        places.root.mkdir(parents=True, exist_ok=True)
    return DoneLog(places.report, run)


def _pruned(job: Job, options: PruneOptions) -> Outcome:
    """Prune all entries; what came of them together, in their order."""
    entries = job.places.entries
    shards = sum(entry.kind == "shard" for entry in entries)
    together = Outcome()
    done = 0
    total = None if shards else len(entries)  # how much is in shards shows when they are read
    try:
        with (
            InOrder(options.threads or available_cores()) as workers,
            progress_bar("pruning", "samples" if shards else "files", total=total, shown=options.progress) as advance,
        ):
            for outcome in _outcomes(job, workers, advance):
                together.add(outcome)
                done += 1
    except KeyboardInterrupt:
        kept = "" if job.log is None else "; the same command goes on from there"
        raise KeyboardInterrupt(f"interrupted after {done} of {len(entries)} files{kept}") from None
    return together


def _outcomes(job: Job, workers: InOrder, advance: Callable[[], object]) -> Iterator[Outcome]:
    """What comes of the entries, in order: files side by side, of a shard its samples."""
    for are_shards, entries in groupby(job.places.entries, lambda entry: entry.kind == "shard"):
        if are_shards:
            for entry in entries:
                yield prune_shard(job, entry, workers, advance)
        else:
            for outcome in workers.results(partial(prune_file, job), entries):
                advance()
                yield outcome
