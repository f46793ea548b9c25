"""The loader to take by default: same samples whatever the workers, and a state to go on from."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import DatasetFolder
from torchvision.datasets.folder import default_loader

from freqlearn import presets
from freqlearn.indexing import integer
from freqlearn.pipelines.batching import PlannedDataset, PlansToBatch
from freqlearn.pipelines.cores import usual_workers
from freqlearn.pipelines.data import ImageDataset, SampleError, SeededDataset, Transform, derived_seed
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.sampling import EpochSampler
from freqlearn.reading import read_bytes
from freqlearn.spec import InputSpec

STATE_VERSION = 1
# Folders of these names alone are no classes.
_SPLITS = {"train", "val", "valid", "validation", "test"}
# A dataset that reads with one of these gives no tensors by itself.
_RAW_LOADERS = (default_loader, read_bytes)


def make_loader(
    data: str | Path | ClassFolder | Dataset[Any],
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
) -> "ImageLoader":
    """Make a loader of labelled images.

    Order and randomness derive from (seed, epoch, sample index), so that the number of workers and the batch size
    change no sample, and a resumed epoch goes on with the samples that an uninterrupted one would have given.

    With torch.distributed running, each process loads its share of every epoch; if the shares do not come out even,
    some samples are loaded twice, as with torch's DistributedSampler.

    Args:
        data: A folder of class folders; a ClassFolder; or a dataset with a length and an index, such as torchvision's
            ImageFolder, that gives (image, label) and draws its randomness from torch's generator.
        transform: Encoded file -> (C, h, w) float32. An InputSpec stands for
            `freqlearn.presets.classification_train(spec)` with `shuffle`, and for `classification_eval(spec)` without.
            None for a dataset that has its own. Of an ImageFolder without one, only the list of files is used.
        batch_size: Images a batch (and process).
        shuffle: Whether to permute the samples anew in every epoch.
        num_workers: Processes that read and transform; 0 does so in this one. By default half the cores, at most 4.
        num_threads: Threads of each of these processes that decode a batch together, with `freqlearn.BatchDecoder`;
            for a transform from ReadDCT to ToFrequencyTensor; others transform one sample at a time. By default 1 in a
            worker, and a thread a core in this process.
        seed: Root of all randomness, 0 by default.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller. By default with `shuffle` only
            (BatchNorm cannot train on one sample), and not if it is the only one.
        pin_memory: Whether batches are put into page-locked memory, which `.to(device, non_blocking=True)` copies
            faster from. By default where CUDA is.
        prefetch_factor: Batches that each worker prepares ahead, 2 by default.
        persistent_workers: Whether workers live on between epochs, which they do by default.

    Returns:
        A loader that yields [(N, C, h, w) float32, (N,) int64].

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the folder has no class folders with images, or arguments are out of range or contradict each
            other.
        SampleError: When a file cannot be used, while iterating; the message names it.
    """
    batch_size = integer(batch_size, "batch_size")
    if seed is not None:
        derived_seed(seed)  # an error unless it can be one
    dataset = _seeded_dataset(data, transform, seed, augment=shuffle)
    if not len(dataset):
        raise ValueError("expected at least one sample, got an empty dataset")
    sampler = EpochSampler(len(dataset), shuffle=shuffle, seed=dataset.seed)
    if drop_last and len(sampler) < batch_size:
        raise ValueError(
            f"drop_last leaves nothing: {len(sampler)} samples a process are fewer than a batch of {batch_size}"
        )
    workers = usual_workers() if num_workers is None else num_workers
    dataset, collate = _batched(dataset, num_threads)
    return ImageLoader(
        dataset,
        collate_fn=collate,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        drop_last=shuffle and len(sampler) >= batch_size if drop_last is None else drop_last,
        pin_memory=torch.cuda.is_available() if pin_memory is None else pin_memory,
        prefetch_factor=prefetch_factor,
        persistent_workers=workers > 0 if persistent_workers is None else persistent_workers,
        worker_init_fn=_ignore_interrupt if workers else None,
    )


class ImageLoader(DataLoader[Any]):
    """A DataLoader that knows where it is, and can be put there. `make_loader` makes it.

    An iteration goes through one epoch; once it has, the next one goes through the next epoch, `set_epoch` or not. One
    that was broken off begins the same epoch again. `len` is the number of batches of a whole epoch.
    """

    _position: tuple[int, int] | None = None  # (epoch, samples) of an iteration that has begun
    _fingerprint: str | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration goes through; of the epoch that was resumed, what remains.

        Raises:
            TypeError: If it is no integer.
        """
        self._sampler.set_epoch(epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the running iteration, or of the next one if none runs."""
        return self._sampler.epoch

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: nothing begins before the first batch is asked for. Lightning sets the epoch after iter().
        sampler = self._sampler
        epoch, start = self._position = sampler.epoch, sampler.start
        try:
            # What DataLoader draws for its workers must not move the generator, which is the network's too.
            with torch.random.fork_rng(devices=[]):
                loaded = super().__iter__()
            for batches, batch in enumerate(loaded, start=1):
                self._position = epoch, sampler.after(start, batches * self._images_a_batch)
                yield batch
        except SampleError as error:
            if not self.num_workers:
                raise
            # Stop the workers now: those in a cycle, as a traceback makes one, take five seconds once they are garbage.
            self._iterator = None
            # The message is the worker's traceback.
            message = str(error).rpartition(f"{SampleError.__name__}: ")[2].strip()
            raise SampleError(message) from error.with_traceback(None)
        if sampler.epoch == epoch:
            sampler.set_epoch(epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: after the last batch that it has yielded, whatever the workers have prepared since.

        Returns:
            JSON types. It can be loaded with another batch size, number of workers or of processes: the samples that
            remain of the epoch are the same.
        """
        sampler = self._sampler
        epoch, samples = self._position or (sampler.epoch, sampler.start)
        if epoch != sampler.epoch:  # another one was chosen since
            epoch, samples = sampler.epoch, sampler.start
        return {"version": STATE_VERSION, **self._identity(), "epoch": epoch, "samples": samples}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a state was taken.

        If that was after the last batch of an epoch, but within its loop, nothing is left of it: that iteration is
        empty, and the next one goes through the next epoch.

        Args:
            state: What `state_dict` gave, in this or in another run.

        Raises:
            ValueError: If it is of other files, of another seed or order, or no such state.
        """
        if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION:
            raise ValueError(f"expected a loader's state of version {STATE_VERSION}, got {_excerpt(state)}")
        for name, here in self._identity().items():
            if state.get(name) != here:
                raise ValueError(
                    f"the state is of a loader with {name} {state.get(name)}, and this one has {name} {here}: "
                    "an epoch can only be gone on with by the same files, seed and order"
                )
        epoch, samples = state.get("epoch"), state.get("samples")
        if not _is_count(epoch) or not _is_count(samples) or samples > self._sampler.size:
            raise ValueError(
                f"expected epoch and samples as counts, samples at most {self._sampler.size}, got epoch {epoch!r} and "
                f"samples {samples!r}"
            )
        self._position = None
        self._sampler.resume(epoch, samples)

    @property
    def _sampler(self) -> EpochSampler:
        # Not self.sampler: where Lightning predicts, it makes the loader anew around a batch sampler of its own.
        sampler: EpochSampler = self.batch_sampler.sampler  # type: ignore[union-attr]
        return sampler

    @property
    def _images_a_batch(self) -> int:
        return int(self.batch_sampler.batch_size)  # type: ignore[union-attr]

    def _identity(self) -> dict[str, Any]:
        """What a state must have in common with the loader that goes on from it."""
        sampler = self._sampler
        if self._fingerprint is None:
            self._fingerprint = self.dataset.fingerprint()  # type: ignore[attr-defined]
        return {
            "size": sampler.size,
            "files": self._fingerprint,
            "seed": sampler.seed,
            "shuffle": sampler.shuffle,
        }


def _seeded_dataset(data: Any, transform: Any, seed: int | None, *, augment: bool) -> SeededDataset:
    if isinstance(data, SeededDataset):
        if transform is not None or seed not in (None, data.seed):
            raise ValueError(f"{type(data).__name__} has its own transform and seed: leave them out here")
        return data
    seed = 0 if seed is None else seed
    if isinstance(transform, InputSpec):
        transform = presets.classification_train(transform) if augment else presets.classification_eval(transform)
    if isinstance(data, str | os.PathLike):
        data = read_class_folder(Path(data))
        if set(data.classes) <= _SPLITS and "train" in data.classes:
            raise ValueError(
                f"expected a folder of class folders, got {data.root} with {', '.join(data.classes)}: pass "
                f"{data.root / 'train'}"
            )
    elif isinstance(data, DatasetFolder) and data.transform is None and transform is not None:
        data = _listed_by(data)
    if isinstance(data, ClassFolder):
        _check_transform(transform)
        return ImageDataset(data, transform, seed=seed)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise TypeError(
            f"expected a folder, a ClassFolder, or a dataset with a length and an index, got {type(data).__name__}"
        )
    if transform is not None:
        raise ValueError(
            f"{type(data).__name__} gives finished images: give the transform to it, or pass its folder here"
        )
    if isinstance(data, DatasetFolder) and data.transform is None and data.loader in _RAW_LOADERS:
        _check_transform(None)
    return SeededDataset(data, seed=seed)


def _batched(dataset: SeededDataset, num_threads: int | None) -> tuple[SeededDataset, PlansToBatch | None]:
    """The dataset and collate function that decode whole batches, where they can; None is torch's."""
    if not isinstance(dataset, ImageDataset) or dataset.cached:
        return dataset, None
    try:
        planned = PlannedDataset(dataset)
    except TypeError:
        return dataset, None
    return planned, PlansToBatch(planned, num_threads=num_threads)


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
        raise error(f"expected a transform from a file's bytes to a tensor, or an InputSpec, got {_excerpt(transform)}")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _excerpt(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C reaches the whole process group; the main process finishes its step first and needs its workers for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
