"""Mean and standard deviation of frequency channels at a detector's geometry."""

from pathlib import Path

import torch
from torchvision import tv_tensors

from freqlearn import presets
from freqlearn.detection_presets import DetectionTransform
from freqlearn.pipelines.data import Transform
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import stored_size
from freqlearn.pipelines.options import OnBadImage
from freqlearn.pipelines.standardising import standardised
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics, Constant

_BLOCK_PX = 4  # of the picture; its side in the picture twice as large is 8


def measured_detection_spec(
    spec: InputSpec,
    train: CocoFolder,
    *,
    images: int,
    min_size: int,
    max_size: int,
    seed: int = 0,
    constant: Constant = "refuse",
    on_bad_image: OnBadImage = "error",
    output: Path | None = None,
) -> tuple[InputSpec, ChannelStatistics]:
    """Measure mean and std on training files, of pictures as evaluation resizes them, at twice that size.

    Only whole blocks count: what the last, partial ones are filled up with depends on what is being measured.

    Args:
        spec: Channels and sizes; of kind "dct".
        train: The training images.
        images: Measure on at most so many of them, chosen at random.
        min_size: Short side of the resized picture, in px.
        max_size: Limit of its long side, in px.
        seed: Seed of that choice.
        constant: What to do with a channel that never varies; see `ChannelStatistics.to_spec`.
        on_bad_image: "error" stops at a file that cannot be read, "skip" measures the others.
        output: Folder whose bad_images.csv gets the files that were skipped.

    Returns:
        The same spec with mean and std, and everything measured.

    Raises:
        ValueError: If a file cannot be read, or none can; or the spec is of kind "rgb".
    """
    sample = train.sample(images, seed=seed)
    return standardised(
        spec,
        sample.paths(),
        lambda plain: _whole_blocks(presets.detection_eval(plain, min_size=min_size, max_size=max_size)),
        files=len(sample),
        of=len(train),
        constant=constant,
        on_bad_image=on_bad_image,
        output=output,
    )


def _whole_blocks(transform: DetectionTransform) -> Transform:
    def read(source: bytes) -> torch.Tensor:
        boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=stored_size(source))
        maps, target = transform(source, {"boxes": boxes})
        height, width = target["boxes"].canvas_size
        # Of a picture that is smaller than a block, the one there is.
        return maps[:, : max(1, height // _BLOCK_PX), : max(1, width // _BLOCK_PX)]

    return read
