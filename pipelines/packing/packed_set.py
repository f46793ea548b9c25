"""PackedSet: what index.json says of a packed set: its classes, its InputSpec, how it was packed, and its shards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.spec import InputSpec

INDEX = "index.json"
"""The index's name; it lies in the folder that holds the splits' folders and classes.txt."""

FORMAT = Format(
    "freqlearn.packed_set", 1, "a packed set", ("classes", "spec", "packing", "splits"), "pack the photos anew"
)

Sampling: TypeAlias = Literal["4:4:4", "4:2:0"]


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

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "short_side_px": self.short_side_px,
            "channels": self.channels.to_dict(),
            "quality": self.quality,
            "quant_tables": [list(table) for table in self.quant_tables],
            "sampling": self.sampling,
            "shard_images": self.shard_images,
            "seed": self.seed,
        }


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

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"file": self.file, "images": self.images, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True)
class PackedSplit:
    """One split: "train", "val".

    Attributes:
        enlarged: How many photos had a short side below `Packing.short_side_px`.
        shards: Its tar files, in order.
    """

    enlarged: int
    shards: tuple[PackedShard, ...]

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


@dataclass(frozen=True)
class PackedSet:
    """A packed set, as its index describes it.

    The evaluation pipeline of `spec` sees in a packed picture what it sees in the photo, but for the rounding of its
    coefficients: the picture's short side is the spec's resize_px already, and the centre crop begins on a block.

    Attributes:
        root: The folder of the index.
        classes: Class names; a label is an index into them.
        spec: What the pictures were packed for.
        packing: How.
        splits: By name, in the order of the index.
    """

    root: Path
    classes: tuple[str, ...]
    spec: InputSpec
    packing: Packing
    splits: Mapping[str, PackedSplit]

    @property
    def channels(self) -> ChannelSet:
        """Of the model's channels, those that the files carry."""
        return self.packing.channels

    def shards(self, split: str) -> list[Path]:
        """Paths of a split's tar files, in order.

        Raises:
            ValueError: If there is no such split.
        """
        if split not in self.splits:
            raise ValueError(f"{self.root}: expected one of the splits {', '.join(self.splits)}, got {split!r}")
        return [self.root / shard.file for shard in self.splits[split].shards]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, with a format and version field."""
        return FORMAT.document(
            classes=list(self.classes),
            spec=self.spec.to_dict(),
            packing=self.packing.to_dict(),
            splits={name: split.to_dict() for name, split in self.splits.items()},
        )

    def save(self) -> Path:
        """Write the index into `root`, in one step, and return its path.

        Raises:
            OSError: If it cannot be written.
        """
        path = self.root / INDEX
        atomic.write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        return path
