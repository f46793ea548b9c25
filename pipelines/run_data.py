"""What a run's options name as its data: class folders, or tar shards."""

from pathlib import Path

from freqlearn.pipelines.folders import DataFolders, open_data
from freqlearn.pipelines.options import RunOptions
from freqlearn.pipelines.shard_listing import are_shards


def open_run_data(options: RunOptions) -> DataFolders:
    """Find the training and validation images.

    Raises:
        ImportError: If there are shards, and webdataset is missing.
        ValueError: If there are no images, or their classes do not fit together.
    """
    if options.train_shards is None and options.data is not None and not are_shards(options.data / "train"):
        return open_data(options.data, val_fraction=options.val_fraction, seed=options.seed)
    from freqlearn.pipelines.shards import open_shards

    if options.data is not None:
        train_source: str | Path = options.data / "train"
        val_source: str | Path | None = options.data / "val" if (options.data / "val").is_dir() else None
    else:
        train_source, val_source = options.train_shards or "", options.val_shards
    train = open_shards(train_source, classes=options.classes, images=options.train_images)
    if val_source is None:
        return DataFolders(train, None, None)
    val = open_shards(val_source, classes=options.classes, images=options.val_images, default_classes=train.classes)
    return DataFolders(train, val.relabelled(train.classes), None)
