"""What a written JPEG file says beside its picture: colours, orientation, and what its original said."""

import struct
from typing import Literal, TypeAlias, get_args

from freqlearn import _native
from freqlearn.image import DCTImage

Metadata: TypeAlias = Literal["keep", "orientation", "none"]

_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
# Version 1.01, square pixels, no thumbnail.
_JFIF = (_APP0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0101, 0, 1, 1, 0, 0))
# Places of further pictures behind the end of this one, which are not written.
_MULTI_PICTURE = b"MPF\0"
_ORIENTATION_TAG, _SHORT = 0x0112, 3


def marker_segments(img: DCTImage, metadata: Metadata) -> bytes:
    """The application segments and comments for a file of an image.

    Args:
        img: The image.
        metadata: "keep": those of the image's file as they are (without the index of further pictures); an image that
            comes from no file gets those of "orientation". "orientation": colours (JFIF, or Adobe) and, if it is not 1,
            the EXIF orientation. "none": colours.

    Returns:
        Marker segments, which go directly behind SOI.

    Raises:
        ValueError: If `metadata` is none of these.
    """
    if metadata not in get_args(Metadata):
        raise ValueError(f"expected metadata to be one of {get_args(Metadata)}, got {metadata!r}")
    file = img.original_jpeg
    kept = [] if file is None else _native.metadata_segments(file)
    if file is not None and metadata == "keep":
        return _packed([s for s in kept if not (s[0] == _APP2 and s[1].startswith(_MULTI_PICTURE))])
    had_adobe = any(code == _APP14 and payload.startswith(b"Adobe") for code, payload in kept)
    chosen = _colors(img, had_adobe or file is None)
    if metadata != "none" and img.orientation != 1:
        chosen.append((_APP1, _exif(img.orientation)))
    return _packed(chosen)


def _colors(img: DCTImage, inks_may_be_marked: bool) -> list[tuple[int, bytes]]:
    """The segment that tells readers what the components are, where one is needed."""
    if img.color_space in ("gray", "YCbCr"):
        return [_JFIF]
    if img.color_space in ("RGB", "YCCK"):
        return [_adobe(transform=2 if img.color_space == "YCCK" else 0)]
    # Programs take the inks of a file with Adobe's mark for inverted: what had none gets none.
    return [_adobe(transform=0)] if img.color_space == "CMYK" and inks_may_be_marked else []


def _adobe(*, transform: int) -> tuple[int, bytes]:
    """Adobe's segment (Adobe technical note 5116): version 100, no flags, colour transform."""
    return _APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)


def _exif(orientation: int) -> bytes:
    """The smallest EXIF segment with an orientation: one directory with one entry."""
    entry = struct.pack(">HHIHH", _ORIENTATION_TAG, _SHORT, 1, orientation, 0)
    return b"Exif\0\0" + b"MM\0\x2a" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)


def _packed(chosen: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload for code, payload in chosen)
