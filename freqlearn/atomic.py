"""Writing a file so that a reader sees the old content or the new one, never half of it."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text to a file, replacing it in one step.

    The text goes to a temporary file in the same folder, which is then renamed. Of a symbolic link the file that it
    points to is replaced. What is not a regular file (``/dev/stdout``, a pipe) is written directly.

    Args:
        path: File to write; its folder must exist.
        text: Content, written as UTF-8.

    Raises:
        OSError: If the file cannot be written; what was there before is then untouched.
    """
    content = text.encode("utf-8")
    write_file(path, lambda file: file.write(content))


def write_file(
    path: str | os.PathLike[str],
    write: Callable[[IO[bytes]], object],
    *,
    keep: str | os.PathLike[str] | None = None,
    synchronised: bool = True,
) -> None:
    """Write a file as `write_text` does, with a function that is given the open file.

    Once this returns, the content survives a power cut too (it is synchronised with the disk, and so is its name).

    Args:
        path: File to write; its folder must exist.
        write: Writes the content.
        keep: Name in the same folder for what was there before; otherwise that is gone.
        synchronised: False leaves it to the system when the content goes to the disk, which saves milliseconds: for
            many files that can be made again, after which somebody calls os.sync.

    Raises:
        OSError: If the file cannot be written; what was there before is then untouched.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            with open(target, "wb") as file:
                write(file)
        else:
            _replace(target, write, None if keep is None else Path(keep), synchronised)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk's error names no file, others name the temporary one.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def remove_leftovers(folder: str | os.PathLike[str], pattern: str = "*") -> list[Path]:
    """Remove the temporary files that killed processes have left in a folder.

    Nobody may be writing to the folder at the same time.

    Args:
        folder: The folder.
        pattern: Of the names of the files that were to be written.

    Returns:
        What was removed.
    """
    leftovers = sorted(Path(folder).glob(f".{pattern}.*{_SUFFIX}"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return leftovers


def target_of(name: str) -> str | None:
    """The name of the file that a temporary file was to become; None if it is no temporary file's name."""
    found = _TEMPORARY.fullmatch(name)
    return None if found is None else found[1]


_SUFFIX = ".tmp"
_TEMPORARY = re.compile(rf"\.(.+)\.\d+{re.escape(_SUFFIX)}", re.DOTALL)


def _replace(target: Path, write: Callable[[IO[bytes]], object], keep: Path | None, synchronised: bool) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}{_SUFFIX}")
    try:
        with open(temporary, "wb") as file:
            write(file)
            if synchronised:
                file.flush()
                os.fsync(file.fileno())
        if keep is not None and target.exists():
            _keep(target, keep)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    if synchronised:
        _synchronise(target.parent)


def _keep(target: Path, keep: Path) -> None:
    """Give a file another name; it keeps its own too where there are hard links, so that it is missing at no moment."""
    second = target.with_name(f".{target.name}.{os.getpid()}.kept{_SUFFIX}")
    try:
        os.link(target, second)
    except OSError:
        os.replace(target, keep)
    else:
        os.replace(second, keep)


def _synchronise(folder: Path) -> None:
    """Bring a folder's new names to the disk now, where the system can do that; the files themselves are there."""
    with suppress(OSError):  # Windows opens no folders, and some network file systems do not synchronise them
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
