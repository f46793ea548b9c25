"""`freqlearn evaluate`: how well a checkpoint does on a folder of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freqlearn.pipelines.checkpoint import Checkpoint, check_classes, load_classifier
from freqlearn.pipelines.evaluator import Evaluator
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.opening import labelled_dataset
from freqlearn.pipelines.options import Accelerator, OnBadImage
from freqlearn.pipelines.packing.finding import find_packed
from freqlearn.pipelines.run_data import LabelledFiles, check_spec
from freqlearn.pipelines.shards import open_shards
from freqlearn.pipelines.shards.listing import are_shards
from freqlearn.pipelines.validating import validating


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a checkpoint does.

    Attributes:
        checkpoint: The checkpoint.
        data: The folder of the files.
        images: Number of files that the model was given, as counted by what measured the rest of this.
        skipped: Path and reason of each file that could not be read.
        held_out: Whether they are the part of the folder that training held out.
        loss: Mean cross entropy.
        top1: Share of files classified correctly.
        top5: Share of files whose class is among the five likeliest; None with five classes or fewer.
        per_class: top1 of every class that occurs.
        channels: Name of the channel set, or "rgb".
        in_channels: Number of channels of the model's input.
        bytes_per_image: Bytes of the model's input for one image, float32.
        mean_channels: Of a model with a gate: how many channels are on, mean over the images.
        mean_bytes: Bytes of those channels' maps, mean over the images, float32.
    """

    checkpoint: str
    data: str
    images: int
    skipped: tuple[tuple[str, str], ...]
    held_out: bool
    loss: float
    top1: float
    top5: float | None
    per_class: Mapping[str, float]
    channels: str
    in_channels: int
    bytes_per_image: int
    mean_channels: float | None
    mean_bytes: float | None


def evaluate(
    checkpoint: str | Path,
    data: str | Path,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    devices: int | None = None,
    nodes: int = 1,
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> Evaluation:
    """Evaluate a checkpoint on a folder of images.

    Where several processes evaluate together, each calls this and gets the same result: every image is counted once,
    in one of them.

    Args:
        checkpoint: A file that `freqlearn train` wrote.
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE; a packed set, whose split val is taken where it has one;
            or tar shards, as `open_shards` takes them. If it is the very folder that training held a part out of, only
            that part is evaluated.
        batch_size: Images that a process computes at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        devices: Processes on each machine; by default those that torchrun started, or one.
        nodes: Machines.
        on_bad_image: "error" stops at a file that cannot be read, "skip" leaves it out.
        progress: Show a progress bar.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ValueError: If the folder is missing, empty, or has a class that the model does not know; if a packed set lacks
            what the model looks at; or if a file cannot be read, or none can.
    """
    loaded = load_classifier(checkpoint)
    folder, held_out = evaluation_files(loaded, data)
    evaluator = Evaluator(loaded)
    with validating(
        workers=workers, accelerator=accelerator, devices=devices, nodes=nodes, progress=progress
    ) as validation:
        dataset = labelled_dataset(folder, eval_transform(loaded.header.spec))
        skipped = validation.run(evaluator, dataset, batch_size=batch_size, on_bad_image=on_bad_image)
    found = evaluator.found
    if not found.images:
        name, why = next(iter(skipped.items()))
        raise ValueError(f"{folder.root}: none of {len(folder)} images could be read; the first: {name}: {why}")
    spec = loaded.header.spec
    bytes_per_channel = spec.bytes_per_image / spec.in_channels
    return Evaluation(
        checkpoint=str(checkpoint),
        data=str(folder.root),
        images=found.images,
        skipped=tuple(sorted(skipped.items())),
        held_out=held_out,
        loss=found.loss,
        top1=found.top1,
        top5=found.top5,
        per_class={folder.classes[label]: top1 for label, top1 in found.top1_of_class.items()},
        channels="rgb" if spec.channels is None else spec.channels.name,
        in_channels=spec.in_channels,
        bytes_per_image=spec.bytes_per_image,
        mean_channels=found.mean_channels,
        mean_bytes=None if found.mean_channels is None else found.mean_channels * bytes_per_channel,
    )


def evaluation_files(checkpoint: Checkpoint, data: str | Path) -> tuple[LabelledFiles, bool]:
    """The images to evaluate a checkpoint on, with its labels, and whether they are a part that training held out.

    Args:
        checkpoint: The checkpoint.
        data: As for `evaluate`.

    Raises:
        ValueError: If the folder is missing, empty, or has a class that the model does not know; or if a packed set
            lacks what the model looks at.
    """
    found = find_packed(data)
    if found is not None:
        root: str | Path = found.folder("val", "train")
    else:
        root = next((Path(data, part) for part in ("val", "train") if Path(data, part).is_dir()), data)
    if are_shards(root):
        shards = open_shards(root, default_classes=checkpoint.header.classes, count=True)
        check_classes(checkpoint.header, shards.classes, root)
        check_spec(shards, checkpoint.header.spec)
        return shards.relabelled(checkpoint.header.classes), False
    folder = read_class_folder(root)
    check_classes(checkpoint.header, folder.classes, root)
    held_out = checkpoint.header.held_out
    if held_out is not None and held_out["fingerprint"] == folder.fingerprint():
        _, part = folder.split(float(held_out["fraction"]), seed=int(held_out["seed"]))
        return part.relabelled(checkpoint.header.classes), True
    return folder.relabelled(checkpoint.header.classes), False
