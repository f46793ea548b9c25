"""Whole batches: many files to one tensor, on threads of the decoder's own."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch.utils.data import get_worker_info

from freqlearn import _native
from freqlearn.batch_run import OnError, Run, path_of
from freqlearn.collating import Key, Samples
from freqlearn.cores import available_cores
from freqlearn.errors import ImageDecodeError
from freqlearn.indexing import integer
from freqlearn.native_operator import DTYPES, check_layout
from freqlearn.transforms.pipeline import Pipeline

MAX_THREADS = 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A picture of a batch that could not be read.

    Attributes:
        index: Its place in the batch, from 0.
        path: The file, where known.
        error: Why.
        replaced_by: Index of the sample whose copy stands in its place; None if it was left out.
    """

    index: int
    path: str | None
    error: Exception
    replaced_by: int | None


class BatchDecoder:
    """Files to one (N, C, H/8, W/8) tensor, several at once.

    The steps before ToFrequencyTensor run in the calling thread, one image after another, and draw from torch's
    generator: any number of threads gives, image by image, what `transform` gives for the items in order. Decoding is
    native, runs without the GIL, and writes into the batch's memory.

    Called with a list of images (whatever `transform` takes: bytes, paths, DCTImages, ...) it returns the tensor.
    Called with a list of samples, which is what a DataLoader gives its `collate_fn`, it returns what
    `torch.utils.data.default_collate` does, with the tensor in the images' place: `[images, labels]` for pairs. Of a
    sample, the image is transformed, and torchvision's boxes, masks and key points are taken through its plan, as
    ToFrequencyTensor does it.

    May be used from several Python threads, before and after a fork, and pickled for workers that are spawned.

    Args:
        transform: A pipeline that ends with ToFrequencyTensor, such as `freqlearn.presets.classification_train(spec)`.
        num_threads: How many threads decode, the calling one included. By default one for each core that the process
            may use (divided by LOCAL_WORLD_SIZE, which torchrun sets), and one in a DataLoader's worker process, since
            the workers share the cores already.
        on_error: "raise"; "replace" to put in the place of a sample whose image cannot be read (an `ImageError` or
            `OSError`) the next one of the batch that can: image, label and all; or "drop" to leave such samples out of
            the batch, which is then smaller. Each is in `failures`, and what is replaced is logged as a warning. A
            batch of nothing else is an error.
        dtype: Of the tensor; None for ToFrequencyTensor's.
        memory_format: torch.contiguous_format or torch.channels_last; None for ToFrequencyTensor's.
        pin_memory: Whether the tensor is made in page-locked memory. In worker processes this is for the DataLoader's
            own `pin_memory`.
        image_key: Where the image is in a sample: index of a tuple or list, key of a dict.

    Raises:
        TypeError: If `transform` does not end with ToFrequencyTensor, or an option is of another type.
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        transform: Callable[..., Any],
        *,
        num_threads: int | None = None,
        on_error: OnError = "raise",
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
        pin_memory: bool = False,
        image_key: Key = 0,
    ) -> None:
        if num_threads is not None and not 1 <= integer(num_threads, "num_threads") <= MAX_THREADS:
            raise ValueError(
                f"expected num_threads from 1, the calling thread alone, to {MAX_THREADS}, got {num_threads}"
            )
        if on_error not in get_args(OnError):
            raise ValueError(f"expected on_error to be one of {get_args(OnError)}, got {on_error!r}")
        check_layout(
            torch.float32 if dtype is None else dtype,
            torch.contiguous_format if memory_format is None else memory_format,
        )
        self.transform = transform
        self.num_threads = num_threads
        self.on_error: OnError = on_error
        self.dtype = dtype
        self.memory_format = memory_format
        self.pin_memory = pin_memory
        self.image_key = image_key
        self._start()

    def _start(self) -> None:
        self._pipeline = Pipeline(self.transform)
        # By number of threads: by default, a worker process has another one than its parent.
        self._pools: dict[int, _native.Pool] = {}
        self._last = threading.local()

    def __call__(self, items: Sequence[Any]) -> Any:
        """Decode a batch.

        Args:
            items: At least one image, or sample with an image; all come out of the transform with the same size.

        Returns:
            (N, C, H/8, W/8) tensor, or the collated samples with it; fewer than N with `on_error="drop"`.

        Raises:
            ImageError, OSError: As reading the image alone raises it, with its path and index; not before all other
                images of the batch are done.
            TypeError: If `items` is no list of images or samples, or the transform's steps do not give a DCTImage.
            ValueError: If there are no items, or they come out in different sizes.
        """
        self._last.failures = ()
        samples = Samples(items, self.image_key)
        run = Run(self._pipeline, samples.sources, on_error=self.on_error, on_plan=samples.carry_out)
        images = run.decode(self._pool(), lambda blocks: self._empty(len(items), blocks))
        if images is None or len(run.errors) == len(items):  # only where they are to be left out
            self._last.failures = _failures(run, {})
            first = run.errors[0]
            raise ImageDecodeError(
                f"expected an image that can be read, got {len(items)} that cannot: {first}"
            ) from first
        origins = self._kept(run, images) if self.on_error == "drop" else self._replaced(run, images)
        images = images[: len(origins)]
        return samples.collated(images.to(self.dtype or self._pipeline.last.dtype), origins)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What was replaced or left out in the last batch that the calling thread decoded, in order."""
        failures: tuple[Failure, ...] = getattr(self._last, "failures", ())
        return failures

    def _pool(self) -> _native.Pool:
        helpers = (self.num_threads or default_num_threads()) - 1
        pool = self._pools.get(helpers)
        # Without a lock, which a fork could leave locked.
        return pool or self._pools.setdefault(helpers, _native.Pool(helpers))

    def _empty(self, count: int, blocks: tuple[int, int]) -> torch.Tensor:
        """Memory for a batch of pictures of (H/8, W/8) blocks, where the DataLoader needs no copy of it."""
        last = self._pipeline.last
        memory_format = self.memory_format or last.memory_format
        wanted = self.dtype or last.dtype
        dtype = wanted if wanted in DTYPES else torch.float32
        shape = (count, len(last.channels), *blocks)
        if get_worker_info() is None:
            if self.pin_memory and not torch.cuda.is_available():
                raise RuntimeError("expected a CUDA device for pin_memory=True, got none: leave pin_memory out")
            return torch.empty(
                shape, dtype=dtype, memory_format=memory_format, pin_memory=self.pin_memory, device="cpu"
            )
        if self.pin_memory:
            raise RuntimeError(
                "pin_memory=True is for the main process, which holds the CUDA device, and this is a DataLoader's "
                "worker: use DataLoader(..., pin_memory=True)"
            )
        # Memory that the main process can map, as torch's default_collate does it.
        like = torch.empty(shape, dtype=dtype, memory_format=memory_format, device="meta")
        storage = torch.UntypedStorage._new_shared(like.nbytes)  # type: ignore[no-untyped-call]
        return torch.empty(0, dtype=dtype, device="cpu").set_(storage, 0, shape, like.stride())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_pipeline", "_pools", "_last")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        options = ("num_threads", "on_error", "dtype", "memory_format", "pin_memory", "image_key")
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in options)
        return f"BatchDecoder({self.transform}, {shown})"

    def _replaced(self, run: Run, images: torch.Tensor) -> list[int]:
        """Copy good images to where there are none; return which item stands at each place."""
        count = len(images)
        origins = list(range(count))
        for index, error in sorted(run.errors.items()):
            origin = next(i % count for i in range(index + 1, index + count) if i % count not in run.errors)
            images[index].copy_(images[origin])
            origins[index] = origin
            logger.warning("image %d of %d, counted from 0, replaced by image %d: %s", index, count, origin, error)
        self._last.failures = _failures(run, {index: origins[index] for index in run.errors})
        return origins

    def _kept(self, run: Run, images: torch.Tensor) -> list[int]:
        """Move good images to the front; return which item stands at each place there."""
        kept = [index for index in range(len(images)) if index not in run.errors]
        for place, index in enumerate(kept):
            if place != index:
                images[place].copy_(images[index])
        self._last.failures = _failures(run, {})
        return kept


def _failures(run: Run, replaced_by: Mapping[int, int]) -> tuple[Failure, ...]:
    return tuple(
        Failure(index, path_of(run.sources[index]), error, replaced_by.get(index))
        for index, error in sorted(run.errors.items())
    )


def default_num_threads() -> int:
    """How many threads decode where nobody says: see BatchDecoder."""
    if get_worker_info() is not None:
        return 1
    return available_cores()
