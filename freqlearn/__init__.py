"""Learning in the frequency domain: JPEG bytes to frequency channels."""

import importlib
from typing import TYPE_CHECKING, Any

from freqlearn.channels import ChannelSet
from freqlearn.errors import (
    ImageDecodeError,
    ImageError,
    ImageTooLargeError,
    JpegError,
    MalformedJpegError,
    NotJpegError,
    TruncatedJpegError,
    UnsupportedJpegError,
)
from freqlearn.image import DCTImage
from freqlearn.info import ImageInfo
from freqlearn.packed_set import PackedSet
from freqlearn.plan import Plan
from freqlearn.reading import read_bytes, read_dct, read_info
from freqlearn.spec import InputSpec
from freqlearn.writing import write_jpeg

if TYPE_CHECKING:
    from freqlearn import compat, presets, transforms
    from freqlearn.batch import BatchDecoder
    from freqlearn.exported import Exported, load_exported
    from freqlearn.repacking import Repacking

__all__ = [
    "BatchDecoder",
    "ChannelSet",
    "DCTImage",
    "Exported",
    "ImageDecodeError",
    "ImageError",
    "ImageInfo",
    "ImageTooLargeError",
    "InputSpec",
    "JpegError",
    "MalformedJpegError",
    "NotJpegError",
    "PackedSet",
    "Plan",
    "Repacking",
    "TruncatedJpegError",
    "UnsupportedJpegError",
    "compat",
    "load_exported",
    "presets",
    "read_bytes",
    "read_dct",
    "read_info",
    "transforms",
    "write_jpeg",
]

# Imported at first use: they need torch and torchvision, which take seconds.
_SUBMODULES = ("compat", "presets", "transforms")
_IN_SUBMODULES = {
    "BatchDecoder": "batch",
    "Exported": "exported",
    "Repacking": "repacking",
    "load_exported": "exported",
}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"freqlearn.{name}")
    if name in _IN_SUBMODULES:
        return getattr(importlib.import_module(f"freqlearn.{_IN_SUBMODULES[name]}"), name)
    raise AttributeError(f"module 'freqlearn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES, *_IN_SUBMODULES])
