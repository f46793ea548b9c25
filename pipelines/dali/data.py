"""Training and validation loaders by DALI, for `--loader dali` and `--loader dali-native`."""

from typing import Any

import torch

from freqlearn.pipelines.dali.graph import Device
from freqlearn.pipelines.dali.loader import DaliLoader, make_dali_loader
from freqlearn.pipelines.dali.native import DaliNativeLoader, make_dali_native_loader
from freqlearn.pipelines.data import ImageDataset
from freqlearn.pipelines.datamodule import ImageData
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.options import Augment, Loader
from freqlearn.spec import InputSpec


class DaliData(ImageData):
    """Two class folders, loaded by DALI on the device that the network is on."""

    def __init__(
        self,
        train: ClassFolder,
        val: ClassFolder | None,
        *,
        loader: Loader,
        spec: InputSpec,
        augment: Augment,
        **options: Any,
    ) -> None:
        """Describe the data.

        Args:
            train: Training files.
            val: Validation files with the training labels, or None for no validation.
            loader: "dali" or "dali-native".
            spec: What the network is given.
            augment: Of training.
            **options: Those of ImageData; nothing is cached, and "dali" takes no transforms.

        Raises:
            ValueError: If there are no class folders.
        """
        for folder in (train, val):
            if not isinstance(folder, ClassFolder | None):
                raise ValueError(f"loader {loader} reads folders of files, and no shards: use loader native")
        super().__init__(train, val, **options | {"cache_val": False})
        self.loader, self.spec, self.augment = loader, spec, augment

    def _loader(self, dataset: ImageDataset, *, shuffle: bool) -> DaliLoader | DaliNativeLoader:  # type: ignore[override]
        common: dict[str, Any] = {
            "batch_size": self.batch_size,
            "shuffle": shuffle,
            "device": self._device(),
            "accumulate": self.accumulate if shuffle else 1,
        }
        if self.loader == "dali-native":
            return make_dali_native_loader(dataset, num_workers=max(1, self.workers), **common)
        return make_dali_loader(
            dataset.folder,
            self.spec,
            augment=self.augment if shuffle else "none",
            seed=dataset.seed,
            num_threads=max(1, self.workers),
            **common,
        )

    def _device(self) -> Device:
        if self.trainer is None:
            return "cpu"
        root: torch.device = self.trainer.strategy.root_device
        return root.index or 0 if root.type == "cuda" else "cpu"
