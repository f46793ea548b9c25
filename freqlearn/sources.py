"""What an image may be read from: paths, bytes, arrays, tensors, files, PIL images."""

import io
import os
import sys
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freqlearn.errors import ImageDecodeError

if TYPE_CHECKING:
    import torch

Source: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] "
    "| NDArray[np.uint8] | torch.Tensor | Image.Image"
)
EXPECTED = (
    "a path, bytes, a one-dimensional uint8 array or tensor of a file's bytes, a binary file object, a PIL image "
    "or an (H, W, 3) uint8 array of pixels"
)


class FileBytes(bytes):
    """A file's bytes that remember where they came from, so that errors in a transform can name the file."""

    path: str

    def __new__(cls, data: bytes, path: str) -> "FileBytes":
        """Copy `data`, remember `path`."""
        self = super().__new__(cls, data)
        self.path = path
        return self

    def __reduce__(self) -> tuple[type["FileBytes"], tuple[bytes, str]]:
        return FileBytes, (bytes(self), self.path)


class Loaded(NamedTuple):
    """What a source holds, a file's bytes or pixels, and its path for messages."""

    content: bytes | Image.Image | NDArray[np.uint8]
    path: str | None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes: `loader=` for `torchvision.datasets.ImageFolder`.

    Args:
        path: File to read.

    Returns:
        The bytes, which also carry `path`, so that errors further on can name the file.

    Raises:
        OSError: If the file cannot be read.
    """
    name = os.fsdecode(path)
    with open(name, "rb") as file:
        return FileBytes(file.read(), name)


def load(source: Source) -> Loaded:
    """Turn any source into bytes or pixels.

    Bytes that their owner could change later (bytearray, memoryview, arrays, tensors) are copied, since planes are
    decoded later.

    Args:
        source: One of the kinds of `Source`.

    Returns:
        The file's bytes, or pixels: a PIL image or an (H, W) or (H, W, 3) uint8 array.

    Raises:
        TypeError: If the source is of another kind, or an array or tensor of another dtype.
        ValueError: If an array has another shape.
        ImageDecodeError: If there are no bytes.
        OSError: If a path cannot be read.
    """
    if isinstance(source, bytes):
        return _from_bytes(source, getattr(source, "path", None))
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        with open(name, "rb") as file:
            return _from_bytes(file.read(), name)
    if isinstance(source, bytearray | memoryview):
        return _from_bytes(bytes(source), None)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    # Whoever holds a tensor has imported torch: no need to make `import freqlearn` wait for it.
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.Tensor):
        return _from_tensor(source)
    if isinstance(source, Image.Image):
        return Loaded(source, _path(getattr(source, "filename", None)))
    if callable(getattr(source, "read", None)):
        return _from_file(source)
    raise TypeError(f"expected {EXPECTED}, got {type(source).__name__}")


def _from_bytes(data: bytes, path: str | None) -> Loaded:
    if not data:
        raise ImageDecodeError("expected the bytes of an image file, got none: the source is empty", path=path)
    return Loaded(data, path)


def _from_array(array: NDArray[Any]) -> Loaded:
    if array.dtype != np.uint8:
        raise TypeError(
            f"expected a uint8 array (bytes of a file, or pixels), got {array.dtype} of shape {array.shape}: "
            "convert it with .astype(numpy.uint8) if its values are 0..255"
        )
    if array.ndim == 1:
        return _from_bytes(array.tobytes(), None)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3):
        if not array.size:
            raise ValueError(f"expected at least one pixel, got an array of shape {array.shape}")
        return Loaded(array, None)
    raise ValueError(
        f"expected a uint8 array of shape (bytes,), (H, W) or (H, W, 3), got {array.shape}: "
        "pixels go last, so use .transpose(1, 2, 0) on (3, H, W), and drop an alpha channel with [..., :3]"
    )


def _from_tensor(tensor: "torch.Tensor") -> Loaded:
    if str(tensor.dtype) != "torch.uint8" or tensor.ndim != 1:
        raise TypeError(
            f"expected a one-dimensional uint8 tensor of a file's bytes, got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}: pass pixels as an (H, W, 3) array, for instance "
            "tensor.permute(1, 2, 0).cpu().numpy()"
        )
    return _from_bytes(tensor.detach().cpu().numpy().tobytes(), None)


def _from_file(file: Any) -> Loaded:
    name = _path(getattr(file, "name", None))
    if isinstance(file, io.TextIOBase):  # before reading: a picture is no text, and fails with an encoding's error
        raise TypeError(f"expected a binary file object, got one opened as text ({name}): open it with mode 'rb'")
    data = file.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"expected a file object whose read() returns bytes, got {type(data).__name__} from {name}")
    return _from_bytes(bytes(data), name)


def _path(name: Any) -> str | None:
    # A file object's name is what it was opened with: text, bytes, a Path or a descriptor's number.
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) and name else None
