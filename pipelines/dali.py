"""Loading by NVIDIA DALI: it reads, shuffles, shards, decodes, crops and resizes; one torch operation does the rest."""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from freqlearn.cores import available_cores
from freqlearn.indexing import integer
from freqlearn.pipelines.dali_graph import DecodeOn, load_dali, pictures
from freqlearn.pipelines.dali_pixels import PixelsToInput
from freqlearn.pipelines.data import SampleError, derived_seed
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.options import Augment
from freqlearn.pipelines.sampling import rank_and_world
from freqlearn.spec import InputSpec

Device = Literal["cpu", "mixed"] | int
STATE_VERSION = 1
_READER = "reader"
_SEED_BITS = 31


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
        drop_last: Whether to leave out the last batch of an epoch if it is smaller. By default with `shuffle` only, and
            not if it is the only one.
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
    if batch_size < 1 or not 0 <= rank < world or prefetch < 1:
        raise ValueError(
            f"expected batch_size and prefetch of at least 1 and rank below world, got batch_size {batch_size}, "
            f"prefetch {prefetch}, rank {rank} and world {world}"
        )
    if len(folder) < world:
        raise ValueError(f"expected at least an image for each of {world} processes, got {len(folder)}")
    enough = len(folder) // world >= batch_size
    if drop_last and not enough:
        raise ValueError(
            f"drop_last leaves nothing: {len(folder) // world} samples a process are fewer than a batch of {batch_size}"
        )
    return DaliLoader(
        folder,
        spec,
        batch_size=batch_size,
        shuffle=shuffle,
        device=device,
        seed=seed,
        drop_last=shuffle and enough if drop_last is None else drop_last,
        graph={
            "augment": augment or ("standard" if shuffle else "none"),
            "scale": scale,
            "ratio": ratio,
            "hflip": hflip,
        },
        num_threads=num_threads or available_cores(),
        prefetch=prefetch,
        shard=(rank, world),
    )


class DaliLoader:
    """Epochs of a DALI pipeline, with `ImageLoader`'s ways. `make_dali_loader` makes it.

    An iteration goes through one epoch, and the next one through the next; one that was broken off begins the same
    epoch again, unless it is resumed. `len` is the number of batches of a whole epoch.
    """

    def __init__(
        self,
        folder: ClassFolder,
        spec: InputSpec,
        *,
        batch_size: int,
        shuffle: bool,
        device: Device,
        seed: int,
        drop_last: bool,
        graph: Mapping[str, Any],
        num_threads: int,
        prefetch: int,
        shard: tuple[int, int],
    ) -> None:
        """See `make_dali_loader`; `graph` is for `freqlearn.pipelines.dali_graph.pictures`."""
        self.folder = folder
        self.spec = spec
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0
        self._wanted_epoch = 0
        self._gpu = _gpu(device)
        self._graph = {**graph, "decode_on": "cpu" if self._gpu is None else "mixed"}
        self._num_threads = num_threads
        self._prefetch = prefetch
        self._shard = shard
        self._to_input = PixelsToInput(spec)
        self._iterator: Any = None
        self._batches = 0  # that this epoch's iteration has yielded
        self._begin: str | None = None  # DALI's checkpoint of where the epoch begins; None: where everything begins
        self._resumed: str | None = None  # the same of where the next iteration is to go on
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        rank_share, world = len(self.folder), self._shard[1]
        if self.drop_last:
            return rank_share // world // self.batch_size
        return -(-(-(-rank_share // world)) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration goes through: DALI can only go on with the one that comes next.

        Without `shuffle`, all epochs are the same, and any can be chosen. An impossible one is an error when the
        iteration begins.
        """
        self._wanted_epoch = integer(epoch, "an epoch")

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        # A generator: nothing begins before the first batch is asked for.
        if self._wanted_epoch != self.epoch and self.shuffle:
            raise ValueError(
                f"epoch {self._wanted_epoch} cannot be chosen: DALI goes through epochs one after the other, and epoch "
                f"{self.epoch} comes next; load_state_dict goes on with any epoch that a state was taken in"
            )
        self.epoch = self._wanted_epoch
        if self._iterator is None or self._batches or self._resumed is not None:
            self._start(self._begin if self._resumed is None else self._resumed)
            self._batches = 0 if self._resumed is None else self._batches
            self._resumed = None
        while (batch := self._next()) is not None:
            self._batches += 1
            if len(batch[1]):  # a smaller share than the others' may end a batch earlier
                yield batch
        self._begin = self._checkpoint()
        self._batches = 0
        self.epoch = self._wanted_epoch = self.epoch + 1

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: after the last batch that it has yielded.

        Returns:
            JSON types, for loaders with the same files, seed, batch size and number of processes; one process's state
            is right for all of them.
        """
        inside = self._batches and self._resumed is None and self._iterator is not None
        return {
            "version": STATE_VERSION,
            **self._identity(),
            "epoch": self.epoch,
            "batches": self._batches,
            "begin": self._begin,
            "checkpoint": self._checkpoint() if inside else self._resumed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a state was taken; as `ImageLoader.load_state_dict`.

        Raises:
            ValueError: If it is another loader's, or no such state.
        """
        if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION or "begin" not in state:
            raise ValueError(f"expected a DALI loader's state of version {STATE_VERSION}, got {str(state)[:100]}")
        for name, here in self._identity().items():
            if state.get(name) != here:
                raise ValueError(
                    f"the state is of a loader with {name} {state.get(name)}, and this one has {name} {here}: DALI can "
                    "only go on with the same"
                )
        self._iterator = None
        self.epoch = self._wanted_epoch = state["epoch"]
        self._batches, self._begin, self._resumed = state["batches"], state["begin"], state["checkpoint"]

    def _identity(self) -> dict[str, Any]:
        if self._fingerprint is None:
            self._fingerprint = self.folder.fingerprint()
        return {
            "loader": f"dali {load_dali().__version__}",
            "size": len(self.folder),
            "files": self._fingerprint,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "batch_size": self.batch_size,
            "processes": self._shard[1],
        }

    def _start(self, checkpoint: str | None) -> None:
        """Build the pipeline, from a checkpoint of DALI's or from the very beginning."""
        from nvidia.dali.plugin.pytorch import DALIGenericIterator, LastBatchPolicy

        self._iterator = None  # its threads end before others begin
        pipeline = load_dali().Pipeline(
            batch_size=self.batch_size,
            num_threads=self._num_threads,
            device_id=self._gpu,
            # Equal in all processes, so that a checkpoint of one can be loaded by all; their files differ.
            seed=_dali_seed(self.seed, 0),
            prefetch_queue_depth=self._prefetch,
            enable_checkpointing=True,
            checkpoint=None if checkpoint is None else base64.b64decode(checkpoint),
        )
        with pipeline:
            jpegs, labels = self._read()
            pipeline.set_outputs(pictures(jpegs, self.spec, **self._graph), labels)
        if self._gpu is not None:
            self._to_input.to(torch.device("cuda", self._gpu))
        self._iterator = DALIGenericIterator(
            pipeline,
            ["pixels", "labels"],
            reader_name=_READER,
            auto_reset=True,
            last_batch_policy=LastBatchPolicy.DROP if self.drop_last else LastBatchPolicy.PARTIAL,
            prepare_first_batch=False,  # a checkpoint is then of what was yielded
        )

    def _read(self) -> Any:
        rank, world = self._shard
        # Shuffling all files after each epoch (and, with checkpoints, before the first) moves them between the shards.
        order = (
            {"shuffle_after_epoch": True, "shuffle_after_epoch_seed": _dali_seed(self.seed, 1)}
            if self.shuffle
            else {"stick_to_shard": True}
        )
        return load_dali().fn.readers.file(
            name=_READER,
            file_root=str(self.folder.root),
            files=[os.fsdecode(name) for name in self.folder.files],
            labels=self.folder.labels.tolist(),
            shard_id=rank,
            num_shards=world,
            pad_last_batch=True,  # so that every epoch begins with a whole batch; what is padded is cut off again
            **order,
        )

    def _next(self) -> list[torch.Tensor] | None:
        try:
            batch = next(self._iterator)[0]
        except StopIteration:
            return None
        except RuntimeError as error:
            self._iterator = None  # a pipeline that has failed is of no more use
            raise SampleError(_failure(str(error), self.folder)) from error
        pixels = batch["pixels"]
        labels = batch["labels"].reshape(-1).to(pixels.device, torch.int64)
        return [self._to_input(pixels), labels]

    def _checkpoint(self) -> str:
        return base64.b64encode(self._iterator.checkpoints()[0]).decode("ascii")


def _gpu(device: Device) -> int | None:
    """The GPU's number, None for the CPU."""
    if device == "cpu":
        return None
    if device != "mixed" and (isinstance(device, bool) or not isinstance(device, int)):
        raise ValueError(f'expected device as "cpu", "mixed" or a GPU\'s number, got {device!r}')
    if not torch.cuda.is_available():
        raise ValueError(f'device {device!r} needs a CUDA GPU, and there is none; use device="cpu"')
    return torch.cuda.current_device() if device == "mixed" else int(device)


def _dali_seed(seed: int, purpose: int) -> int:
    return derived_seed(seed, purpose) % 2**_SEED_BITS


def _failure(message: str, folder: ClassFolder) -> str:
    """DALI's error in one line that names the file, which DALI does not for one that is no picture at all."""
    reason = message.partition("encountered:")[2].partition("Current pipeline object")[0].strip() or message.strip()
    reason = " ".join(reason.partition("C++ context")[0].split())
    named = re.fullmatch(r"(Failed to decode sample #\d+|File mapping failed|.*open file) ?: ?(?P<path>.+)", reason)
    if named:
        return f"{named['path']}: DALI cannot {'decode' if 'decode' in reason else 'read'} it"
    if "nvImageCodec failure" in reason:
        for path in folder.paths():
            try:
                with Image.open(path):
                    pass
            except (OSError, ValueError, SyntaxError):
                return f"{path}: DALI cannot decode it, and neither can Pillow"
    return f"DALI: {reason}"
