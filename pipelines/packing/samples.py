"""The samples of a packed set's shard, as they lie in the tar file, with what does not belong there."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from freqlearn.pipelines.shards.strict_tar import StrictInfo


class Sample(NamedTuple):
    """Members of a shard whose names are alike up to their first dot, and lie one after another.

    Attributes:
        key: What their names have in common.
        members: Suffix, in small letters, -> content.
    """

    key: str
    members: dict[str, bytes]


def samples_of(path: Path) -> Iterator[Sample | str]:
    """The samples of a shard, in order; and, as text, what is wrong with members.

    Raises:
        OSError, tarfile.TarError, EOFError, ValueError: If the file cannot be read to its end.
    """
    sample = Sample("", {})
    size_bytes = path.stat().st_size
    with tarfile.open(path, "r:", tarinfo=StrictInfo) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # or it keeps them all
            file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if file is None:
                yield f"expected files alone, got {member.name}, which is none"
                continue
            if member.size > size_bytes:  # which would be read at once
                raise tarfile.ReadError(
                    f"member {member.name}: expected no more than the file's bytes, got {member.size}"
                )
            folder, _, name = member.name.rpartition("/")
            stem, _, suffix = name.partition(".")
            key, suffix = f"{folder}/{stem}" if folder else stem, suffix.lower()
            if key != sample.key:
                if sample.members:
                    yield sample
                sample = Sample(key, {})
            if suffix in sample.members:
                yield f"expected each member once, got {member.name} twice"
            sample.members[suffix] = file.read()
    if sample.members:
        yield sample
