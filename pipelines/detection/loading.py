"""Detectors from their checkpoints, and how their pictures are made."""

from pathlib import Path

from freqlearn import presets
from freqlearn.detection_presets import DetectionTransform
from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.checkpoint import Checkpoint, CheckpointError, Header, load_checkpoint


def load_detector(checkpoint: str | Path | Checkpoint) -> tuple[Checkpoint, FrequencyRCNN]:
    """Load a checkpoint that `freqlearn detect train` wrote.

    Args:
        checkpoint: The file, or one loaded already.

    Returns:
        The checkpoint, and its model.

    Raises:
        CheckpointError: If it cannot be used, or is of a classifier.
    """
    loaded = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    if not loaded.header.is_detector or not isinstance(loaded.model, FrequencyRCNN):
        raise CheckpointError(
            f"{loaded.path}: expected a detector, as freqlearn detect train writes it, got a classifier "
            f"({loaded.header.title}): freqlearn evaluate and freqlearn predict take it"
        )
    return loaded, loaded.model


def picture_transform(header: Header, *, exif_orientation: bool = False) -> DetectionTransform:
    """The evaluation transform of a detector: its geometry, without randomness.

    Args:
        header: What the checkpoint says.
        exif_orientation: As in `freqlearn.presets.detection_eval`.

    Raises:
        CheckpointError: If the header does not say how pictures are resized.
    """
    training = header.training
    missing = sorted({"min_size", "max_size", "pad"} - training.keys())
    if missing:
        raise CheckpointError(f"the checkpoint's description lacks {missing[0]} of the training")
    return presets.detection_eval(
        header.spec,
        min_size=int(training["min_size"]),
        max_size=int(training["max_size"]),
        pad=training["pad"],
        exif_orientation=exif_orientation,
    )
