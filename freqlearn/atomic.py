"""Writing a file so that a reader sees the old content or the new one, never half of it."""

import os
from pathlib import Path


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
    target = Path(os.path.realpath(path))
    try:
        _write(target, text)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk's error names no file, others name the temporary one.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _write(target: Path, text: str) -> None:
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
