"""PackedSet lives in `freqlearn.packed_set`, where the presets can take it too."""

from freqlearn.packed_set import INDEX, PackedSet, PackedShard, PackedSplit, Packing, Sampling

__all__ = ["INDEX", "PackedSet", "PackedShard", "PackedSplit", "Packing", "Sampling"]
