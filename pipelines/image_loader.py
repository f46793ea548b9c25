"""A DataLoader of epochs that can be gone on with, and that knows which images it has left out."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

import torch
from torch.utils.data import DataLoader

from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.sampling import EpochSampler
from freqlearn.pipelines.skipping import Loaded

STATE_VERSION = 1


class ImageLoader(DataLoader[Any]):
    """A DataLoader that knows where it is, and can be put there. `make_loader` makes it.

    An iteration goes through one epoch; once it has, the next one goes through the next epoch, `set_epoch` or not. One
    that was broken off begins the same epoch again. `len` is the number of batches of a whole epoch in the process that
    gets most, so it is the same in all. A batch of nothing but images that were left out is not yielded.
    """

    _position: tuple[int, int] | None = None  # (epoch, samples) of an iteration that has begun
    _fingerprint: str | None = None
    _bad: dict[str, str] | None = None

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

    @property
    def bad_images(self) -> dict[str, str]:
        """Files that were left out of what this loader has yielded in this process, and why; with on_error="skip"."""
        if self._bad is None:
            self._bad = {}
        return self._bad

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
                if isinstance(batch, Loaded):
                    self.bad_images.update((name, why) for name, why in batch.bad)
                    batch = batch.batch
                if batch is not None:
                    yield batch
        except SampleError as error:
            if not self.num_workers:
                raise
            # Stop the workers now: those in a cycle, as a traceback makes one, take five seconds once they are garbage.
            self._iterator = None
            # The message is the worker's traceback.
            message = str(error).rpartition(f"{type(error).__name__}: ")[2].strip()
            raise type(error)(message) from error.with_traceback(None)
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
        self._check_identity(state)
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

    def _check_identity(self, state: Mapping[str, Any]) -> None:
        """Raise a ValueError if a state is none, or is of another loader."""
        if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION:
            raise ValueError(f"expected a loader's state of version {STATE_VERSION}, got {excerpt(state)}")
        for name, here in self._identity().items():
            if state.get(name) != here:
                raise ValueError(
                    f"the state is of a loader with {name} {state.get(name)}, and this one has {name} {here}: "
                    "an epoch can only be gone on with by the same files, seed and order"
                )

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
            "grouped": True if sampler.groups is not None else None,  # None: as in states from before there was this
        }


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def excerpt(value: object) -> str:
    """What to show of a value in an error."""
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."
