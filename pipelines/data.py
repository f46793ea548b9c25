"""Datasets whose randomness derives from (seed, epoch, sample index) and from nothing else."""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from freqlearn.batch_run import UNREADABLE
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.reading import read_bytes

Key = tuple[int, int]
Batch = tuple[torch.Tensor, torch.Tensor]
Transform = Callable[[bytes], torch.Tensor]
"""Encoded file -> (C, h, w) float32."""


_WAY_OUT = "; remove the file, or leave such files out: --on-bad-image skip"


class SampleError(ValueError):
    """A file of a dataset could not be turned into a sample; the message names the file and the reason."""


class UnreadableError(SampleError):
    """The reason is the file: it is missing, damaged or no image. Leaving it out would help."""


def sample_error(message: str, cause: Exception) -> SampleError:
    """The error to raise where a sample could not be made, for that cause."""
    return (UnreadableError if isinstance(cause, UNREADABLE) else SampleError)(message)


@contextmanager
def pointing_to_skip() -> Iterator[None]:
    """Let errors of files that cannot be read say how to go on without them, in a command with --on-bad-image."""
    try:
        yield
    except UnreadableError as error:
        if str(error).endswith(_WAY_OUT):  # one command within another
            raise
        raise UnreadableError(f"{error}{_WAY_OUT}") from error


def naming_file(path: str | Path, error: Exception) -> str:
    """The error's message, with the file's name in front unless it is there already."""
    message = reason(error)
    return message if message.startswith(str(path)) else f"{path}: {message}"


def reason(error: BaseException) -> str:
    """The error's message; of an OSError without its file's name."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def derived_seed(*numbers: int) -> int:
    """A 63-bit seed that depends on every one of `numbers` and on their order.

    Raises:
        TypeError: If one is no integer.
        ValueError: If one does not fit into 64 bits.
    """
    try:
        packed = struct.pack(f"<{len(numbers)}q", *numbers)
    except struct.error as error:
        if all(isinstance(number, int) for number in numbers):
            raise ValueError(f"expected seeds and epochs from -2**63 to 2**63 - 1, got {numbers}") from error
        raise TypeError(f"expected seeds and epochs as integers, got {numbers}") from error
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


class SeededDataset(Dataset[tuple[Any, Any]]):
    """Samples that are the same for the same key, in any process and in any order.

    A key is (epoch, index), as EpochSampler yields it, or an index alone (epoch 0). This class makes them of any
    dataset with a length and an index, for instance torchvision's ImageFolder.
    """

    def __init__(self, dataset: Any, *, seed: int = 0) -> None:
        """Wrap a dataset.

        Args:
            dataset: Index -> (image, label); draws its randomness from torch's default generator.
            seed: Root of all randomness.
        """
        self.dataset = dataset
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | Key) -> tuple[Any, Any]:
        """The sample of a key.

        Raises:
            SampleError: If its file cannot be read or used; the message names it.
        """
        epoch, index = key if isinstance(key, tuple) else (0, key)
        try:
            with seeded(self.seed, epoch, index):
                return self.sample(index)
        except (ValueError, OSError) as error:
            raise sample_error(naming_file(self.name(index), error), error) from error

    def sample(self, index: int) -> tuple[Any, Any]:
        """The sample at `index`, from a generator that is seeded already."""
        image, label = self.dataset[index]
        return image, label

    def collate(self, samples: list[Any]) -> Any:
        """A batch of samples: torch's, unless a subclass has another kind."""
        return default_collate(samples)

    def groups(self) -> Sequence[int] | None:
        """A number for every sample: a shuffled batch had better be of equal ones. None: any batch will do."""
        return None

    def name(self, index: int) -> str:
        """What errors call the sample at `index`: its file, where the dataset lists files as torchvision's do."""
        samples = getattr(self.dataset, "samples", None)
        return str(samples[index][0]) if isinstance(samples, list) else f"sample {index}"

    def fingerprint(self) -> str | None:
        """Equal for the same files and classes wherever they lie; None where files are not known."""
        return None


class EncodedDataset(SeededDataset):
    """Encoded files, each turned into a tensor by a transform of its bytes; subclasses say where they come from."""

    def __init__(self, dataset: Any, transform: Transform, *, seed: int = 0) -> None:
        """Wrap what holds the files.

        Args:
            dataset: Has a length.
            transform: Encoded file -> (C, h, w) float32; draws its randomness from torch's default generator.
            seed: Root of all randomness.
        """
        super().__init__(dataset, seed=seed)
        self.transform = transform

    def encoded(self, index: int) -> tuple[str | Path | bytes, Any]:
        """Path or bytes of the file at `index`, and its label; subclasses have it."""
        raise NotImplementedError(f"{type(self).__name__} does not say where its files are")

    def sample(self, index: int) -> tuple[torch.Tensor, Any]:
        """The tensor and label of the file at `index`."""
        source, label = self.encoded(index)
        return self.transform(source if isinstance(source, bytes) else read_bytes(source)), label


class ImageDataset(EncodedDataset):
    """Files of a class folder."""

    def __init__(self, folder: ClassFolder, transform: Transform, *, seed: int = 0, cache: bool = False) -> None:
        """Wrap a folder.

        Args:
            folder: The labelled files.
            transform: Encoded file -> (C, h, w) float32; draws its randomness from torch's default generator.
            seed: Root of all randomness.
            cache: Keep every finished tensor in memory (in each worker its own). Only right for a transform
                without randomness.
        """
        super().__init__(folder, transform, seed=seed)
        self.folder = folder
        self._cache: dict[int, tuple[torch.Tensor, int]] | None = {} if cache else None

    @property
    def cached(self) -> bool:
        """Whether finished tensors are kept."""
        return self._cache is not None

    def encoded(self, index: int) -> tuple[Path, int]:
        """Path and label of the file at `index`."""
        return self.folder.path(index), int(self.folder.labels[index])

    def sample(self, index: int) -> tuple[torch.Tensor, int]:
        """The tensor and label of the file at `index`."""
        if self._cache is None:
            return super().sample(index)
        if index not in self._cache:
            self._cache[index] = super().sample(index)
        return self._cache[index]

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.folder.path(index))

    def fingerprint(self) -> str:
        """The folder's."""
        return self.folder.fingerprint()
