"""The loader to take by default: same samples whatever the workers, and a state to go on from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.utils.data import Dataset

from freqlearn.indexing import integer
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.batching import PlannedDataset, PlansToBatch
from freqlearn.pipelines.cores import usual_workers
from freqlearn.pipelines.data import EncodedDataset, ImageDataset, SeededDataset, Transform, derived_seed
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.image_loader import ImageLoader
from freqlearn.pipelines.opening import seeded_dataset
from freqlearn.pipelines.sampling import EpochSampler, Shares, rank_and_world
from freqlearn.pipelines.shards import ShardSet
from freqlearn.pipelines.shards.loading import BlockDataset, ShardDataset, ShardLoader
from freqlearn.pipelines.shards.plan import BlockSampler, Division
from freqlearn.pipelines.skipping import LenientDataset, SkippingCollate
from freqlearn.pipelines.worker_signals import leave_stopping_to_main
from freqlearn.spec import InputSpec

__all__ = ["ImageLoader", "OnError", "make_loader"]

OnError = Literal["raise", "skip"]


def make_loader(
    data: str | Path | ClassFolder | ShardSet | PackedSet | Dataset[Any],
    transform: Transform | InputSpec | None = None,
    *,
    batch_size: int,
    shuffle: bool,
    num_workers: int | None = None,
    num_threads: int | None = None,
    seed: int | None = None,
    drop_last: bool | None = None,
    pin_memory: bool | None = None,
    prefetch_factor: int | None = None,
    persistent_workers: bool | None = None,
    on_error: OnError = "raise",
    accumulate: int = 1,
    image_key: str = "image",
    label_key: str = "label",
) -> "ImageLoader":
    """Make a loader of labelled images.

    Order and randomness derive from (seed, epoch, sample index), so that the number of workers and the batch size
    change no sample, and a resumed epoch goes on with the samples that an uninterrupted one would have given.

    With torch.distributed running, each process loads its share of every epoch. With `shuffle`, for training, all get
    the same number of batches. Without, every sample is loaded exactly once, so some processes may get one more than
    others, or one batch more.

    Args:
        data: A folder of class folders; a ClassFolder; tar shards (a ShardSet, or what `open_shards` takes, such as
            "train-{0000..0146}.tar"); a packed set (a PackedSet or its folder: with `shuffle` its split train, without
            its split val where it has one; or the folder of a split); or a dataset with a length and an index: such as
            torchvision's ImageFolder, that gives (image, label) and draws its randomness from torch's generator; or,
            with a transform, one that gives (bytes or path of a file, label), or dicts with both.
        transform: Encoded file -> (C, h, w) float32. An InputSpec stands for
            `freqlearn.presets.classification_train(spec)` with `shuffle`, and for `classification_eval(spec)` without.
            None for a dataset that has its own, and for a packed set: the InputSpec of its index. Of an ImageFolder
            without one, only the list of files is used.
        batch_size: Images a batch (and process).
        shuffle: Whether to permute the samples anew in every epoch; where the dataset has `groups`, those of one then
            come side by side, as photos of similar shape for a detector.
        num_workers: Processes that read and transform; 0 does so in this one. By default half the cores, at most 4.
        num_threads: Threads of each of these processes that decode a batch together, with `freqlearn.BatchDecoder`;
            for a transform from ReadDCT to ToFrequencyTensor; others transform one sample at a time. By default 1 in a
            worker, and a thread a core in this process.
        seed: Root of all randomness, 0 by default.
        drop_last: Whether to leave out what does not fill a batch in every process at the end of an epoch. By default
            with `shuffle` only (BatchNorm cannot train on one sample), and not if nothing would be left. With `shuffle`
            and without this, some samples are loaded twice if processes would get fewer than others.
        pin_memory: Whether batches are put into page-locked memory, which `.to(device, non_blocking=True)` copies
            faster from. By default where CUDA is.
        prefetch_factor: Batches that each worker prepares ahead, 2 by default.
        persistent_workers: Whether workers live on between epochs, which they do by default.
        on_error: What to do about a file that cannot be read or decoded: "raise" a SampleError that names it, or "skip"
            it: it is left out of its batch, and listed in the loader's `bad_images`. With `shuffle`, a batch in which
            fewer than two can be read is filled up to two by the files that follow in the data set, so that every
            process makes every step. Without, a batch of which nothing is left is not yielded.
        accumulate: Batches an optimizer step, for `drop_last`: an epoch is a whole number of steps.
        image_key: Where the image is in samples that are dicts.
        label_key: Where the label is in them.

    Returns:
        A loader that yields [(N, C, h, w) float32, (N,) int64]; of a dataset with a `collate` of its own, what that
        makes of a list of samples.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the folder has no class folders with images, a packed set lacks what the transform needs, or
            arguments are out of range or contradict each other.
        SampleError: When a file cannot be used, while iterating; the message names it.
    """
    batch_size = integer(batch_size, "batch_size")
    if on_error not in get_args(OnError):
        raise ValueError(f"expected on_error to be one of {get_args(OnError)}, got {on_error!r}")
    if seed is not None:
        derived_seed(seed)  # an error unless it can be one
    dataset = seeded_dataset(data, transform, seed, augment=shuffle, image_key=image_key, label_key=label_key)
    if isinstance(dataset, ShardDataset) and not shuffle:
        dataset = dataset.counted()  # so that every sample is loaded exactly once
    if not len(dataset):
        raise ValueError("expected at least one sample, got an empty dataset")
    fewest = len(dataset) // rank_and_world()[1]  # that a process gets
    if drop_last and fewest < batch_size:
        raise ValueError(f"drop_last leaves nothing: {fewest} samples a process are fewer than a batch of {batch_size}")
    if drop_last is None:
        drop_last = shuffle and fewest >= batch_size * accumulate
    shares: Shares = "drop" if drop_last else "repeat" if shuffle else "uneven"
    sampler = EpochSampler(
        len(dataset),
        shuffle=shuffle,
        seed=dataset.seed,
        shares=shares,
        multiple=batch_size * accumulate,
        groups=dataset.groups(),
    )
    workers = usual_workers() if num_workers is None else num_workers
    samples, collate = _batched(dataset, num_threads, on_error, least=2 if shuffle else 0)
    kind: type[ImageLoader] = ImageLoader
    order: dict[str, Any] = {"sampler": sampler, "batch_size": batch_size, "drop_last": drop_last}
    if isinstance(dataset, ShardDataset):
        division = Division(dataset.shards, shuffle, dataset.seed)
        samples = BlockDataset(dataset, samples, division)
        blocks = BlockSampler(division, batch_size=batch_size, drop_last=drop_last, accumulate=accumulate)
        kind, order = ShardLoader, {"sampler": blocks, "batch_size": None}  # what it yields are batches already
        workers = division.fitting_workers(workers)
    return kind(
        samples,
        collate_fn=collate,
        **order,
        num_workers=workers,
        pin_memory=torch.cuda.is_available() if pin_memory is None else pin_memory,
        prefetch_factor=prefetch_factor,
        persistent_workers=workers > 0 if persistent_workers is None else persistent_workers,
        worker_init_fn=leave_stopping_to_main if workers else None,
    )


def _batched(
    dataset: SeededDataset, num_threads: int | None, on_error: OnError, *, least: int
) -> tuple[Dataset[Any], Callable[[list[Any]], Any]]:
    """The dataset and collate function that decode whole batches, where they can; otherwise the dataset's own."""
    decode = None
    if isinstance(dataset, EncodedDataset) and not (isinstance(dataset, ImageDataset) and dataset.cached):
        try:
            dataset = PlannedDataset(dataset)
            decode = PlansToBatch(dataset, num_threads=num_threads, on_error="raise" if on_error == "raise" else "drop")
        except TypeError:  # one sample at a time, then
            pass
    if on_error == "raise":
        return dataset, decode or dataset.collate
    lenient = LenientDataset(dataset)
    return lenient, SkippingCollate(lenient, decode, least=least)
