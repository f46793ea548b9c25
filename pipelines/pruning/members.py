"""A tar file's members as they come, in samples, with everything refused that is no plain file or folder."""

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from freqlearn.pipelines.data import SampleError, reason
from freqlearn.pipelines.shards.strict_tar import BROKEN, META, StrictInfo

LARGEST_IN_MEMORY = 1 << 28
"""Bytes of a sample. A larger file is no picture, and is copied in pieces."""

_AT_ONCE = 1 << 20
_PLAIN = "r:"
# What compressed files begin with, whatever their names.
_COMPRESSIONS = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ\0": "r:xz"}
# As in webdataset's reader: what follows the first dot of a member's name is its extension.
_SAMPLE = re.compile(r"((?:.*/|)[^.]+)[.][^/]*", re.DOTALL)


class Member(NamedTuple):
    """A file in memory.

    Attributes:
        name: Its name.
        content: Its bytes.
    """

    name: str
    content: bytes


class Folder(NamedTuple):
    """A folder, which shards do without.

    Attributes:
        name: Its name.
    """

    name: str


class LargeMember(NamedTuple):
    """A file that is too large for memory.

    Attributes:
        name: Its name.
        size_bytes: Its size.
        file: Where to read it, before the next member is asked for.
    """

    name: str
    size_bytes: int
    file: IO[bytes]


class Sample(NamedTuple):
    """Members that belong together.

    Attributes:
        key: What their names have in common; None for a file that belongs to no sample.
        members: They, in order.
    """

    key: str | None
    members: tuple[Member, ...]


def read_shard(path: Path) -> Iterator[Sample | Folder | LargeMember]:
    """A tar file's members in order, those of a sample together; compressed or not.

    Raises:
        SampleError: If the file is damaged, or has a member that is neither file nor folder, or whose name leads out of
            the archive.
    """
    key: str | None = None
    members: list[Member] = []
    size_bytes = 0
    for member in _members(path):
        next_key = sample_key(member.name) if isinstance(member, Member) else None
        if members and (next_key is None or next_key != key or size_bytes > LARGEST_IN_MEMORY):
            yield Sample(key, tuple(members))
            members, size_bytes = [], 0
        if isinstance(member, Member):
            key = next_key
            members.append(member)
            size_bytes += len(member.content)
        else:
            yield member
    if members:
        yield Sample(key, tuple(members))


def sample_key(name: str) -> str | None:
    """What a member's name has in common with those of its sample; None if webdataset passes over it."""
    found = _SAMPLE.fullmatch(name)
    return None if found is None or META.match(name) else found[1]


@contextmanager
def naming_shard(path: Path, during: str) -> Iterator[None]:
    """Turn what a damaged tar file raises into an error that names it."""
    try:
        yield
    except SampleError:
        raise
    except BROKEN as error:
        raise SampleError(f"{path}: {during}: {reason(error)}") from error


def _members(path: Path) -> Iterator[Member | Folder | LargeMember]:
    where = "at its beginning"
    with open(path, "rb") as file:
        with naming_shard(path, where):
            mode: Any = _mode_for(file)
            size_bytes = path.stat().st_size if mode == _PLAIN else None
            tar = tarfile.open(  # noqa: SIM115  # closed below, where errors have another place
                fileobj=file, mode=mode, tarinfo=StrictInfo, encoding="utf-8", errors="surrogateescape"
            )
        with tar:
            while True:
                with naming_shard(path, where):
                    info = tar.next()
                    if info is None:
                        _read_to_end(tar.fileobj)
                        return
                    tar.members = []  # type: ignore[attr-defined]  # or it keeps them all
                    _check(info, size_bytes)
                    where = f"in or after member {info.name}"
                    content = None if info.isdir() else tar.extractfile(info)
                    read = b"" if content is None or info.size > LARGEST_IN_MEMORY else _read(content, info.size)
                if content is None:
                    yield Folder(info.name)
                elif info.size > LARGEST_IN_MEMORY:
                    yield LargeMember(info.name, info.size, content)
                else:
                    yield Member(info.name, read)


def _mode_for(file: IO[bytes]) -> str:
    """How to open a tar file, by what it begins with: tarfile's own search names every kind that it is not."""
    beginning = file.read(8)
    file.seek(0)
    return next((mode for magic, mode in _COMPRESSIONS.items() if beginning.startswith(magic)), _PLAIN)


def _read_to_end(file: Any) -> None:
    """Read what follows a tar file's end mark: compressed files have their checksum there."""
    while file.read(_AT_ONCE):
        pass


def _check(info: tarfile.TarInfo, archive_bytes: int | None) -> None:
    if not (info.isreg() or info.isdir()) or info.issparse():
        kinds = ((info.issym(), "a symbolic link"), (info.islnk(), "a hard link"), (info.issparse(), "a sparse file"))
        kind = next((name for is_one, name in kinds if is_one), "a device, a pipe or something else")
        raise ValueError(
            f"member {info.name}: expected a file or a folder, got {kind}; write the archive anew with the files "
            "themselves (tar --dereference --hard-dereference)"
        )
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts or (not path.name and not info.isdir()):
        raise ValueError(
            f"member {info.name!r}: expected a name within the archive, without a leading / and without ..; write the "
            "archive anew"
        )
    if archive_bytes is not None and info.isreg() and info.offset_data + info.size > archive_bytes:
        raise ValueError(
            f"member {info.name}: expected its {info.size} bytes, got {archive_bytes - info.offset_data}: the file is "
            "cut off or damaged"
        )


def _read(content: IO[bytes], size_bytes: int) -> bytes:
    """So many bytes, in pieces: a header may claim any size."""
    pieces = []
    left = size_bytes
    while left:
        piece = content.read(min(left, _AT_ONCE))
        if not piece:
            raise EOFError("the file ends within a member")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
