"""What reading a picture can raise.

All of them are `ValueError`s, so that code which skips unreadable files needs no import from here.
"""

from __future__ import annotations

from os import PathLike, fspath
from types import TracebackType
from typing import Any


class ImageError(ValueError):
    """A picture that cannot be read.

    Attributes:
        message: What was expected, what came, and the way out.
        path: The file, or None where only its bytes or pixels were known.
    """

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else fspath(path)

    def __str__(self) -> str:
        return self.message if self.path is None else f"{self.path}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from their positional arguments alone; the rest travels as state.
        return type(self), (self.message,), dict(self.__dict__)


class JpegError(ImageError):
    """A JPEG file that the native decoder does not read.

    Attributes:
        message: What was expected, what came, at which byte, and the way out.
        offset: Byte of the file at which it was noticed, or None.
        path: The file, or None where only its bytes were known.
    """

    def __init__(self, message: str, *, offset: int | None = None, path: str | PathLike[str] | None = None) -> None:
        super().__init__(message, path=path)
        self.offset = offset


class NotJpegError(JpegError):
    """The bytes do not begin as a JPEG file does."""


class MalformedJpegError(JpegError):
    """The file breaks a rule of the JPEG standard (ITU-T T.81); `strict=False` keeps what can be read, if anything."""


class TruncatedJpegError(MalformedJpegError):
    """The file ends, or a scan ends, before what was promised; `strict=False` keeps what is there, if anything."""


class UnsupportedJpegError(JpegError):
    """A legal JPEG file of a kind that the native decoder does not read; `decoder="pixels"` may."""


class ImageTooLargeError(JpegError):
    """The file claims more pixels than `max_pixels`."""


class ImageDecodeError(ImageError):
    """A picture that the pixels decoder (Pillow) does not read, or nothing at all."""


class naming:
    """Put the file's name into errors that pass through the block without one.

    A class only because it is much cheaper to enter and leave than a generator, and that happens twice an image.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, ImageError) and error.path is None:
            error.path = self._path
