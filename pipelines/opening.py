"""From what a person wants loaded, a folder or a dataset of any library, to a dataset of samples."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import DatasetFolder
from torchvision.datasets.folder import default_loader

from freqlearn import presets
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.data import EncodedDataset, ImageDataset, SeededDataset, Transform
from freqlearn.pipelines.encoded import BytesDataset
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.image_loader import excerpt
from freqlearn.pipelines.packing.finding import Found, find_packed
from freqlearn.pipelines.shards import ShardSet, open_shards
from freqlearn.pipelines.shards.listing import are_shards
from freqlearn.pipelines.shards.loading import ShardDataset
from freqlearn.reading import read_bytes
from freqlearn.spec import InputSpec
from freqlearn.transforms.pipeline import Pipeline

# Folders of these names alone are no classes.
_SPLITS = {"train", "val", "valid", "validation", "test"}
# A dataset that reads with one of these gives no tensors by itself.
_RAW_LOADERS = (default_loader, read_bytes)


def seeded_dataset(
    data: Any, transform: Any, seed: int | None, *, augment: bool, image_key: str, label_key: str
) -> SeededDataset:
    """The samples of what was given to `make_loader`, whose arguments these are.

    Args:
        data: A folder, a ClassFolder, shards, a packed set, a SeededDataset, or another dataset.
        transform: A transform, an InputSpec, or None, which for a packed set stands for its own InputSpec.
        seed: Root of all randomness; None for 0, or for the dataset's own.
        augment: Whether an InputSpec stands for the training transform.
        image_key: Where the image is in samples that are dicts.
        label_key: Where the label is in them.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If they contradict each other.
    """
    if isinstance(data, SeededDataset):
        if transform is not None or seed not in (None, data.seed):
            raise ValueError(f"{type(data).__name__} has its own transform and seed: leave them out here")
        return data
    seed = 0 if seed is None else seed
    if isinstance(data, str | os.PathLike | PackedSet):
        data = _opened(data, augment=augment)
    elif isinstance(data, DatasetFolder) and data.transform is None and transform is not None:
        data = _listed_by(data)
    packed = data.packed if isinstance(data, ShardSet) else None
    if packed is not None:
        transform = packed.spec if transform is None else transform
        _check_fits(packed, transform)
    if isinstance(transform, InputSpec):
        transform = presets.classification_train(transform) if augment else presets.classification_eval(transform)
    if isinstance(data, ClassFolder | ShardSet):
        _check_transform(transform)
        return labelled_dataset(data, transform, seed=seed)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise TypeError(
            f"expected a folder, a ClassFolder, or a dataset with a length and an index, got {type(data).__name__}"
        )
    if transform is not None:
        _check_transform(transform)
        return BytesDataset(data, transform, seed=seed, image_key=image_key, label_key=label_key)
    if isinstance(data, DatasetFolder) and data.transform is None and data.loader in _RAW_LOADERS:
        _check_transform(None)
    return SeededDataset(data, seed=seed)


def labelled_dataset(
    files: ClassFolder | ShardSet, transform: Transform, *, seed: int = 0, cache: bool = False
) -> EncodedDataset:
    """The samples of a class folder or of tar shards.

    Args:
        files: The folder or the shards.
        transform: Encoded file -> (C, h, w) float32.
        seed: Root of all randomness.
        cache: Keep finished tensors in memory; of folders only.
    """
    if isinstance(files, ShardSet):
        return ShardDataset(files, transform, seed=seed)
    return ImageDataset(files, transform, seed=seed, cache=cache)


def _opened(data: str | os.PathLike[str] | PackedSet, *, augment: bool) -> ClassFolder | ShardSet:
    """What a path names; of a whole packed set the split for training, or the one for evaluation."""
    preferred = ("train",) if augment else ("val", "train")
    if isinstance(data, PackedSet):
        return open_shards(Found(data, None).folder(*preferred))
    found = find_packed(data)
    if found is not None:
        return open_shards(found.folder(*preferred))
    text = os.fspath(data)
    return open_shards(text) if are_shards(text) else _class_folder(Path(text))


def _check_fits(packed: PackedSet, transform: Any) -> None:
    """Refuse a transform that needs what packed files lack, as far as it says what it needs."""
    if isinstance(transform, InputSpec):
        packed.check_spec(transform)
        return
    try:
        last = Pipeline(transform).last
    except TypeError:  # not one of ours: what it looks at is its own affair
        return
    packed.check_channels(last.channels)


def _class_folder(root: Path) -> ClassFolder:
    folder = read_class_folder(root)
    if set(folder.classes) <= _SPLITS and "train" in folder.classes:
        raise ValueError(
            f"expected a folder of class folders, got {root} with {', '.join(folder.classes)}: pass {root / 'train'}"
        )
    return folder


def _listed_by(dataset: DatasetFolder) -> ClassFolder:
    """The files and labels of torchvision's dataset."""
    root = Path(dataset.root)
    files = np.array([os.fsencode(os.path.relpath(path, root)) for path, _ in dataset.samples])
    relabel = dataset.target_transform or int
    labels = np.array([relabel(label) for _, label in dataset.samples], dtype=np.int64)
    return ClassFolder(root, tuple(dataset.classes), files, labels)


def _check_transform(transform: Any) -> None:
    if not callable(transform):
        error = ValueError if transform is None else TypeError
        raise error(f"expected a transform from a file's bytes to a tensor, or an InputSpec, got {excerpt(transform)}")
