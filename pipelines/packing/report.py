"""What was packed: as a table for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.packing.shards import MadeShard
from freqlearn.pipelines.tables import table


@dataclass(frozen=True)
class PackReport:
    """What `pack` has done.

    Attributes:
        packed: The packed set.
        shards: What came of the shards of each split.
    """

    packed: PackedSet
    shards: Mapping[str, Sequence[MadeShard]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "format": "freqlearn.pack_report",
            "version": 1,
            "output": str(self.packed.root),
            "splits": {name: _summed(shards) for name, shards in self.shards.items()},
            "skipped": [
                {"file": file, "reason": why}
                for made in self.shards.values()
                for one in made
                for file, why in one.skipped
            ],
        }

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def __str__(self) -> str:
        rows = [_row(name, _summed(shards)) for name, shards in self.shards.items()]
        if len(rows) > 1:
            rows.append(_row("all", _summed([one for shards in self.shards.values() for one in shards])))
        return f"{self.packed}\n{table(rows)}"


def _summed(shards: Sequence[MadeShard]) -> dict[str, int]:
    return {
        "images": sum(one.images for one in shards),
        "photo_bytes": sum(one.photo_bytes for one in shards),
        "jpeg_bytes": sum(one.jpeg_bytes for one in shards),
        "shards": sum(1 for one in shards if one.images),
        "shard_bytes": sum(one.bytes for one in shards),
        "enlarged": sum(one.enlarged for one in shards),
        "skipped": sum(len(one.skipped) for one in shards),
    }


def _row(name: str, summed: Mapping[str, int]) -> dict[str, object]:
    images = max(1, summed["images"])
    return {
        "split": name,
        "images": summed["images"],
        "photo, kB": f"{summed['photo_bytes'] / images / 1000:.1f}",
        "packed, kB": f"{summed['jpeg_bytes'] / images / 1000:.1f}",
        "times smaller": f"{summed['photo_bytes'] / max(1, summed['jpeg_bytes']):.2f}",
        "shards": summed["shards"],
        "MB": f"{summed['shard_bytes'] / 1e6:.1f}",
        "enlarged": summed["enlarged"],
        "skipped": summed["skipped"],
    }
