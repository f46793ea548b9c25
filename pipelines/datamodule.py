"""Training and validation loaders for Lightning that resume in the middle of an epoch."""

from typing import Any

import lightning as L

from freqlearn.pipelines.data import SeededDataset, Transform
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.options import OnBadImage
from freqlearn.pipelines.run_data import LabelledFiles


class SeededData(L.LightningDataModule):
    """Two datasets, whatever their samples are."""

    def __init__(
        self,
        train_set: SeededDataset,
        val_set: SeededDataset | None,
        *,
        batch_size: int,
        accumulate: int = 1,
        workers: int = 0,
        on_bad_image: OnBadImage = "error",
    ) -> None:
        """Describe the data; files are read when a loader asks for them.

        Args:
            train_set: Training samples.
            val_set: Validation samples, or None for no validation.
            batch_size: Images that a process computes at once.
            accumulate: Training batches an optimizer step; an epoch is a whole number of steps.
            workers: Loader processes for training; as many again for validation.
            on_bad_image: "error" stops at a file that cannot be used, "skip" lists it in `bad_images`.
        """
        super().__init__()
        self.train_set = train_set
        self.val_set = val_set
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.workers = workers
        self.on_bad_image = on_bad_image
        self._loaders: list[ImageLoader] = []

    @property
    def batches_per_epoch(self) -> int:
        """Training batches of one epoch in one process."""
        return len(self._loader(self.train_set, shuffle=True))

    @property
    def bad_images(self) -> dict[str, str]:
        """Files that this process has left out so far, and why."""
        return {name: why for loader in self._loaders for name, why in loader.bad_images.items()}

    def train_dataloader(self) -> ImageLoader:
        """Loader of the training files; Lightning keeps its state in checkpoints, and restores it."""
        return self._kept(self._loader(self.train_set, shuffle=True))

    def val_dataloader(self) -> ImageLoader | list[Any]:
        """Loader of the validation files in order; an empty list if there are none."""
        return self._kept(self._loader(self.val_set, shuffle=False)) if self.val_set is not None else []

    def _kept(self, loader: ImageLoader) -> ImageLoader:
        self._loaders.append(loader)
        return loader

    def _loader(self, dataset: SeededDataset, *, shuffle: bool) -> ImageLoader:
        return make_loader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.workers,
            accumulate=self.accumulate if shuffle else 1,
            on_error="raise" if self.on_bad_image == "error" else "skip",
        )


class ImageData(SeededData):
    """Two class folders, or two sets of shards, and their transforms."""

    def __init__(
        self,
        train: LabelledFiles,
        val: LabelledFiles | None,
        *,
        train_transform: Transform,
        eval_transform: Transform,
        batch_size: int,
        accumulate: int = 1,
        workers: int = 0,
        seed: int = 0,
        cache_val: bool = False,
        on_bad_image: OnBadImage = "error",
    ) -> None:
        """Describe the data; files are read when a loader asks for them.

        Args:
            train: Training files.
            val: Validation files with the training labels, or None for no validation.
            train_transform: Encoded file -> (C, h, w) float32, random.
            eval_transform: Encoded file -> (C, h, w) float32, deterministic.
            batch_size: Images that a process computes at once.
            accumulate: Training batches an optimizer step; an epoch is a whole number of steps.
            workers: Loader processes for training; as many again for validation.
            seed: Root of all randomness.
            cache_val: Keep the validation tensors in memory after the first epoch.
            on_bad_image: "error" stops at a file that cannot be used, "skip" lists it in `bad_images`.
        """
        super().__init__(
            labelled_dataset(train, train_transform, seed=seed),
            labelled_dataset(val, eval_transform, seed=seed, cache=cache_val) if val is not None else None,
            batch_size=batch_size,
            accumulate=accumulate,
            workers=workers,
            on_bad_image=on_bad_image,
        )
