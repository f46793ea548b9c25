"""Training and validation loaders for Lightning that resume in the middle of an epoch."""

from typing import Any

import lightning as L

from freqlearn.pipelines.data import ImageDataset, Transform
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.loaders import ImageLoader, make_loader


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

    def train_dataloader(self) -> ImageLoader:
        """Loader of the training files; Lightning keeps its state in checkpoints, and restores it."""
        return self._loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> ImageLoader | list[Any]:
        """Loader of the validation files in order; an empty list if there are none."""
        return self._loader(self.val_set, shuffle=False) if self.val_set is not None else []

    def _loader(self, dataset: ImageDataset, *, shuffle: bool) -> ImageLoader:
        return make_loader(dataset, batch_size=self.batch_size, shuffle=shuffle, num_workers=self.workers)
