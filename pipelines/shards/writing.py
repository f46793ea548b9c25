"""Writing tar shards whose bytes depend on their members alone: headers hold no times, no users and no permissions."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Literal, NamedTuple, Self

from freqlearn import atomic

Compression = Literal["", "gz", "bz2", "xz"]


class WrittenShard(NamedTuple):
    """A shard that has been written.

    Attributes:
        members: Number of members.
        size_bytes: Size of the file.
        sha256: Of the file, in hexadecimal digits.
    """

    members: int
    size_bytes: int
    sha256: str


def write_shard(path: str | os.PathLike[str], members: Iterable[tuple[str, bytes]]) -> WrittenShard:
    """Write an uncompressed shard in one step: readers see the old file or the whole new one.

    Args:
        path: File to write; its folder must exist.
        members: Name and content of each, in order.

    Raises:
        OSError: If the file cannot be written; what was there before is then untouched.
    """
    written: list[WrittenShard] = []

    def write(file: IO[bytes]) -> None:
        with ShardWriter(file) as shard:
            for name, content in members:
                shard.add(name, content)
        written.append(shard.written)

    atomic.write_file(path, write)
    return written[0]


class ShardWriter:
    """Appends members to a tar file; use it in a `with` block, which writes the file's end unless it fails.

    Names are kept, of any length and alphabet (POSIX pax headers where the plain ones do not hold them).
    """

    def __init__(self, file: "IO[bytes] | CountedFile", *, compression: Compression = "") -> None:
        """Begin a shard.

        Args:
            file: An open binary file, which is left open.
            compression: Of the whole shard; "" for none.
        """
        self._counted = file if isinstance(file, CountedFile) else CountedFile(file)
        self._compressor = _compressor(self._counted, compression)
        file_of_tar: Any = self._compressor or self._counted
        self._tar = tarfile.TarFile(
            fileobj=file_of_tar,
            mode="w",
            format=tarfile.PAX_FORMAT,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._members = 0

    @property
    def written(self) -> WrittenShard:
        """What has been written; of the whole shard, after the block."""
        return WrittenShard(self._members, self._counted.size_bytes, self._counted.digest.hexdigest())

    def add(self, name: str, content: bytes) -> None:
        """Append a file with that content."""
        self.copy(name, io.BytesIO(content), len(content))

    def copy(self, name: str, source: IO[bytes], size_bytes: int) -> None:
        """Append a file with the next so many bytes of another.

        Raises:
            OSError: If there are fewer.
        """
        member = tarfile.TarInfo(name)
        member.size = size_bytes
        self._append(member, source)

    def add_folder(self, name: str) -> None:
        """Append a folder, which archives of whole folders have and shards do without."""
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        self._append(member, None)

    def _append(self, member: tarfile.TarInfo, source: IO[bytes] | None) -> None:
        self._tar.addfile(member, source)
        self._tar.members = []  # type: ignore[attr-defined]  # or it keeps them all
        self._members += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._tar.close()
            if self._compressor is not None:
                self._compressor.close()
        elif self._compressor is not None:
            with suppress(OSError, ValueError):  # the disk may be full: that is known
                self._compressor.close()


class CountedFile:
    """A file that is written from one end to the other; counts its bytes and hashes them.

    Attributes:
        size_bytes: How many bytes have been written.
        digest: SHA-256 of them.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Begin at the beginning of an open file."""
        self._file = file
        self.size_bytes = 0
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write some bytes."""
        self._file.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)
        return len(data)

    def tell(self) -> int:
        """Position in the file."""
        return self.size_bytes

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()


def _compressor(file: Any, compression: Compression) -> Any:
    match compression:
        case "":
            return None
        case "gz":
            return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)  # no name and no time in its header
        case "bz2":
            return bz2.BZ2File(file, "wb")
        case "xz":
            return lzma.LZMAFile(file, "wb")
    raise ValueError(f"expected the compression '', gz, bz2 or xz, got {compression!r}")
