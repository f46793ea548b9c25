"""What the index of a packed set says of its pictures and its shards, each part checked by itself."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.encoding import Subsampling
from freqlearn.planes import checked_table
from freqlearn.quality import quality_tables

PACKED_SAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:0")
"""Samplings that packed pictures can have."""

# Names of one part, of characters that every file system and tar takes: an index from elsewhere names no other folder.
_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.tar")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")
_Table = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """A tar file of a packed set.

    Attributes:
        file: Its name in the folder of its split, such as "0000.tar".
        images: Pictures in it, at least one.
        bytes: Size of the tar file.
        sha256: Checksum of the tar file, 64 lower-case hexadecimal digits.
    """

    file: str
    images: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if not _matches(_SHARD_NAME, self.file):
            raise ValueError(
                f'file: expected the name of a tar file in its split\'s folder, "0000.tar", got {self.file!r}'
            )
        _check_count("images", self.images, least=1)
        _check_count("bytes", self.bytes, least=1)
        if not _matches(_SHA256, self.sha256):
            raise ValueError(f"sha256: expected 64 lower-case hexadecimal digits, got {self.sha256!r}")

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        return cls(**fields_of(data, "a shard", ("file", "images", "bytes", "sha256")))


@dataclass(frozen=True, kw_only=True)
class PackedSplit:
    """The pictures of "train" or "val".

    Attributes:
        images: Number of pictures, of all shards together.
        bytes: Bytes of these JPEG files, without the tar files around them.
        enlarged: How many were smaller than the short side and have been enlarged, as evaluation would have done.
        shards: The tar files, in the order of their samples.
    """

    images: int
    bytes: int
    enlarged: int
    shards: tuple[PackedShard, ...]

    def __post_init__(self) -> None:
        _check_count("images", self.images, least=1)
        _check_count("bytes", self.bytes, least=1)
        _check_count("enlarged", self.enlarged, least=0)
        if self.enlarged > self.images:
            raise ValueError(f"enlarged: expected at most the {self.images} images that there are, got {self.enlarged}")
        listed = sum(shard.images for shard in self.shards)
        if listed != self.images:
            raise ValueError(f"images: expected the {listed} of the {len(self.shards)} shards, got {self.images}")
        files = [shard.file for shard in self.shards]
        twice = sorted({file for file in files if files.count(file) > 1}) if len(set(files)) < len(files) else []
        if twice:
            raise ValueError(f"shards: expected each file once, got {twice[0]!r} twice")

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return vars(self) | {"shards": [shard.to_dict() for shard in self.shards]}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        fields = fields_of(data, "a split", ("images", "bytes", "enlarged", "shards"))
        shards = fields.pop("shards")
        if not isinstance(shards, list):
            raise TypeError(f"shards: expected a list, got {type(shards).__name__}")
        read = (
            within(f"shards[{place}]", lambda one: PackedShard.from_dict(one), shard)
            for place, shard in enumerate(shards)
        )
        return cls(**fields, shards=tuple(read))


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How pictures were packed: enough to pack them again.

    Attributes:
        short_side_px: What their short side was resized to before the margins were left out.
        channels: The channels that the files carry, of their own planes; every other coefficient is zero.
        quality: Quality of the standard quantisation tables; None where tables were given.
        quant_tables: Given tables, (8, 8) each in natural order: of luma and of both chromas; None for standard ones.
        sampling: Of the chroma planes, "4:4:4" or "4:2:0".
        shard_images: Pictures a shard, but for the last one of a split.
        seed: What the order of the pictures derives from.
    """

    short_side_px: int
    channels: ChannelSet
    quality: int | None
    quant_tables: tuple[_Table, _Table] | None
    sampling: Subsampling
    shard_images: int
    seed: int

    def __post_init__(self) -> None:
        _check_count("short_side_px", self.short_side_px, least=8)
        if not isinstance(self.channels, ChannelSet):
            raise TypeError(f"channels: expected a ChannelSet, got {self.channels!r}")
        if (self.quality is None) == (self.quant_tables is None):
            raise ValueError(
                "expected either a quality or quant_tables, got " + ("none" if self.quality is None else "both")
            )
        if self.quality is not None:
            _check_count("quality", self.quality, least=1, most=100)
        if self.quant_tables is not None:
            object.__setattr__(self, "quant_tables", within("quant_tables", _two_tables, self.quant_tables))
        if self.sampling not in PACKED_SAMPLINGS:
            raise ValueError(f"sampling: expected one of {', '.join(PACKED_SAMPLINGS)}, got {self.sampling!r}")
        _check_count("shard_images", self.shard_images, least=1)
        _check_count("seed", self.seed, least=-(2**63), most=2**63 - 1)

    @property
    def tables(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """The quantisation tables of luma and chroma: (8, 8) uint16 each, natural order."""
        if self.quant_tables is None:
            return quality_tables(cast(int, self.quality))
        luma, chroma = (np.array(table, np.uint16) for table in self.quant_tables)
        return luma, chroma

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        tables = None if self.quant_tables is None else [[list(row) for row in table] for table in self.quant_tables]
        return vars(self) | {"channels": self.channels.to_dict(), "quant_tables": tables}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        names = ("short_side_px", "channels", "quality", "quant_tables", "sampling", "shard_images", "seed")
        fields = fields_of(data, "packing", names)
        return cls(**fields | {"channels": within("channels", ChannelSet.from_dict, fields["channels"])})


def fields_of(data: Any, what: str, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a JSON object that must have these and no others.

    Raises:
        TypeError: If it is no object.
        ValueError: If a field is missing or unknown.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"expected {what} as an object, got {type(data).__name__}")
    unknown, missing = sorted(set(data) - set(names)), sorted(set(names) - set(data))
    if unknown or missing:
        raise ValueError(f"expected the fields of {what}; unknown: {unknown}, missing: {missing}")
    return dict(data)


def within(where: str, read: Callable[[Any], _T], data: Any) -> _T:
    """What `read` makes of a part of a document; errors name the part."""
    try:
        return read(data)
    except (TypeError, ValueError) as error:
        message = str(error)
        joint = "." if re.match(r"[a-z_0-9]+(\[\d+\])?[.:\[]", message) else ": "
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{where}{joint}{message}") from error


def check_split_name(name: Any) -> None:
    """Raise a ValueError for what cannot be the name of a split, which is the name of its folder."""
    if not _matches(_SPLIT_NAME, name):
        raise ValueError(f"expected names such as train and val, of letters, digits, '-', '_' and '.', got {name!r}")


def _two_tables(tables: Any) -> tuple[_Table, _Table]:
    if not isinstance(tables, Sequence) or len(tables) != 2:
        raise ValueError(f"expected two tables, of luma and of chroma, got {tables!r:.80}")
    luma, chroma = (checked_table(np.asarray(table), number) for number, table in enumerate(tables))
    return _rows(luma), _rows(chroma)


def _rows(table: NDArray[np.uint16]) -> _Table:
    return tuple(tuple(int(value) for value in row) for row in table)


def _matches(pattern: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _check_count(name: str, value: Any, *, least: int, most: int = 2**63 - 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not least <= value <= most:
        limits = f"at least {least}" if most == 2**63 - 1 else f"{least} to {most}"
        raise ValueError(f"{name}: expected {limits}, got {value}")
