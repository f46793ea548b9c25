"""Going on without images that cannot be read: they are left out of their batch, and the batch says which they were."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from freqlearn.batch_run import UNREADABLE
from freqlearn.errors import ImageError
from freqlearn.pipelines.batching import PlansToBatch
from freqlearn.pipelines.data import Key, SampleError, SeededDataset, reason

MOST_TRIED = 1000
"""How many files are tried in place of those of a batch that cannot be read, before something else must be wrong."""


class BadImage(NamedTuple):
    """A sample that could not be read.

    Attributes:
        key: (epoch, index).
        name: Its file.
        why: What is wrong with it.
    """

    key: Key
    name: str
    why: str


class Sample(NamedTuple):
    """A sample that could be read so far, and its key."""

    key: Key
    value: Any


class Loaded(NamedTuple):
    """What a worker hands over.

    Attributes:
        batch: What the loader is to yield; None if nothing is left of the batch.
        bad: File and reason of each image that was left out.
    """

    batch: Any
    bad: Sequence[tuple[str, str]]


class LenientDataset(Dataset[Sample | BadImage]):
    """Samples of another dataset, or BadImage where it finds a file unreadable. Mistakes of the program are errors."""

    def __init__(self, dataset: SeededDataset) -> None:
        """Wrap a dataset."""
        self.dataset = dataset
        self.seed = dataset.seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | Key) -> Sample | BadImage:
        full = key if isinstance(key, tuple) else (0, key)
        try:
            return Sample(full, self.dataset[key])
        except SampleError as error:
            if not isinstance(error.__cause__, UNREADABLE):
                raise
            return self.bad(full, error.__cause__)

    def bad(self, key: Key, error: Exception) -> BadImage:
        """What is to be said of the sample with that key."""
        name = (error.path if isinstance(error, ImageError) else None) or self.dataset.name(key[1])
        return BadImage(key, name, error.message if isinstance(error, ImageError) else reason(error))

    def fingerprint(self) -> str | None:
        """The wrapped dataset's."""
        return self.dataset.fingerprint()


class SkippingCollate:
    """A `collate_fn` for a LenientDataset: batches of what can be read."""

    def __init__(self, dataset: LenientDataset, decode: PlansToBatch | None, *, least: int) -> None:
        """Collate for a dataset.

        Args:
            dataset: The dataset.
            decode: Makes a batch of its samples, leaving out those it cannot decode; None for the dataset's `collate`.
            least: Fewest images of a batch. Where fewer can be read, those that follow its last one in the dataset,
                with their randomness of that epoch, fill it up: a training step cannot do without any, nor BatchNorm
                with one.
        """
        self.dataset = dataset
        self.decode = decode
        self.least = least

    def __call__(self, samples: Sequence[Sample | BadImage]) -> Loaded:
        """The batch of what can be read, and what was left out.

        Raises:
            SampleError: If it has to be filled up, and nothing near can be read either.
        """
        good, bad, batch = self._read(samples)
        if len(good) < min(self.least, len(samples)):
            for sample in self._others([sample.key for sample in samples]):
                more, worse, _ = self._read([sample])
                good, bad = good + more, bad + worse
                if len(good) == min(self.least, len(samples)):
                    break
            else:
                raise SampleError(
                    f"{bad[0].name}: {bad[0].why}; it is one of {len(bad)} images in a row that cannot be read"
                )
            _, _, batch = self._read(good)
        return Loaded(batch, [(name, why) for _, name, why in bad])

    def _others(self, keys: Sequence[Key]) -> Iterator[Sample | BadImage]:
        """What follows the last of some samples in the data set, without them."""
        epoch, last = keys[-1]
        size = len(self.dataset)
        for step in range(1, min(size, MOST_TRIED)):
            key = epoch, (last + step) % size
            if key not in keys:
                yield self.dataset[key]

    def _read(self, samples: Sequence[Sample | BadImage]) -> tuple[list[Sample], list[BadImage], Any]:
        """Samples that can be read, those that cannot, and a batch of the first; None if there is none."""
        bad = [sample for sample in samples if isinstance(sample, BadImage)]
        good = [sample for sample in samples if isinstance(sample, Sample)]
        if not good:
            return [], bad, None
        values = [sample.value for sample in good]
        if self.decode is None:
            return good, bad, self.dataset.dataset.collate(values)
        batch, failures = self.decode.what_can_be_read(values)
        failed = {failure.index: failure.error for failure in failures}
        bad += [self.dataset.bad(good[index].key, error) for index, error in failed.items()]
        return [sample for index, sample in enumerate(good) if index not in failed], bad, batch
