"""Tar shards of images, as webdataset writes and reads them: what there is, in which order, and its loader."""

from freqlearn.pipelines.shards.shard_set import Part, ShardSet, open_shards

__all__ = ["Part", "ShardSet", "open_shards"]
