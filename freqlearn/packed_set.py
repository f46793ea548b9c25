"""A packed set: tar shards of JPEG files that `freqlearn pack` wrote, and the index that says what is in them."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from freqlearn import atomic
from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.indexing import NUM_CHANNELS, label
from freqlearn.packed_index import PackedShard, PackedSplit, Packing, Sampling, check_split_name, within
from freqlearn.spec import InputSpec

__all__ = ["FORMAT", "INDEX", "PackedSet", "PackedShard", "PackedSplit", "Packing", "Sampling"]

INDEX = "index.json"
"""The index's name; it lies in the folder that holds the splits' folders and classes.txt."""

FORMAT = Format(
    "freqlearn.packed_set",
    1,
    "the index of a packed set",
    ("classes", "spec", "packing", "splits"),
    "pack the photos anew",
)


@dataclass(frozen=True)
class PackedSet:
    """A packed set, as its index describes it.

    The evaluation pipeline of `spec` sees in a packed picture what it sees in the photo, but for the rounding of its
    coefficients: the picture's short side is the spec's resize_px already, and the centre crop begins on a block.

    Attributes:
        root: The folder of the index, of classes.txt, and of a folder of shards a split.
        classes: Class names; a label is an index into them.
        spec: What the pictures were packed for; of photos and of packed pictures alike.
        packing: How.
        splits: By name ("train", "val"), in the order of the index.
    """

    root: Path
    classes: tuple[str, ...]
    spec: InputSpec
    packing: Packing
    splits: Mapping[str, PackedSplit]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", within("classes", checked_classes, self.classes))
        if self.spec.channels is None:
            raise ValueError('spec: expected one of the kind "dct", got "rgb"')
        lacking = set(self.spec.channels) - set(self.channels)
        if lacking:
            raise ValueError(f"spec: expected channels that the files carry, got {_named(lacking)} too")
        if self.spec.resize_px != self.packing.short_side_px:
            raise ValueError(
                f"spec: expected the short side of the packed pictures, {self.packing.short_side_px} px, as resize_px, "
                f"got {self.spec.resize_px}"
            )
        if (self.packing.short_side_px - self.spec.size_px) % 16:
            raise ValueError(
                "spec: expected as size_px the resize_px less a multiple of 16, for the crop to begin on a block, "
                f"got {self.spec.size_px} of {self.spec.resize_px}"
            )
        if not self.splits:
            raise ValueError("splits: expected at least one, got none")
        for name, split in self.splits.items():
            within("splits", check_split_name, name)
            for shard in split.shards:
                if not shard.file.startswith(f"{name}/"):
                    raise ValueError(f"splits.{name}: expected shards in the folder {name}, got {shard.file!r}")
        object.__setattr__(self, "splits", dict(self.splits))

    @property
    def channels(self) -> ChannelSet:
        """The channels that the files carry; every other coefficient in them is zero."""
        return self.packing.channels

    @property
    def is_pruned(self) -> bool:
        """Whether the files lack some of the 192 channels."""
        return len(self.channels) < NUM_CHANNELS

    def split(self, name: str) -> PackedSplit:
        """A split by its name.

        Raises:
            ValueError: If the set has none of that name.
        """
        if name not in self.splits:
            raise ValueError(f"{self.root}: expected one of the splits {', '.join(self.splits)}, got {name!r}")
        return self.splits[name]

    def shards(self, split: str) -> tuple[Path, ...]:
        """The paths of a split's tar files, whether they are there or not.

        Raises:
            ValueError: If the set has no such split.
        """
        return tuple(self.root / shard.file for shard in self.split(split).shards)

    def check_spec(self, spec: InputSpec) -> None:
        """Refuse a model that does not see in the packed pictures what it sees in the photos.

        Files with all channels are like any others. Those that lack some have what evaluation of their own geometry
        looks at and nothing else.

        Args:
            spec: What the model expects.

        Raises:
            ValueError: If it needs channels that the files do not carry, or another size than they were packed for.
        """
        if not self.is_pruned:
            return
        where = f"{self.root}: the packed files carry {self.channels} alone"
        if spec.channels is None:
            raise ValueError(
                f"{where}, and RGB needs all 192; pack the photos with --channels all, or use them as they are"
            )
        self.check_channels(spec.channels)
        if spec.size_px != self.spec.size_px or spec.resize_px not in (None, self.spec.resize_px):
            raise ValueError(
                f"{where}, at size_px {self.spec.size_px} and resize_px {self.spec.resize_px}: expected these of the "
                f"model too, got {spec.size_px} and {spec.resize_px}; any other size needs all channels: pack the "
                "photos for it, or with --channels all"
            )

    def check_channels(self, channels: Iterable[int]) -> None:
        """Refuse channels that the files do not carry.

        Raises:
            ValueError: If there is one; the message names some.
        """
        lacking = set(channels) - set(self.channels)
        if lacking:
            raise ValueError(
                f"{self.root}: the packed files carry {self.channels} alone, and not {_named(lacking)}; choose among "
                "theirs, or pack the photos with more --channels"
            )

    def to_dict(self) -> dict[str, Any]:
        """The index as JSON types."""
        return FORMAT.document(
            classes=list(self.classes),
            spec=self.spec.to_dict(),
            packing=self.packing.to_dict(),
            splits={name: split.to_dict() for name, split in self.splits.items()},
        )

    @classmethod
    def from_dict(cls, data: Any, root: str | os.PathLike[str]) -> Self:
        """The set that an index describes.

        Args:
            data: What `to_dict` gives.
            root: The set's folder.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If a field is missing, unknown, out of range, or contradicts another; the message names it.
        """
        fields = FORMAT.checked(data)
        if not isinstance(fields["splits"], Mapping):
            raise TypeError(f"splits: expected an object, got {type(fields['splits']).__name__}")
        splits = {
            name: within(f"splits.{name}", PackedSplit.from_dict, split) for name, split in fields["splits"].items()
        }
        return cls(
            root=Path(root),
            classes=fields["classes"],
            spec=within("spec", InputSpec.from_dict, fields["spec"]),
            packing=within("packing", Packing.from_dict, fields["packing"]),
            splits=splits,
        )

    def save(self) -> Path:
        """Write the index into `root`, in one step, and return its path.

        Raises:
            OSError: If it cannot be written.
        """
        path = self.root / INDEX
        atomic.write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the index of a packed set. Shards are not opened; `freqlearn pack --check` reads them all.

        Args:
            path: The set's folder, or its index.json.

        Raises:
            OSError: If the index cannot be read.
            ValueError: If it is no index, or something in it is wrong; the message names the file and the field.
        """
        file = Path(path) if Path(path).name == INDEX else Path(path, INDEX)
        try:
            return cls.from_dict(FORMAT.parsed(file.read_text(encoding="utf-8")), file.parent)
        except (TypeError, ValueError) as error:  # ValueError: also text that is not UTF-8
            raise ValueError(f"{file}: {error}") from error

    def __str__(self) -> str:
        splits = ", ".join(f"{split.images} {name}" for name, split in self.splits.items())
        return f"{self.root}: {splits} images of {len(self.classes)} classes, packed for {self.spec}"


def checked_classes(names: Any) -> tuple[str, ...]:
    """Class names that a file with one a line can hold.

    Raises:
        TypeError: If it is no list.
        ValueError: If there is none, or one is there twice, or is no single line.
    """
    if isinstance(names, str) or not isinstance(names, list | tuple):
        raise TypeError(f"expected a list of names, got {names!r:.80}")
    for name in names:
        if not isinstance(name, str) or not name.strip() or name != name.strip() or len(name.splitlines()) != 1:
            raise ValueError(f"expected names of one line without blanks around them, got {name!r}")
        if not name.isascii() and not _is_unicode(name):
            raise ValueError(f"expected names of Unicode text, got {name!r}")
    if not names or len(set(names)) < len(names):
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        raise ValueError("expected different names, got " + ("none" if twice is None else f"{twice!r} twice"))
    return tuple(names)


def _is_unicode(name: str) -> bool:
    """Whether UTF-8 can hold it: not the surrogates that stand for other bytes of a folder's name."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _named(channels: set[int], limit: int = 4) -> str:
    shown = [label(channel) for channel in sorted(channels)]
    return ", ".join(shown[:limit]) + (f" and {len(shown) - limit} more" if len(shown) > limit else "")
