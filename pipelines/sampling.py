"""The order of an epoch: which samples this process gets, from which point on."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch.utils.data.distributed import DistributedSampler

from freqlearn.indexing import integer
from freqlearn.pipelines.data import Key, derived_seed

Value = TypeVar("Value")
Shares = Literal["repeat", "drop", "uneven"]
"""What becomes of the samples that are left when an epoch is divided evenly among processes; see EpochSampler."""

SAMPLES_SIDE_BY_SIDE = 16
"""So many samples of one group follow each other: batches whose sizes divide it, of all processes, are of one group."""


# A DistributedSampler, so that Lightning and others that would put one in its place leave it alone: theirs yields plain
# indices, and every epoch would get the crops of the first.
class EpochSampler(DistributedSampler[Key]):
    """Yields (epoch, index): in order, or shuffled by a permutation that derives from (seed, epoch).

    With torch.distributed running, every process gets its own stride of the same permutation.
    """

    place: tuple[int, int] | None = None
    """Rank and world, for a helper process, which torch.distributed does not know; None: ask it."""

    def __init__(
        self,
        size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        shares: Shares = "repeat",
        multiple: int = 1,
        groups: Sequence[int] | None = None,
    ) -> None:
        """Sample from `size` files.

        Args:
            size: Number of files.
            shuffle: Whether to permute them anew in every epoch.
            seed: Root of all randomness.
            shares: Where an epoch does not divide evenly among the processes: "repeat" loads the first samples of the
                order once more, as torch's DistributedSampler does; "drop" leaves the last ones out; "uneven" gives
                some processes one more, so that every sample is loaded exactly once.
            multiple: Every process's share is a multiple of so many samples, with "drop".
            groups: Of every sample. With `shuffle`, those of one group then come SAMPLES_SIDE_BY_SIDE at a time, but
                for what remains of each group. The order still derives from (seed, epoch) alone, and not from the
                batch size.
        """
        # One process: rank and world are asked for when they are needed, for there may be no process group yet.
        super().__init__(range(size), num_replicas=1, rank=0, shuffle=shuffle, seed=seed)  # type: ignore[arg-type]
        self.size = size
        self.shares = shares
        self.multiple = multiple
        self.groups = None if groups is None or not shuffle else torch.tensor(groups)
        self.start = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields; Lightning calls this.

        Raises:
            TypeError: If it is no integer.
        """
        epoch = integer(epoch, "an epoch")
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def resume(self, epoch: int, start: int) -> None:
        """Let the next iteration yield what remains of `epoch` after its first `start` samples (of all processes)."""
        self.epoch, self.start = epoch, start

    def after(self, start: int, count: int) -> int:
        """How many samples all processes have had, beginning at `start`, once each of them has had `count` more."""
        return min(start + count * rank_and_world()[1], self.size)

    def __len__(self) -> int:
        """Samples of a whole epoch in the process that gets most, wherever the next one starts.

        Lightning counts batches with it, and waits for ever where processes count differently.
        """
        return self._share(0, 0, rank_and_world()[1])

    def __iter__(self) -> Iterator[Key]:
        rank, world = self.place or rank_and_world()
        epoch, start = self.epoch, self.start
        self.start = 0
        if self.shuffle:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, epoch))
            order = torch.randperm(self.size, generator=generator, device="cpu")
            if self.groups is not None:
                order = _side_by_side(order, self.groups, generator)
        else:
            order = torch.arange(self.size, device="cpu")
        places = start + rank + world * torch.arange(self._share(start, rank, world), device="cpu")
        for index in order[places % self.size].tolist():
            yield epoch, index

    def _share(self, start: int, rank: int, world: int) -> int:
        """How many samples a process gets of what remains of an epoch."""
        remaining = self.size - start
        if self.shares == "drop":
            return remaining // (world * self.multiple) * self.multiple
        if self.shares == "uneven":
            return max(0, -(-(remaining - rank) // world))
        return -(-remaining // world)


def _side_by_side(order: torch.Tensor, groups: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random order with samples of one group next to each other.

    What does not fill the last row stays at the end as it was drawn: it may be left out, and must not be of one group.
    """
    whole = len(order) - len(order) % SAMPLES_SIDE_BY_SIDE
    by_group = order[:whole][groups[order[:whole]].argsort(stable=True)]
    rows = by_group.reshape(-1, SAMPLES_SIDE_BY_SIDE)
    rows = rows[torch.randperm(len(rows), generator=generator, device="cpu")]
    return torch.cat([rows.reshape(-1), order[whole:]])


def rank_and_world() -> tuple[int, int]:
    """This process's number among all that train together, and how many there are."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def from_all_processes(value: Value) -> list[Value]:
    """This value of every process, in their order; a collective call. It must pickle."""
    _, world = rank_and_world()
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    torch.distributed.all_gather_object(values, value)
    return values
