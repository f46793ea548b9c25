"""The DALI pipeline that goes through the files of a class folder, epoch after epoch, and tells where it is."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from freqlearn.pipelines.dali.graph import DecodeOn, load_dali, pictures
from freqlearn.pipelines.data import SampleError, derived_seed
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.spec import InputSpec

_NAME = "reader"
_SEED_BITS = 31  # DALI's seeds are int
# Two streams of random numbers: of the operators, and of the reader's order.
_OPERATORS, _ORDER = 0, 1


@dataclass
class Reader:
    """Pixels and labels of all epochs, in batches.

    Attributes:
        folder: The labelled files.
        spec: For its sizes.
        batch_size: Pictures a batch.
        shuffle: Whether to permute all files anew in every epoch.
        seed: Root of all randomness.
        rank: Which shard of the files.
        world: Of how many.
        gpu: Number of the GPU that decodes; None for the CPU.
        num_threads: DALI's threads.
        prefetch: Batches that it prepares ahead.
        graph: Further options of `freqlearn.pipelines.dali.graph.pictures`.
    """

    folder: ClassFolder
    spec: InputSpec
    batch_size: int
    shuffle: bool
    seed: int
    rank: int
    world: int
    gpu: int | None
    num_threads: int
    prefetch: int
    graph: Mapping[str, Any]
    _iterator: Any = field(default=None, init=False)

    @property
    def started(self) -> bool:
        """Whether there is a pipeline."""
        return self._iterator is not None

    def share(self, epoch: int) -> int:
        """Files of this shard: of shuffled files, DALI hands the shards on from process to process."""
        shard = (self.rank + epoch) % self.world if self.shuffle else self.rank
        size = len(self.folder)
        return size * (shard + 1) // self.world - size * shard // self.world

    def start(self, checkpoint: str | None) -> None:
        """Build the pipeline, from what `checkpoint` gave, or from the very beginning."""
        from nvidia.dali.plugin.base_iterator import LastBatchPolicy
        from nvidia.dali.plugin.pytorch import DALIGenericIterator

        self.stop()  # its threads end before others begin
        pipeline = load_dali().Pipeline(
            batch_size=self.batch_size,
            num_threads=self.num_threads,
            device_id=self.gpu,
            # Equal in all processes, so that a checkpoint of one can be loaded by all; their files differ.
            seed=_dali_seed(self.seed, _OPERATORS),
            prefetch_queue_depth=self.prefetch,
            enable_checkpointing=True,
            checkpoint=None if checkpoint is None else base64.b64decode(checkpoint),
        )
        with pipeline:
            encoded, labels = self._files()
            decode_on: DecodeOn = "cpu" if self.gpu is None else "mixed"
            pipeline.set_outputs(pictures(encoded, self.spec, decode_on=decode_on, **self.graph), labels)
        self._iterator = DALIGenericIterator(
            pipeline,
            ["pixels", "labels"],
            reader_name=_NAME,
            auto_reset=True,
            # Neither PARTIAL, whose count would be another process's after loading its checkpoint, nor DROP, which
            # leaves a batch of repetitions for the next epoch where shards are uneven.
            last_batch_policy=LastBatchPolicy.FILL,
            prepare_first_batch=False,  # a checkpoint is then of what was yielded
        )

    def stop(self) -> None:
        """Let go of the pipeline."""
        self._iterator = None

    def next(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The next batch of the epoch, None after the last; then the next epoch begins.

        Returns:
            (N, H, W, 3) float32 pixels and (N,) int64 labels, always a whole batch: beyond `share`, the last file is
            repeated, in all shards up to the same number of batches.

        Raises:
            SampleError: If a file cannot be used.
        """
        try:
            batch = next(self._iterator)[0]
        except StopIteration:
            return None
        except RuntimeError as error:
            self.stop()  # a pipeline that has failed is of no more use
            raise SampleError(_in_one_line(str(error), self.folder)) from error
        return batch["pixels"], batch["labels"].reshape(-1).to(batch["pixels"].device, torch.int64)

    def checkpoint(self) -> str:
        """Where the pipeline is: after what `next` has given last."""
        return base64.b64encode(self._iterator.checkpoints()[0]).decode("ascii")

    def _files(self) -> Any:
        """Nodes of encoded files and labels."""
        order: dict[str, Any] = {"stick_to_shard": True}
        if self.shuffle:
            # After each epoch, and, with checkpoints, before the first.
            order = {"shuffle_after_epoch": True, "shuffle_after_epoch_seed": _dali_seed(self.seed, _ORDER)}
        return load_dali().fn.readers.file(
            name=_NAME,
            files=[str(path) for path in self.folder.paths()],  # in full, as errors name them
            labels=self.folder.labels.tolist(),
            shard_id=self.rank,
            num_shards=self.world,
            pad_last_batch=True,  # so that all shards have as many batches, and every epoch begins with a whole one
            **order,
        )


def _dali_seed(seed: int, purpose: int) -> int:
    return int(derived_seed(seed, purpose) % 2**_SEED_BITS)


def _in_one_line(message: str, folder: ClassFolder) -> str:
    """DALI's error, with the file's name in front."""
    said = message.partition("encountered:")[2] or message
    said = " ".join(said.partition("Current pipeline object")[0].partition("C++ context")[0].split())
    named = re.fullmatch(r"(Failed to decode sample #\d+|File mapping failed|.*[Cc]ould not open file) ?: ?(.+)", said)
    if named:
        return f"{named[2]}: DALI cannot {'decode' if 'decode' in named[1] else 'open'} it"
    if "nvImageCodec failure" in said and (path := _no_picture(folder)):  # DALI does not say which
        return f"{path}: no picture that DALI can decode"
    return f"DALI: {said}"


def _no_picture(folder: ClassFolder) -> str | None:
    """The first file that Pillow does not take for a picture either."""
    for path in folder.paths():
        try:
            with Image.open(path):
                pass
        except (OSError, ValueError, SyntaxError):
            return str(path)
    return None
