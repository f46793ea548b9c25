"""What the index of a packed set says of its pictures and its shards, each part checked by itself."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.planes import checked_table
from freqlearn.quality import quality_tables

Sampling: TypeAlias = Literal["4:4:4", "4:2:0"]

# Names of one part, of characters that every file system and tar takes: an index from elsewhere names no other folder.
_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.tar")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")
_LARGEST = 2**63 - 1
_FEWEST_BYTES = 4 * 512  # of a sample: a picture and a label with a tar header each
_LONGEST_PX = 65535  # of a JPEG file's side (ITU-T T.81, B.2.2)


@dataclass(frozen=True)
class Packing:
    """How photos were packed.

    Attributes:
        short_side_px: Of the resized photos: the spec's resize_px.
        channels: Of the model's channels, those that the files carry; the spec's and maybe more.
        quality: libjpeg's, 1 to 100; None if the tables are no quality's.
        quant_tables: Of Y, Cb and Cr: 64 entries each, 1 to 65535, natural order.
        sampling: Of the files; gray ones have none.
        shard_images: How many images a shard holds, but for a split's last.
        seed: Of the order of each split.
    """

    short_side_px: int
    channels: ChannelSet
    quality: int | None
    quant_tables: tuple[tuple[int, ...], ...]
    sampling: Sampling
    shard_images: int
    seed: int

    def __post_init__(self) -> None:
        _check_count("short_side_px", self.short_side_px, least=8, most=_LONGEST_PX)
        if not isinstance(self.channels, ChannelSet):
            raise TypeError(f"channels: expected a ChannelSet, got {self.channels!r}")
        if self.quality is not None:
            _check_count("quality", self.quality, least=1, most=100)
        object.__setattr__(self, "quant_tables", within("quant_tables", _three_tables, self.quant_tables))
        if self.quality is not None and not _are_of_quality(self.quality, self.tables):
            raise ValueError(f"quality: expected none, as the tables are not those of a quality of {self.quality}")
        if self.sampling not in get_args(Sampling):
            raise ValueError(f"sampling: expected one of {', '.join(get_args(Sampling))}, got {self.sampling!r}")
        _check_count("shard_images", self.shard_images, least=1)
        _check_count("seed", self.seed, least=-_LARGEST - 1)

    @property
    def tables(self) -> tuple[NDArray[np.uint16], ...]:
        """The quantisation tables of Y, Cb and Cr: (8, 8) uint16 each, natural order."""
        return tuple(np.array(table, np.uint16).reshape(8, 8) for table in self.quant_tables)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        tables = [list(table) for table in self.quant_tables]
        return vars(self) | {"channels": self.channels.to_dict(), "quant_tables": tables}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        names = ("short_side_px", "channels", "quality", "quant_tables", "sampling", "shard_images", "seed")
        fields = fields_of(data, "packing", names)
        return cls(**fields | {"channels": within("channels", ChannelSet.from_dict, fields["channels"])})


@dataclass(frozen=True)
class PackedShard:
    """One tar file.

    Attributes:
        file: Its path relative to the index, with "/": "train/0000.tar".
        images: How many it holds.
        bytes: Its size.
        sha256: Of its bytes, hexadecimal.
    """

    file: str
    images: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        split, _, name = self.file.partition("/") if isinstance(self.file, str) else ("", "", "")
        if not (_SPLIT_NAME.fullmatch(split) and _SHARD_NAME.fullmatch(name)):
            raise ValueError(f'file: expected the path of a tar file such as "train/0000.tar", got {self.file!r}')
        _check_count("bytes", self.bytes, least=1)
        _check_count("images", self.images, least=1)
        if self.images > self.bytes // _FEWEST_BYTES:  # readers make lists of so many
            raise ValueError(
                f"images: expected at most {self.bytes // _FEWEST_BYTES} in {self.bytes} bytes of a tar "
                f"file, got {self.images}"
            )
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256: expected 64 lower-case hexadecimal digits, got {self.sha256!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        return cls(**fields_of(data, "a shard", ("file", "images", "bytes", "sha256")))


@dataclass(frozen=True)
class PackedSplit:
    """One split: "train", "val".

    Attributes:
        enlarged: How many photos had a short side below `Packing.short_side_px`.
        shards: Its tar files, in order; at least one.
    """

    enlarged: int
    shards: tuple[PackedShard, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shards", tuple(self.shards))
        if not self.shards:
            raise ValueError("shards: expected at least one, got none")
        files = [shard.file for shard in self.shards]
        if len(set(files)) < len(files):
            twice = next(file for number, file in enumerate(files) if file in files[:number])
            raise ValueError(f"shards: expected each file once, got {twice!r} twice")
        _check_count("enlarged", self.enlarged, least=0, most=self.images)

    @property
    def images(self) -> int:
        """How many images it holds."""
        return sum(shard.images for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of its tar files together."""
        return sum(shard.bytes for shard in self.shards)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        shards = [shard.to_dict() for shard in self.shards]
        return {"images": self.images, "bytes": self.bytes, "enlarged": self.enlarged, "shards": shards}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Inverse of `to_dict`; a ValueError or TypeError names the field that is wrong."""
        fields = fields_of(data, "a split", ("images", "bytes", "enlarged", "shards"))
        listed = fields["shards"]
        if not isinstance(listed, list):
            raise TypeError(f"shards: expected a list, got {type(listed).__name__}")
        shards = (within(f"shards[{place}]", PackedShard.from_dict, shard) for place, shard in enumerate(listed))
        split = cls(fields["enlarged"], tuple(shards))
        for name, sum_of_shards in (("images", split.images), ("bytes", split.bytes)):
            if isinstance(fields[name], bool) or fields[name] != sum_of_shards:
                raise ValueError(f"{name}: expected {sum_of_shards}, the sum of its shards, got {fields[name]!r}")
        return split


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
    if not isinstance(name, str) or not _SPLIT_NAME.fullmatch(name):
        raise ValueError(f"expected names such as train and val, of letters, digits, '-', '_' and '.', got {name!r}")


def _three_tables(tables: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(tables, Sequence) or len(tables) != 3:
        raise ValueError(f"expected three tables, of Y, Cb and Cr, got {tables!r:.80}")
    for number, table in enumerate(tables):
        if not isinstance(table, Sequence) or len(table) != 64 or any(type(entry) is not int for entry in table):
            raise ValueError(f"expected 64 integers of quantisation table {number}, got {table!r:.80}")
    arrays = (checked_table(np.asarray(table).reshape(8, 8), number) for number, table in enumerate(tables))
    return tuple(tuple(array.ravel().tolist()) for array in arrays)


def _are_of_quality(quality: int, tables: Sequence[NDArray[np.uint16]]) -> bool:
    luminance, chrominance = quality_tables(quality)
    expected = (luminance, chrominance, chrominance)
    return all(np.array_equal(table, other) for table, other in zip(tables, expected, strict=True))


def _check_count(name: str, value: Any, *, least: int, most: int = _LARGEST) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not least <= value <= most:
        limits = f"at least {least}" if most == _LARGEST else f"{least} to {most}"
        raise ValueError(f"{name}: expected {limits}, got {value}")
