"""`freqlearn evaluate`: how well a checkpoint does on a folder of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchmetrics.classification import MulticlassAccuracy

from freqlearn.pipelines.checkpoint import Checkpoint, check_classes, load_checkpoint
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.data import Batch, ImageDataset
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.options import Accelerator
from freqlearn.pipelines.trainer import make_trainer, quiet_lightning


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a checkpoint does.

    Attributes:
        checkpoint: The checkpoint.
        data: The folder of the files.
        images: Number of files.
        held_out: Whether they are the part of the folder that training held out.
        loss: Mean cross entropy.
        top1: Share of files classified correctly.
        top5: Share of files whose class is among the five likeliest; None with five classes or fewer.
        per_class: top1 of every class that occurs.
        channels: Name of the channel set, or "rgb".
        in_channels: Number of channels of the model's input.
        bytes_per_image: Bytes of the model's input for one image, float32.
    """

    checkpoint: str
    data: str
    images: int
    held_out: bool
    loss: float
    top1: float
    top5: float | None
    per_class: Mapping[str, float]
    channels: str
    in_channels: int
    bytes_per_image: int


class _Evaluator(Classifier):
    """A classifier that also counts class by class."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        count = len(checkpoint.header.classes)
        super().__init__(checkpoint.model, num_classes=count)
        self.by_class = MulticlassAccuracy(count, average=None)

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        logits = super().validation_step(batch, batch_idx)
        self.by_class.update(logits, batch[1])
        return logits


def evaluate(
    checkpoint: str | Path,
    data: str | Path,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    progress: bool = True,
) -> Evaluation:
    """Evaluate a checkpoint on a folder of images.

    Args:
        checkpoint: A file that `freqlearn train` wrote.
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE. If it is the very folder that training held a part out
            of, only that part is evaluated.
        batch_size: Images a step.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        progress: Show a progress bar.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ValueError: If the folder is missing, empty, or has a class that the model does not know.
    """
    loaded = load_checkpoint(checkpoint)
    folder, held_out = _evaluation_folder(loaded, Path(data))
    dataset = ImageDataset(folder, eval_transform(loaded.header.spec))
    evaluator = _Evaluator(loaded)
    trainer = make_trainer(epochs=1, accelerator=accelerator, precision="32-true", progress=progress)
    with divided_cores(workers) as chosen, quiet_lightning():
        loader = make_loader(dataset, batch_size=batch_size, shuffle=False, num_workers=chosen)
        metrics: Any = trainer.validate(evaluator, loader, verbose=False)[0]
    occurring = sorted(set(folder.labels.tolist()))
    accuracies = evaluator.by_class.compute().tolist()
    spec = loaded.header.spec
    return Evaluation(
        checkpoint=str(checkpoint),
        data=str(folder.root),
        images=len(folder),
        held_out=held_out,
        loss=float(metrics["val/loss"]),
        top1=float(metrics["val/accuracy"]),
        top5=float(metrics["val/top5"]) if "val/top5" in metrics else None,
        per_class={folder.classes[label]: accuracies[label] for label in occurring},
        channels="rgb" if spec.channels is None else spec.channels.name,
        in_channels=spec.in_channels,
        bytes_per_image=spec.bytes_per_image,
    )


def _evaluation_folder(checkpoint: Checkpoint, data: Path) -> tuple[ClassFolder, bool]:
    root = next((data / part for part in ("val", "train") if (data / part).is_dir()), data)
    folder = read_class_folder(root)
    check_classes(checkpoint.header, folder.classes, root)
    held_out = checkpoint.header.held_out
    if held_out is not None and held_out["fingerprint"] == folder.fingerprint():
        _, part = folder.split(float(held_out["fraction"]), seed=int(held_out["seed"]))
        return part.relabelled(checkpoint.header.classes), True
    return folder.relabelled(checkpoint.header.classes), False
