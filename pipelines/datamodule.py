"""Training and validation loaders for Lightning that resume in the middle of an epoch."""

from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from freqlearn.pipelines.data import EpochSampler, ImageDataset, Transform, make_loader
from freqlearn.pipelines.folders import ClassFolder


class ImageData(L.LightningDataModule):
    """Two class folders and their transforms."""

    def __init__(
        self,
        train: ClassFolder,
        val: ClassFolder | None,
        *,
        train_transform: Transform,
        eval_transform: Transform,
        batch_size: int,
        workers: int = 0,
        seed: int = 0,
        cache_val: bool = False,
    ) -> None:
        """Describe the data; files are read when a loader asks for them.

        Args:
            train: Training files.
            val: Validation files with the training labels, or None for no validation.
            train_transform: Encoded file -> (C, h, w) float32, random.
            eval_transform: Encoded file -> (C, h, w) float32, deterministic.
            batch_size: Images a step and process.
            workers: Loader processes for training; as many again for validation.
            seed: Root of all randomness.
            cache_val: Keep the validation tensors in memory after the first epoch.
        """
        super().__init__()
        self.train_set = ImageDataset(train, train_transform, seed=seed)
        self.val_set = ImageDataset(val, eval_transform, seed=seed, cache=cache_val) if val is not None else None
        self.batch_size = batch_size
        self.workers = workers

    @property
    def batches_per_epoch(self) -> int:
        """Training steps of one epoch, on one device."""
        return len(self._loader(self.train_set, shuffle=True))

    def train_dataloader(self) -> DataLoader[Any]:
        """Loader of the training files, positioned where the trainer's (possibly restored) progress says.

        Lightning keeps count of batches in a checkpoint but starts the loader from the beginning, and it sets the
        sampler's epoch only after the first iterator exists; so the position is set here, before that.
        """
        loader = self._loader(self.train_set, shuffle=True)
        if self.trainer is not None:
            batches = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
            epoch, in_epoch = divmod(batches, len(loader))
            sampler = loader.sampler
            if isinstance(sampler, EpochSampler):
                sampler.resume(epoch, in_epoch * self.batch_size)
        return loader

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Loader of the validation files in order; an empty list if there are none."""
        return self._loader(self.val_set, shuffle=False) if self.val_set is not None else []

    def _loader(self, dataset: ImageDataset, *, shuffle: bool) -> DataLoader[Any]:
        return make_loader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )
