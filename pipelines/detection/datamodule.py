"""Training and validation loaders of COCO datasets for Lightning."""

from freqlearn.detection_presets import DetectionTransform
from freqlearn.pipelines.datamodule import SeededData
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.options import OnBadImage


class DetectionData(SeededData):
    """Two COCO folders and their transforms; batches are `DetectionBatch`es."""

    def __init__(
        self,
        train: CocoFolder,
        val: CocoFolder | None,
        *,
        train_transform: DetectionTransform,
        eval_transform: DetectionTransform,
        masks: bool,
        batch_size: int,
        accumulate: int = 1,
        workers: int = 0,
        seed: int = 0,
        on_bad_image: OnBadImage = "error",
    ) -> None:
        """Describe the data; files are read when a loader asks for them.

        Args:
            train: Training images.
            val: Validation images with the training labels, or None for no validation.
            train_transform: Encoded file and target -> (C, h, w) float32 and target, random.
            eval_transform: Encoded file and target -> (C, h, w) float32 and target, deterministic.
            masks: Whether training targets have masks. Those of validation have none: average precision is measured
                against the JSON file.
            batch_size: Images that a process computes at once.
            accumulate: Training batches an optimizer step; an epoch is a whole number of steps.
            workers: Loader processes for training; as many again for validation.
            seed: Root of all randomness.
            on_bad_image: "error" stops at a file that cannot be used, "skip" lists it in `bad_images`.

        Raises:
            ImportError: If there are to be masks, and pycocotools is not installed; the message says how to.
            ValueError: If there are to be masks, and an annotation has none.
        """
        super().__init__(
            CocoDataset(train, train_transform, masks=masks, seed=seed),
            CocoDataset(val, eval_transform, seed=seed) if val is not None else None,
            batch_size=batch_size,
            accumulate=accumulate,
            workers=workers,
            on_bad_image=on_bad_image,
        )
