"""Whole batches at once: workers plan each sample by itself, and a BatchDecoder carries out the plans of a batch."""

from collections.abc import Sequence
from typing import Any

from freqlearn.batch import BatchDecoder
from freqlearn.image import DCTImage
from freqlearn.pipelines.data import ImageDataset, SampleError, SeededDataset
from freqlearn.transforms import ReadDCT
from freqlearn.transforms.pipeline import Pipeline


class PlannedDataset(SeededDataset):
    """The files of an ImageDataset as pictures with everything planned and hardly anything decoded.

    All that is random is in the plan. So a sample depends on its key alone, however batches are decoded.
    """

    def __init__(self, images: ImageDataset) -> None:
        """Plan what the dataset's transform would do.

        Raises:
            TypeError: If its transform does not begin with ReadDCT and end with ToFrequencyTensor.
        """
        super().__init__(images.folder, seed=images.seed)
        self.images = images
        self.pipeline = Pipeline(images.transform)
        # Only with ReadDCT the path may stand for the bytes, and the picture knows where it comes from.
        if type(next(iter(self.pipeline.steps), None)) is not ReadDCT:
            raise TypeError("expected ReadDCT as the transform's first step")

    def sample(self, index: int) -> tuple[DCTImage, int]:
        """The planned picture and the label of the file at `index`."""
        return self.pipeline.plan(self.images.folder.path(index)), int(self.images.folder.labels[index])

    def name(self, index: int) -> str:
        """The file's path."""
        return self.images.name(index)

    def fingerprint(self) -> str:
        """The folder's."""
        return self.images.fingerprint()


class PlansToBatch:
    """A `collate_fn`: (picture, label) pairs of a PlannedDataset to [(N, C, h, w), (N,) int64]."""

    def __init__(self, dataset: PlannedDataset, *, num_threads: int | None = None) -> None:
        """Decode for a dataset, on `num_threads` threads a process; None as of BatchDecoder."""
        self.decoder = BatchDecoder(dataset.pipeline.last, num_threads=num_threads)

    def __call__(self, samples: Sequence[tuple[DCTImage, int]]) -> Any:
        """Decode a batch.

        Raises:
            SampleError: If a file cannot be decoded; the message names it.
        """
        try:
            return self.decoder(samples)
        except (ValueError, OSError) as error:
            raise SampleError("; ".join([str(error), *getattr(error, "__notes__", ())])) from error
