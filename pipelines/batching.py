"""Whole batches at once: workers plan each sample by itself, and a BatchDecoder carries out the plans of a batch."""

from collections.abc import Sequence
from typing import Any

from freqlearn.batch import BatchDecoder, Failure
from freqlearn.batch_run import OnError
from freqlearn.image import DCTImage
from freqlearn.pipelines.data import EncodedDataset, SampleError, SeededDataset, sample_error
from freqlearn.transforms import ReadDCT
from freqlearn.transforms.pipeline import Pipeline


class PlannedDataset(SeededDataset):
    """The files of an EncodedDataset as pictures with everything planned and hardly anything decoded.

    All that is random is in the plan. So a sample depends on its key alone, however batches are decoded.
    """

    def __init__(self, images: EncodedDataset) -> None:
        """Plan what the dataset's transform would do.

        Raises:
            TypeError: If its transform does not begin with ReadDCT and end with ToFrequencyTensor.
        """
        super().__init__(images.dataset, seed=images.seed)
        self.images = images
        self.pipeline = Pipeline(images.transform)
        # Only with ReadDCT the path may stand for the bytes, and the picture knows where it comes from.
        if type(next(iter(self.pipeline.steps), None)) is not ReadDCT:
            raise TypeError("expected ReadDCT as the transform's first step")

    def sample(self, index: int) -> tuple[DCTImage, Any]:
        """The planned picture and the label of the file at `index`."""
        source, label = self.images.encoded(index)
        return self.pipeline.plan(source), label

    def name(self, index: int) -> str:
        """What the wrapped dataset calls it: its path, where it has one."""
        return self.images.name(index)

    def fingerprint(self) -> str | None:
        """The wrapped dataset's."""
        return self.images.fingerprint()


class PlansToBatch:
    """A `collate_fn`: (picture, label) pairs of a PlannedDataset to [(N, C, h, w), (N,) int64]."""

    def __init__(self, dataset: PlannedDataset, *, num_threads: int | None = None, on_error: OnError = "raise") -> None:
        """Decode for a dataset, with these options of a BatchDecoder."""
        self.decoder = BatchDecoder(dataset.pipeline.last, num_threads=num_threads, on_error=on_error)

    def __call__(self, samples: Sequence[tuple[DCTImage, Any]]) -> Any:
        """Decode a batch.

        Raises:
            SampleError: If a file cannot be decoded; the message names it.
        """
        try:
            return self.decoder(samples)
        except (ValueError, OSError) as error:
            raise sample_error("; ".join([str(error), *getattr(error, "__notes__", ())]), error) from error

    def what_can_be_read(self, samples: Sequence[tuple[DCTImage, Any]]) -> tuple[Any, tuple[Failure, ...]]:
        """Decode a batch, with `on_error="drop"`.

        Returns:
            The batch, or None if nothing is left of it; and what was left out.

        Raises:
            SampleError: If something other than files is wrong.
        """
        try:
            return self(samples), self.decoder.failures
        except SampleError:
            if len(self.decoder.failures) < len(samples):
                raise
            return None, self.decoder.failures
