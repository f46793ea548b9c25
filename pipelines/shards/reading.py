"""The samples of one tar shard, in order, from any of them on; errors name the shard and the member.

webdataset opens the shard (paths, URLs, commands, its cache) and groups its members into samples. Its stage in between,
`tar_file_expander`, is replaced by tarfile's own iteration: that stage takes a tar file that is cut off at a header,
or has a damaged one, for complete; it never closes a stream, so that nobody learns with which status a command ended;
and it can only begin at the beginning, where an uncompressed local file can be entered at any sample.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt

from freqlearn.pipelines.data import SampleError, reason
from freqlearn.pipelines.shards.strict_tar import BROKEN, META, StrictInfo

try:
    from webdataset.cache import FileCache, islocal
    from webdataset.gopen import Pipe, gopen, set_options
    from webdataset.tariterators import group_by_keys
except ModuleNotFoundError as missing:
    raise ImportError("tar shards need webdataset: pip install 'freqlearn[webdataset]'") from missing

Raw = dict[str, Any]
"""Suffix -> content of each member of a sample, and "__key__": what the members' names have in common."""

_AT_ONCE = 1 << 17  # bytes to read of a stream; tarfile's 10 kB cost a sixth of the time that decoding takes
_CURL = {6: "no such host", 7: "no connection", 18: "it ended early", 22: "an HTTP error such as 404", 28: "timeout"}


def is_local(url: str) -> bool:
    """Whether a shard is a file of this machine, and not a URL or a command."""
    return bool(islocal(url))


def read_samples(url: str, *, first: int = 0, count: int | None = None, size: int | None = None) -> Iterator[Raw]:
    """Read samples of a shard.

    Args:
        url: A path, a URL or a command ("pipe:..."), as webdataset takes them.
        first: Position of the first one in the shard, from 0.
        count: How many; None for all that follow.
        size: How many the shard holds, where that is known; another number is an error once its end is reached.

    Raises:
        SampleError: If the shard cannot be opened or read to the end of what is wanted.
    """
    stop = None if count is None else first + count
    to_the_end = stop is None or stop == size
    with _opened(url) as stream:
        position, end, mode = 0, None, "r|*"
        if enters_anywhere(url):
            mode = "r:"  # twice as fast as a stream
        if (first or not to_the_end) and mode == "r:":
            offsets = sample_offsets(url)
            if first >= len(offsets):
                raise SampleError(_other_size(url, size, len(offsets)))
            stream.seek(offsets[first])
            position = first
            if stop is not None and stop < len(offsets):
                end = int(offsets[stop])
        members = ({"fname": name, "data": data, "__url__": url} for name, data in _contents(stream, mode, end))
        for sample in group_by_keys(members):
            if position == stop:
                raise SampleError(_other_size(url, size, None))
            if position >= first:
                yield sample
            position += 1
            if position == stop and not to_the_end:
                return
        if (size is not None or stop is not None) and position != (stop if size is None else size):
            raise SampleError(_other_size(url, size if size is not None else stop, position))
        # Of a command nothing but padding is left. One that failed may have given a whole tar file all the same.
        while isinstance(stream, Pipe) and stream.stream.read(io.DEFAULT_BUFFER_SIZE):
            pass
        status = _exit_status(stream)
        if status:
            raise SampleError(f"{url}: {_failed(url, status)}")


def count_samples(url: str) -> int:
    """How many samples a shard holds: of an uncompressed local file from its headers, of others by reading it once.

    Raises:
        SampleError: If it cannot be read to its end.
    """
    if enters_anywhere(url):
        return len(sample_offsets(url))
    return sum(1 for _ in read_samples(url))


def enters_anywhere(url: str) -> bool:
    """Whether reading can begin at any sample: with uncompressed local files.

    Raises:
        SampleError: If a local file is missing or may not be read.
    """
    if not is_local(url):
        return False
    path = _path(url)
    try:
        return _is_plain_tar(path, *_state(path))
    except OSError as error:
        raise SampleError(f"{url}: {reason(error)}") from error


def sample_offsets(url: str) -> npt.NDArray[np.int64]:
    """(N,) int64, the byte at which each sample of an uncompressed local shard begins. Kept in memory.

    Raises:
        SampleError: If the file is damaged.
    """
    path = _path(url)
    return _scanned(url, path, *_state(path))


@cache
def _is_plain_tar(path: Path, size: int, changed_ns: int) -> bool:
    try:
        with tarfile.open(path, "r:", tarinfo=StrictInfo) as tar:
            return not tar.pax_headers  # global ones hold for all that follows
    except tarfile.TarError:
        return False


@cache
def _scanned(url: str, path: Path, size: int, changed_ns: int) -> npt.NDArray[np.int64]:
    with _opened(url) as stream:
        headers = (
            {"fname": member.name, "data": member.offset, "__url__": url} for _, member in _members(stream, "r:")
        )
        samples = group_by_keys(headers)
        begins = [min(value for key, value in sample.items() if not key.startswith("__")) for sample in samples]
    return np.array(begins, dtype=np.int64)


def _path(url: str) -> Path:
    parsed = urlparse(url)
    return Path(url2pathname(parsed.path) if parsed.scheme == "file" else url)


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _opened(url: str) -> Iterator[Any]:
    """The shard as a stream. What goes wrong while it is open is the shard's fault, and the error names it."""
    stream: Any = None
    try:
        stream = gopen(_cached(url))
        yield stream
    except SampleError:
        raise
    except BROKEN as error:
        status = _exit_status(stream)
        raise SampleError(f"{url}: {_failed(url, status) if status else _reason(error)}") from error
    finally:
        if isinstance(stream, Pipe):
            set_options(stream, ignore_errors=True)  # a command that is no longer read from fails
        if stream is not None:
            stream.close()


def _cached(url: str) -> str:
    """The shard itself, or its copy in webdataset's cache where WDS_CACHE names a folder for that."""
    folder = os.environ.get("WDS_CACHE")
    if not folder or is_local(url):
        return url
    cache = FileCache(
        folder,
        # By default only the last part of a URL counts, and train/0.tar would be taken for val/0.tar.
        url_to_name=lambda name: f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.tar",
        cache_size=int(float(os.environ.get("WDS_CACHE_SIZE", -1))),
    )
    return str(cache.get_file(url))


def _members(stream: IO[bytes], mode: Any) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with tarfile.open(fileobj=stream, mode=mode, tarinfo=StrictInfo, bufsize=_AT_ONCE) as tar:
        for member in tar:
            if member.issparse():  # a few bytes could stand for any number of zeros
                raise tarfile.ReadError(f"expected files that are whole, got the sparse file {member.name}")
            if member.isreg() and not META.match(member.name):
                yield tar, member
            tar.members = []  # type: ignore[attr-defined]  # or it keeps them all


def _contents(stream: Any, mode: str, end: int | None) -> Iterator[tuple[str, bytes]]:
    name = None
    try:
        for tar, member in _members(stream, mode):
            name = member.name
            file = tar.extractfile(member)
            yield name, _whole(member, file) if file is not None else b""
            if end is not None and tar.offset >= end:
                return
    except BROKEN as error:
        where = "at its beginning" if name is None else f"in or after member {name}"
        raise tarfile.ReadError(f"{where}: {_reason(error)}") from error


def _whole(member: tarfile.TarInfo, file: IO[bytes]) -> bytes:
    try:
        return file.read()
    except (MemoryError, OverflowError) as error:
        raise tarfile.ReadError(
            f"expected what fits into memory, got a header that claims {member.size} bytes"
        ) from error


def _exit_status(stream: Any) -> int | None:
    """How the command behind a stream ended; None if there is none, or it has more to say."""
    if not isinstance(stream, Pipe) or stream.stream.read(1):
        return None
    return int(stream.proc.wait())


def _failed(url: str, status: int) -> str:
    if url.startswith("pipe:"):
        return f"the command ended with exit status {status}"
    return f"it could not be read, exit status {status}" + (f" ({_CURL[status]})" if status in _CURL else "")


def _reason(error: Exception) -> str:
    first = error.args[0] if error.args else ""  # webdataset appends what nobody can read
    return reason(error) if isinstance(error, OSError) else str(first) or type(error).__name__


def _other_size(url: str, expected: int | None, got: int | None) -> str:
    found = "more" if got is None else str(got)
    return f"{url}: expected {expected} samples, got {found}: correct sizes.json, or write the shard anew"
