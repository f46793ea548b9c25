"""Loading by NVIDIA DALI: it reads, shuffles, shards, decodes, crops and resizes; one torch operation does the rest."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from freqlearn.cores import available_cores
from freqlearn.indexing import integer
from freqlearn.pipelines.dali.graph import Device, gpu_number, load_dali
from freqlearn.pipelines.dali.pixels import PixelsToInput
from freqlearn.pipelines.dali.reader import Reader
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.image_loader import excerpt
from freqlearn.pipelines.options import Augment
from freqlearn.pipelines.sampling import rank_and_world
from freqlearn.spec import InputSpec

STATE_VERSION = 1


def make_dali_loader(
    data: str | Path | ClassFolder,
    spec: InputSpec,
    *,
    batch_size: int,
    shuffle: bool,
    device: Device = "cpu",
    seed: int = 0,
    augment: Augment | None = None,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
    hflip: float = 0.5,
    drop_last: bool | None = None,
    accumulate: int = 1,
    num_threads: int | None = None,
    prefetch: int = 2,
    rank: int | None = None,
    world: int | None = None,
) -> "DaliLoader":
    """Make a loader whose batches DALI prepares.

    It yields what `make_loader` yields for the same spec, but in DALI's order, with DALI's boxes, and decoded to RGB
    rounded to 0..255 in between: see docs/dali.md.

    Args:
        data: A folder of class folders, or a ClassFolder.
        spec: What the model expects; of kind "dct" or "rgb".
        batch_size: Images a batch and process.
        shuffle: Whether to permute all files anew in every epoch.
        device: "cpu"; "mixed" to decode by nvJPEG on torch's current GPU, where all else happens too; or that GPU's
            number.
        seed: Root of all randomness. The same in all processes.
        augment: "standard" (random resized crop and flip), "flip" (for files of the spec's size) or "none" (the
            evaluation geometry); by default "standard" with `shuffle`, else "none".
        scale: Smallest and largest share of the picture's area for the random crop.
        ratio: Smallest and largest width / height of it.
        hflip: Probability of mirroring.
        drop_last: Whether to leave out what does not fill a batch in every process at the end of an epoch. By default
            with `shuffle` only, and not if nothing would be left.
        accumulate: Batches an optimizer step, for `drop_last`: an epoch is a whole number of steps.
        num_threads: DALI's threads; by default a thread a core.
        prefetch: Batches that DALI prepares ahead.
        rank: Which share of the files to load; by default this process's in torch.distributed.
        world: Of how many shares.

    Returns:
        A loader that yields [(N, C, h, w) float32, (N,) int64], on the GPU unless `device` is "cpu". Without `shuffle`,
        all processes together load every file exactly once an epoch.

    Raises:
        ImportError: If DALI is not installed.
        ValueError: If arguments are out of range, or the folder holds no images.
        SampleError: When a file cannot be used, while iterating.
    """
    load_dali()
    folder = data if isinstance(data, ClassFolder) else read_class_folder(Path(data))
    here = rank_and_world()
    rank, world = here[0] if rank is None else rank, here[1] if world is None else world
    batch_size = integer(batch_size, "batch_size")
    if min(batch_size, accumulate, prefetch) < 1 or not 0 <= rank < world:
        raise ValueError(
            f"expected batch_size, accumulate and prefetch of at least 1 and rank below world, got {batch_size}, "
            f"{accumulate} and {prefetch}, rank {rank} and world {world}"
        )
    if len(folder) < world:
        raise ValueError(f"expected at least an image for each of {world} processes, got {len(folder)}")
    fewest = len(folder) // world  # that a process gets
    if drop_last and fewest < batch_size * accumulate:
        raise ValueError(
            f"drop_last leaves nothing: {fewest} samples a process are fewer than a step of {batch_size * accumulate}"
        )
    if drop_last is None:
        drop_last = shuffle and fewest >= batch_size * accumulate
    reader = Reader(
        folder,
        spec,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        rank=rank,
        world=world,
        gpu=gpu_number(device),
        num_threads=num_threads or available_cores(),
        prefetch=prefetch,
        graph={
            "augment": augment or ("standard" if shuffle else "none"),
            "scale": scale,
            "ratio": ratio,
            "hflip": hflip,
        },
    )
    return DaliLoader(reader, drop_last=drop_last, accumulate=accumulate)


class DaliLoader:
    """Epochs of a DALI pipeline, with `ImageLoader`'s ways. `make_dali_loader` makes it.

    An iteration goes through one epoch, and the next one through the next; one that was broken off begins the same
    epoch again, unless it is resumed. `len` is the number of batches of a whole epoch, in the process that gets most.
    """

    def __init__(self, reader: Reader, *, drop_last: bool, accumulate: int = 1) -> None:
        """Load what a reader reads; with `drop_last`, only steps of `accumulate` batches that are whole."""
        self.reader = reader
        self.spec = reader.spec
        self.batch_size = reader.batch_size
        self.drop_last = drop_last
        self._accumulate = accumulate
        self.epoch = 0
        self._wanted_epoch = 0
        self._to_input = PixelsToInput(reader.spec)
        if reader.gpu is not None:
            self._to_input.to(torch.device("cuda", reader.gpu))
        self._batches = 0  # that this epoch's iteration has yielded
        self._begin: str | None = None  # the reader's checkpoint at the epoch's beginning; None: at the very beginning
        self._resumed: str | None = None  # and where the next iteration is to go on
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        size, world = len(self.reader.folder), self.reader.world
        if self.drop_last:
            return size // world // (self.batch_size * self._accumulate) * self._accumulate
        return math.ceil(math.ceil(size / world) / self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration goes through: DALI can only go on with the one that comes next.

        Without `shuffle`, all epochs are the same, and any can be chosen. An impossible one is an error when the
        iteration begins.
        """
        self._wanted_epoch = integer(epoch, "an epoch")

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        # A generator: nothing begins before the first batch is asked for.
        reader = self.reader
        if self._wanted_epoch != self.epoch and reader.shuffle:
            raise ValueError(
                f"epoch {self._wanted_epoch} cannot be chosen: DALI goes through epochs one after the other, and epoch "
                f"{self.epoch} comes next; load_state_dict goes on with any epoch that a state was taken in"
            )
        self.epoch = self._wanted_epoch
        if self._resumed is not None:
            reader.start(self._resumed)
            self._resumed = None
        elif self._batches or not reader.started:
            reader.start(self._begin)
            self._batches = 0
        while (batch := reader.next()) is not None:
            rest = reader.share(self.epoch) - self.batch_size * self._batches
            self._batches += 1
            if self._batches <= len(self) if self.drop_last else rest > 0:
                pixels, labels = batch
                yield [self._to_input(pixels[:rest]), labels[:rest]]
        self._begin, self._batches = reader.checkpoint(), 0
        self.epoch = self._wanted_epoch = self.epoch + 1

    @property
    def bad_images(self) -> dict[str, str]:
        """None: what DALI cannot decode is an error."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: after the last batch that it has yielded.

        Returns:
            JSON types, for loaders with the same files, seed, batch size and number of processes. One process's state
            is right for all of them.
        """
        inside = self._batches > 0 and self._resumed is None and self.reader.started
        return {
            "version": STATE_VERSION,
            **self._identity(),
            "epoch": self.epoch,
            "batches": self._batches,
            "begin": self._begin,
            "checkpoint": self.reader.checkpoint() if inside else self._resumed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a state was taken; as `ImageLoader.load_state_dict`.

        Raises:
            ValueError: If it is another loader's, or no such state.
        """
        if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION or "checkpoint" not in state:
            raise ValueError(f"expected a DALI loader's state of version {STATE_VERSION}, got {excerpt(state)}")
        for name, here in self._identity().items():
            if state.get(name) != here:
                raise ValueError(
                    f"the state is of a loader with {name} {state.get(name)}, and this one has {name} {here}: DALI can "
                    "only go on with the same"
                )
        self.reader.stop()
        self.epoch = self._wanted_epoch = state["epoch"]
        self._batches, self._begin, self._resumed = state["batches"], state["begin"], state["checkpoint"]

    def _identity(self) -> dict[str, Any]:
        """What a state must have in common with the loader that goes on from it."""
        reader = self.reader
        if self._fingerprint is None:
            self._fingerprint = reader.folder.fingerprint()
        return {
            "loader": f"dali {load_dali().__version__}",
            "size": len(reader.folder),
            "files": self._fingerprint,
            "seed": reader.seed,
            "shuffle": reader.shuffle,
            "batch_size": reader.batch_size,
            "processes": reader.world,
        }
