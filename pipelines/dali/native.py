"""Our native decoder behind DALI: its worker processes load our batches, its pipeline prefetches them."""

import copy
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from freqlearn.pipelines.cores import usual_workers
from freqlearn.pipelines.dali.graph import Device, gpu_number, load_dali
from freqlearn.pipelines.data import SampleError, Transform
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.image_loader import ImageLoader
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.sampling import rank_and_world
from freqlearn.pipelines.worker_signals import leave_stopping_to_main
from freqlearn.spec import InputSpec

_SAMPLE_ERROR = f"{SampleError.__name__}: "


def make_dali_native_loader(
    data: str | Path | ClassFolder | Dataset[Any],
    transform: Transform | InputSpec | None = None,
    *,
    batch_size: int,
    shuffle: bool,
    num_workers: int | None = None,
    prefetch_factor: int = 2,
    device: Device = "cpu",
    **options: Any,
) -> "DaliNativeLoader":
    """Make a loader that yields exactly what `make_loader` yields, by way of DALI's worker processes.

    Args:
        data: As in `make_loader`.
        transform: Likewise.
        batch_size: Images a batch (and process).
        shuffle: Whether to permute the samples anew in every epoch.
        num_workers: DALI's worker processes, at least 1; by default half the cores, at most 4.
        prefetch_factor: Batches that each worker prepares ahead.
        device: "cpu"; or a GPU's number, or "mixed" for torch's current one: DALI copies the finished batches there.
        **options: Further options of `make_loader`: seed, drop_last, num_threads (by default 1) and accumulate.

    Returns:
        A loader that yields [(N, C, h, w) float32, (N,) int64] on the device, whose state is `ImageLoader`'s: one can
        go on with what the other has begun.

    Raises:
        ImportError: If DALI is not installed.
        ValueError: As `make_loader`; or if there would be no workers, or bad files were to be skipped.
        SampleError: When a file cannot be used, while iterating; the message names it.
    """
    load_dali()
    workers = usual_workers() if num_workers is None else num_workers
    if workers < 1 or prefetch_factor < 1:
        raise ValueError(
            f"expected at least 1 of num_workers, which DALI prefetches with, and of prefetch_factor, got {workers} "
            f"and {prefetch_factor}"
        )
    if options.get("on_error", "raise") != "raise":
        raise ValueError("DALI hands on tensors only, not which files were skipped: leave out on_error")
    options = {"num_threads": 1, "pin_memory": False} | options
    own = make_loader(data, transform, batch_size=batch_size, shuffle=shuffle, num_workers=0, **options)
    return DaliNativeLoader(own, num_workers=workers, prefetch_factor=prefetch_factor, device=device)


class DaliNativeLoader(ImageLoader):
    """An ImageLoader whose workers are DALI's. `make_dali_native_loader` makes it."""

    def __init__(self, own: ImageLoader, *, num_workers: int, prefetch_factor: int, device: Device) -> None:
        """Load what `own`, a loader without workers, would load."""
        super().__init__(
            own.dataset,
            batch_size=own.batch_size,
            sampler=own.sampler,
            drop_last=own.drop_last,
            collate_fn=own.collate_fn,
            num_workers=0,
        )
        self._dali_workers = num_workers
        self._ahead = prefetch_factor * num_workers
        self._gpu = gpu_number(device)
        self._running: Any = None
        self._comes_next: int | None = None  # the whole epoch that the running pipeline yields next

    # DataLoader's own way to make an iterator: all that ImageLoader does around it stays as it is.
    def _get_iterator(self) -> Iterator[list[torch.Tensor]]:  # type: ignore[override]
        sampler = self._sampler
        epoch, start = sampler.epoch, sampler.start
        if self._running is None or start or self._comes_next != epoch:
            self._running = None  # its workers end before others begin
            self._running = self._pipeline(_Batches(self, epoch, start))
        sampler.start = 0  # an iteration takes what remains
        self._comes_next = None  # until this epoch has been gone through
        return self._batches(epoch)

    def _batches(self, epoch: int) -> Iterator[list[torch.Tensor]]:
        while True:
            try:
                batch = next(self._running)[0]
            except StopIteration:
                self._comes_next = epoch + 1
                return
            except Exception as error:
                self._running = None
                text = str(error.__cause__)  # of the worker's error, which DALI wraps in others
                if text.startswith(_SAMPLE_ERROR):
                    raise SampleError(text.removeprefix(_SAMPLE_ERROR)) from error
                raise
            # DALI's memory is shared with the workers, and used again.
            yield [batch["images"].clone(), batch["labels"].clone()]

    def _pipeline(self, source: "_Batches") -> Any:
        from nvidia.dali.plugin.pytorch import DALIGenericIterator

        dali = load_dali()
        pipeline = dali.Pipeline(
            batch_size=self._images_a_batch,
            num_threads=1,
            device_id=self._gpu,
            prefetch_queue_depth=2,
            py_num_workers=self._dali_workers,
            # A process that has used CUDA must not be forked, and asking whether there is any may be a use.
            py_start_method="spawn" if torch.cuda.is_available() else "fork",
        )
        with pipeline:
            outputs = dali.fn.external_source(
                source=source,
                num_outputs=2,
                batch=True,
                batch_info=True,
                parallel=True,
                prefetch_queue_depth=self._ahead,
                dtype=[dali.types.FLOAT, dali.types.INT64],
            )
            pipeline.set_outputs(*(node if self._gpu is None else node.gpu() for node in outputs))
        with _no_garbage_in_children():
            return DALIGenericIterator(pipeline, ["images", "labels"], auto_reset=True, prepare_first_batch=False)


@contextmanager
def _no_garbage_in_children() -> Iterator[None]:
    """Keep processes that are forked in this block from collecting what they inherit.

    Another pipeline of DALI that is garbage here, or becomes so there, would be shut down there: it waits for its
    threads, which a forked process does not have, forever.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Batches:
    """What DALI's workers call: the number of a batch -> its images and labels."""

    def __init__(self, loader: ImageLoader, epoch: int, start: int) -> None:
        """Begin with what remains of `epoch` after its first `start` samples; whole epochs follow."""
        self._sampler = copy.copy(loader._sampler)
        self._sampler.place = rank_and_world()
        self._dataset, self._collate = loader.dataset, loader.collate_fn
        self._batch_size, self._drop_last = loader._images_a_batch, loader.drop_last
        self._first, self._start = epoch, start
        self._epoch: int | None = None  # that the order is of
        self._order: np.ndarray = np.empty(0, np.int64)
        self._prepared = False

    def __call__(self, batch: Any) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a BatchInfo.

        Raises:
            StopIteration: After the last batch of its epoch.
            RuntimeError: If a file cannot be used; DALI hands on no other kind of error.
        """
        if not self._prepared:  # once a process; torch's threads would wait for each other
            torch.set_num_threads(1)
            leave_stopping_to_main(0)
            self._prepared = True
        epoch = self._first + batch.epoch_idx
        if epoch != self._epoch:
            self._sampler.resume(epoch, 0 if batch.epoch_idx else self._start)
            self._order = np.fromiter((index for _, index in self._sampler), np.int64)
            self._epoch = epoch
        begin = batch.iteration * self._batch_size
        chosen = self._order[begin : begin + self._batch_size].tolist()
        if len(chosen) < (self._batch_size if self._drop_last else 1):
            raise StopIteration
        try:
            images, labels = self._collate([self._dataset[epoch, index] for index in chosen])
        except SampleError as error:
            raise RuntimeError(f"{_SAMPLE_ERROR}{error}") from error
        return images.numpy(), labels.numpy()
