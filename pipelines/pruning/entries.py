"""What there is to prune: the files below a folder, a single file, or tar shards."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from freqlearn import atomic
from freqlearn.pipelines.listing import files_below
from freqlearn.pipelines.pruning.pictures import is_picture
from freqlearn.pipelines.shards.listing import SUFFIXES, expand

Kind = Literal["picture", "shard", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the source.

    Attributes:
        name: Its path relative to the source, with slashes.
        path: Where it is.
        kind: "picture" by its name, "shard" for a tar file, "other".
    """

    name: str
    path: Path
    kind: Kind

    @property
    def label(self) -> str:
        """What counts as its class: the folder that it lies in, relative to the source; "" for the source itself."""
        return self.name.rpartition("/")[0]


def entries_below(root: Path, *, links: bool, without: Collection[Path] = ()) -> list[Entry]:
    """All files below a folder, sorted by name.

    Args:
        root: The folder.
        links: Whether to follow symbolic links, each folder once; otherwise they are passed over.
        without: Files, as `Path(root, ...)`, that are none of the source's.

    Raises:
        OSError: If a folder cannot be read.
        ValueError: If there are no files, or one is a pipe, a socket or a device.
    """
    found = [
        _entry(path.relative_to(root).as_posix(), path) for path in _files_below(root, links) if path not in without
    ]
    if not found:
        raise ValueError(f"{root}: expected files below this folder, found none")
    return sorted(found, key=lambda entry: entry.name)


def entry_of(path: Path) -> Entry:
    """A single file.

    Raises:
        ValueError: If it is a pipe, a socket or a device.
    """
    _check_regular(path)
    return _entry(path.name, path)


def shards_named(pattern: str) -> list[Entry]:
    """The shards that a pattern stands for, named from the folder that all of them are in.

    Raises:
        ImportError: If webdataset is missing, which expands patterns.
        ValueError: If there are none, or they are not all local files.
    """
    paths = []
    for url in expand(pattern):
        path = Path(url.removeprefix("file:"))
        if not path.is_file():
            raise ValueError(f"{url}: expected a local tar file, found none; shards elsewhere must be fetched first")
        paths.append(path)
    top = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    entries = {name: _entry(name, path) for path in paths for name in [path.absolute().relative_to(top).as_posix()]}
    return [entries[name] for name in sorted(entries)]


def remove_leftovers(root: Path, written: Collection[str] | None) -> list[Path]:
    """Remove the temporary files that a killed run has left below a folder.

    Args:
        root: The folder.
        written: Names of files that the run may have been writing beside those that are there; None for any.

    Returns:
        What was removed.
    """
    removed = []
    for folder, _, names in os.walk(root):
        there = {*names, *(written or ())}
        for name in names:
            target = atomic.target_of(name)
            if target is not None and (written is None or target in there):
                removed.append(Path(folder, name))
                removed[-1].unlink(missing_ok=True)
    return removed


def is_shard(name: str) -> bool:
    """Whether a file is a tar shard, by its name."""
    return name.endswith(SUFFIXES)


def _entry(name: str, path: Path) -> Entry:
    return Entry(name, path, "shard" if is_shard(name) else "picture" if is_picture(name) else "other")


def _files_below(root: Path, links: bool) -> Iterator[Path]:
    for path in files_below(root, links=links):
        if links or not path.is_symlink():
            _check_regular(path)
            yield path


def _check_regular(path: Path) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:  # missing, or a link to nothing: reading it will say so
        return
    if not stat.S_ISREG(mode):  # reading a pipe could wait for ever
        raise ValueError(f"{path}: expected a file or a folder, got a pipe, a socket or a device; move it elsewhere")
