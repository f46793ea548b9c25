"""Datasets and loaders whose randomness derives from (seed, epoch, sample index) and from nothing else."""

import hashlib
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from freqlearn.pipelines.folders import ClassFolder
from freqlearn.reading import read_bytes

Key = tuple[int, int]
Batch = tuple[torch.Tensor, torch.Tensor]
Transform = Callable[[bytes], torch.Tensor]
"""Encoded file -> (C, h, w) float32."""


class SampleError(ValueError):
    """A file of a dataset could not be turned into a sample; the message names the file and the reason."""


def naming_file(path: Path, error: Exception) -> str:
    """The error's message, with the file's name in front unless it is there already."""
    message = reason(error)
    return message if message.startswith(str(path)) else f"{path}: {message}"


def reason(error: Exception) -> str:
    """The error's message; of an OSError without its file's name."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def derived_seed(*numbers: int) -> int:
    """A 63-bit seed that depends on every one of `numbers` and on their order."""
    packed = struct.pack(f"<{len(numbers)}q", *numbers)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 1


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Run a block with torch's CPU generator seeded from `numbers`, and put the generator back afterwards."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(derived_seed(*numbers))
    try:
        yield
    finally:
        torch.set_rng_state(before)


class ImageDataset(Dataset[tuple[torch.Tensor, int]]):
    """Files of a class folder, each turned into a tensor by a transform of its bytes.

    Index it with (epoch, index), as EpochSampler does, or with an index alone (epoch 0). The same key gives the same
    sample in any process, in any order.
    """

    def __init__(self, folder: ClassFolder, transform: Transform, *, seed: int = 0, cache: bool = False) -> None:
        """Wrap a folder.

        Args:
            folder: The labelled files.
            transform: Encoded file -> (C, h, w) float32; draws its randomness from torch's default generator.
            seed: Root of all randomness.
            cache: Keep every finished tensor in memory (in each worker its own). Only right for a transform
                without randomness.
        """
        self.folder = folder
        self.transform = transform
        self.seed = seed
        self._cache: dict[int, torch.Tensor] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, key: int | Key) -> tuple[torch.Tensor, int]:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        label = int(self.folder.labels[index])
        if self._cache is not None and index in self._cache:
            return self._cache[index], label
        path = self.folder.path(index)
        try:
            with seeded(self.seed, epoch, index):
                image = self.transform(read_bytes(path))
        except (ValueError, OSError) as error:
            raise SampleError(naming_file(path, error)) from error
        if self._cache is not None:
            self._cache[index] = image
        return image, label


class EpochSampler(Sampler[Key]):
    """Yields (epoch, index): in order, or shuffled by a permutation that derives from (seed, epoch).

    With torch.distributed running, every process gets its own stride of the same permutation.
    """

    def __init__(self, size: int, *, shuffle: bool, seed: int = 0) -> None:
        """Sample from `size` files.

        Args:
            size: Number of files.
            shuffle: Whether to permute them anew in every epoch.
            seed: Root of all randomness.
        """
        self.size = size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self._skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields; Lightning calls this."""
        if epoch != self.epoch:
            self.epoch, self._skip = epoch, 0

    def resume(self, epoch: int, skip: int) -> None:
        """Let the next iteration yield what remains of `epoch` after this process's first `skip` samples."""
        self.epoch, self._skip = epoch, skip

    def __len__(self) -> int:
        """Samples of a whole epoch in this process, whatever is skipped: Lightning counts batches with it."""
        _, world = _rank_and_world()
        return -(-self.size // world)

    def __iter__(self) -> Iterator[Key]:
        rank, world = _rank_and_world()
        if self.shuffle:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
            order = torch.randperm(self.size, generator=generator)
        else:
            order = torch.arange(self.size)
        # Wrap around so that every process gets the same number, as torch's DistributedSampler does.
        positions = torch.arange(rank, len(self) * world, world) % self.size
        epoch, skip = self.epoch, self._skip
        self._skip = 0
        for index in order[positions][skip:].tolist():
            yield epoch, index


def make_loader(
    dataset: ImageDataset, *, batch_size: int, shuffle: bool, workers: int = 0, pin_memory: bool = False
) -> DataLoader[Any]:
    """A DataLoader that yields ((N, C, h, w) float32, (N,) int64) and keeps its workers between epochs.

    With `shuffle` the last, smaller batch is dropped (unless it is the only one): BatchNorm cannot train on one sample.
    """
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=EpochSampler(len(dataset), shuffle=shuffle, seed=dataset.seed),
        num_workers=workers,
        drop_last=shuffle and len(dataset) >= batch_size,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_interrupt if workers else None,
    )


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C reaches the whole process group; the main process finishes its step first and needs its workers for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _rank_and_world() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
