"""Where a pruned source goes: which file to which file, the report, and what must not be written over."""

import os
from dataclasses import dataclass
from pathlib import Path

from freqlearn.pipelines.bad_images import BAD_IMAGES
from freqlearn.pipelines.pruning.companions import beside, refuse_packed_set
from freqlearn.pipelines.pruning.entries import Entry, entries_below, entry_of, is_shard, remove_leftovers, shards_named
from freqlearn.pipelines.pruning.options import PruneOptions
from freqlearn.pipelines.pruning.report import FORMAT
from freqlearn.pipelines.unfinished import partial_path

REPORT = "prune.json"
_BEGINNING = 4096  # bytes


@dataclass(frozen=True)
class Places:
    """What is read and what is written.

    Attributes:
        entries: The files of the source, in order.
        root: Folder that entries' names are relative to in the output; the output itself for a `single` file.
        single: Whether the source is one file that goes to one file.
        in_place: Whether the source is the output.
        report: File for the report.
    """

    entries: list[Entry]
    root: Path
    single: bool
    in_place: bool
    report: Path

    def target(self, entry: Entry) -> Path:
        """Where an entry goes."""
        return self.root if self.single else self.root / entry.name


def find_places(options: PruneOptions) -> Places:
    """Find out what the options name, and refuse what would destroy something.

    Raises:
        OSError: If a folder cannot be read.
        ValueError: If there is nothing to prune, or it would be written into itself or over something else.
    """
    source, output = Path(options.source), options.output
    if not source.exists() and not is_shard(options.source):
        raise ValueError(f"{source}: no such file or folder; expected a JPEG file, a folder or tar shards")
    pattern = not source.exists()
    if options.in_place:
        if output is not None and not _same(output, source):
            raise ValueError(f"in_place replaces the files of {source}: leave the output {output} out")
        if pattern:
            raise ValueError(f"{source}: expected a file or a folder to prune in place; name the shards' folder")
        output = source
    if output is None:
        raise ValueError(f"expected where to write to: freqlearn prune {source} OUT; or in_place")
    single = source.is_file() and not (is_shard(options.source) and not is_shard(str(output)))
    report = options.report or (output.with_name(f"{output.name}.json") if single else output / REPORT)
    if options.report is not None and not report.parent.is_dir() and (single or report.parent != output):
        raise ValueError(f"{report}: expected an existing folder, but {report.parent} is none; create it")
    own = (report, partial_path(report), report.parent / BAD_IMAGES)
    for path in (report, *_own_files((report,), source, output)):
        _check_no_others(path)
    if not options.in_place:
        _check_apart(source, output, single)
    if partial_path(report).is_file() and not single:  # a run was stopped, perhaps killed
        remove_leftovers(output, {path.name for path in own} if options.in_place else None)
    if source.is_dir():
        refuse_packed_set(source, *([source.parent] if options.in_place else []))
        entries = entries_below(source, links=not options.in_place, without=_own_files(own, source, output))
    else:
        shards = shards_named(options.source) if pattern else [entry_of(source)]
        top = os.path.commonpath([shard.path.absolute().parent for shard in shards])
        entries = [*([] if single else beside(shards, Path(top))), *shards]
    places = Places(entries, output, single, options.in_place, report)
    for entry in entries:
        if not options.in_place and not source.is_dir() and _same(places.target(entry), entry.path):
            raise ValueError(f"{output}: expected another place than {entry.path}'s own; in_place replaces it")
    return places


def _own_files(own: tuple[Path, ...], source: Path, output: Path) -> set[Path]:
    """Files of the source that are, or would become, what this command itself writes."""
    inside = {Path(os.path.relpath(path, folder)) for path in own for folder in (source, output)}
    return {source / path for path in inside if ".." not in path.parts}


def _check_no_others(report: Path) -> None:
    """Refuse to take somebody's file for a report, which is written over, and not pruned or copied."""
    if report.is_file():
        with open(report, "rb") as file:
            if FORMAT.encode() not in file.read(_BEGINNING):
                raise ValueError(
                    f"{report}: expected no file or an earlier report, got something else: move it elsewhere, or write "
                    "the report elsewhere (--report)"
                )


def _check_apart(source: Path, output: Path, single: bool) -> None:
    if single:
        if output.is_dir():
            raise ValueError(f"{output}: expected a file to write, as {source} is one, got a folder")
        if not output.parent.is_dir():
            raise ValueError(f"{output}: expected an existing folder, but {output.parent} is none; create it")
        return
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: expected a folder to write to, got a file")
    if source.is_dir() and _within(output, source):
        raise ValueError(f"{output} is {source} or within it: expected a folder elsewhere; in_place replaces the files")


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _within(inner: Path, outer: Path) -> bool:
    return Path(os.path.realpath(inner)).is_relative_to(os.path.realpath(outer))
