"""A model's accuracy with frequencies taken out of its pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.image_loader import ImageLoader
from freqlearn.pipelines.sensitivity.pictures import PictureInput
from freqlearn.pipelines.sensitivity.removals import Removal
from freqlearn.pipelines.sensitivity.result import ModelSensitivity, SensitivityPoint
from freqlearn.spectrum import Mask, PictureSpectrum


@dataclass
class _Count:
    right: int = 0
    lost: int = 0
    gained: int = 0
    taken: float = 0.0

    def add(self, before: torch.Tensor, after: torch.Tensor, taken: torch.Tensor) -> None:
        """Count a batch: (N,) bool each, right with everything and right without; and the squares taken out."""
        self.right += int(after.sum())
        self.lost += int((before & ~after).sum())
        self.gained += int((~before & after).sum())
        self.taken += float(taken)


@dataclass
class _Counts:
    """Of all batches so far: with nothing taken out, and without each of the removals."""

    images: int = 0
    right: int = 0
    energy: float = 0.0
    without: dict[Removal, _Count] = field(default_factory=dict)


@torch.inference_mode()
def measure(
    checkpoint: Checkpoint,
    loader: ImageLoader,
    removals: Sequence[Removal],
    *,
    name: str,
    mask: Mask,
    device: torch.device,
    step_done: Callable[[], object] = lambda: None,
) -> ModelSensitivity:
    """Evaluate a model with nothing taken out of its pictures, and without each of some frequencies.

    Pictures go on beyond their border as in a mirror, and their mean is never taken out.

    Args:
        checkpoint: The model.
        loader: Of the images, with `PictureInput(spec).transform()`.
        removals: What to take out; those that the model's pictures cannot hold are left out.
        name: What to call the model.
        mask: How the gain falls at the edges.
        device: Where to compute.
        step_done: Called after each pass of a batch through the model.

    Raises:
        ValueError: If there is no image, or all are skipped.
    """
    spec = checkpoint.header.spec
    source = PictureInput(spec)
    model = checkpoint.model.to(device).eval()
    bands = {removed: removed.band(spec.size_px, mask) for removed in removals if removed.concerns(spec.size_px)}
    counts = _Counts(without={removed: _Count() for removed in bands})

    def right(pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(source.model_input(pictures)).argmax(dim=1) == labels
        step_done()
        return found

    for loaded, labels in loader:
        pictures, labels = source.pictures(loaded.to(device)), labels.to(device)
        luma = source.luma(pictures)
        before = right(pictures, labels)
        counts.images += len(labels)
        counts.right += int(before.sum())
        counts.energy += float((luma - luma.mean(dim=(-2, -1), keepdim=True)).square().sum())
        spectrum = PictureSpectrum(pictures)
        for removed, band in bands.items():
            rest = spectrum.without(band, keep_mean=True)
            taken = (luma - source.luma(rest)).square().sum()
            counts.without[removed].add(before, right(rest, labels), taken)
    if not counts.images:
        path, why = next(iter(loader.bad_images.items()))
        raise ValueError(f"none of the images could be read; the first: {path}: {why}")
    return _summary(checkpoint, counts, name, tuple(sorted(loader.bad_images.items())))


def _summary(
    checkpoint: Checkpoint, counts: _Counts, name: str, skipped: tuple[tuple[str, str], ...]
) -> ModelSensitivity:
    spec = checkpoint.header.spec
    points = tuple(
        SensitivityPoint(
            removed=removed,
            top1=count.right / counts.images,
            lost=count.lost,
            gained=count.gained,
            images=counts.images,
            energy=count.taken / counts.energy if counts.energy else 0.0,
        )
        for removed, count in counts.without.items()
    )
    return ModelSensitivity(
        name=name,
        checkpoint=str(checkpoint.path),
        network=checkpoint.header.network,
        input="rgb" if spec.channels is None else spec.channels.name or f"{len(spec.channels)} channels",
        size_px=spec.size_px,
        resize_px=spec.resize_px,
        images=counts.images,
        top1=counts.right / counts.images,
        points=points,
        skipped=skipped,
    )
