"""What lies beside tar shards and belongs to them: class names, numbers of samples, the index of a packed set."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from freqlearn import atomic
from freqlearn.packed_set import FORMAT as PACKED
from freqlearn.packed_set import INDEX
from freqlearn.pipelines.pruning.entries import Entry
from freqlearn.pipelines.shards.listing import CLASSES, SIZES


def beside(shards: Sequence[Entry], top: Path) -> list[Entry]:
    """classes.txt and sizes.json beside shards, and classes.txt one folder above them, which goes beside them too.

    Args:
        shards: The shards.
        top: The folder that their names are relative to.
    """
    found: dict[str, Entry] = {}
    for folder in sorted({shard.path.parent for shard in shards}):
        for name in (CLASSES, SIZES):
            if (folder / name).is_file():
                relative = (folder / name).absolute().relative_to(top).as_posix()
                found[relative] = Entry(relative, folder / name, "other")
    above = top.parent / CLASSES
    if CLASSES not in found and above.is_file():
        found[CLASSES] = Entry(CLASSES, above, "other")
    return [found[name] for name in sorted(found)]


def refuse_packed_set(*folders: Path) -> None:
    """Refuse to prune a packed set, whose index holds a checksum of every shard.

    Raises:
        ValueError: If one of the folders is one.
    """
    for folder in folders:
        try:
            data = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, dict) and data.get("format") == PACKED.name:
            raise ValueError(
                f"{folder}: a packed set, whose {INDEX} says what its shards hold: pack the photos anew with fewer "
                "channels (freqlearn pack --channels)"
            )


def correct_sizes(root: Path, samples: Mapping[str, int]) -> None:
    """Say in sizes.json how many samples are left in shards that lost some.

    Args:
        root: The folder that shards' names are relative to.
        samples: Shard -> number of its samples.

    Raises:
        OSError: If a file cannot be written.
    """
    for name, left in samples.items():
        shard = root / name
        path = shard.parent / SIZES
        if not path.is_file():
            continue
        try:
            sizes = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):  # its readers say so
            continue
        if isinstance(sizes, dict) and shard.name in sizes:
            atomic.write_text(path, json.dumps(sizes | {shard.name: left}, indent=1) + "\n")
