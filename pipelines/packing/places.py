"""The folder that a packed set goes to, and what says how far it has come."""

import os
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.packed_set import INDEX
from freqlearn.pipelines.packing.photos import SPLITS
from freqlearn.pipelines.unfinished import Unfinished

_BEGUN = ""  # the key of the first line: no shard has an empty name


def begin_output(data: Path, output: Path, run: str) -> tuple[Unfinished, dict[str, Any]]:
    """Make the folder of a packed set ready, or find the one that the same run has left unfinished.

    Args:
        data: The photos' folder.
        output: The set's folder.
        run: What the run is, see `freqlearn.pipelines.unfinished.digest_of_run`.

    Returns:
        Where to note finished shards, and what is noted already: path of the shard relative to the output -> value.

    Raises:
        OSError: If it cannot be made.
        ValueError: If something else is there.
    """
    one, other = Path(os.path.realpath(data)), Path(os.path.realpath(output))
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ValueError(
            f"{output} is {data}, or one is within the other: expected a folder elsewhere for what is packed"
        )
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: expected a folder to write to, got a file")
    unfinished = Unfinished(output / INDEX, run)
    begun = unfinished.path.is_file() and unfinished.path.stat().st_size > 0
    done = unfinished.load() if begun else {}
    if begun and _BEGUN not in done:
        raise ValueError(
            f"{output}: expected what the same command has begun, got another run's (other photos, options or "
            "version): finish it with its own command, or remove the folder"
        )
    if not begun and output.is_dir() and any(path != unfinished.path for path in output.iterdir()):
        what = "a packed set" if (output / INDEX).is_file() else "other files"
        raise ValueError(f"{output}: expected a new or empty folder, got one with {what}; remove it or write elsewhere")
    output.mkdir(parents=True, exist_ok=True)
    for folder in (output, *(output / split for split in SPLITS)):
        atomic.remove_leftovers(folder)
    unfinished.start()
    if not begun:
        unfinished.append(_BEGUN, "begun")
    return unfinished, {key: value for key, value in done.items() if key != _BEGUN}
