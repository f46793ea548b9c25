"""`freqlearn export`: from a checkpoint to a model that needs nothing of what trained it."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

from freqlearn import atomic
from freqlearn.exported import loads_exported
from freqlearn.exported_about import Description
from freqlearn.pipelines.checkpoint import load_classifier
from freqlearn.pipelines.export.check import Comparison, compare
from freqlearn.pipelines.export.formats import to_onnx, to_torch
from freqlearn.pipelines.export.network import GatedNetwork, exportable, fix_gate
from freqlearn.pipelines.export.pictures import choose_pictures

Format = Literal["onnx", "torch"]
_SUFFIX = {"onnx": ".onnx", "torch": ".pt2"}


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        path: The file.
        description: What it says of itself.
        comparison: How it compares with the checkpoint.
        bytes: Size of the file.
    """

    path: Path
    description: Description
    comparison: Comparison
    bytes: int


def export(
    checkpoint: str | Path,
    output: str | Path | None = None,
    *,
    format: Format = "onnx",
    top: int | None = None,
    batch_size: int | None = None,
    verify_on: str | Path | None = None,
    images: int = 32,
) -> Export:
    """Export a checkpoint, and compare the result with it.

    Args:
        checkpoint: A file that `freqlearn train` or `freqlearn rank` wrote.
        output: File to write; by default next to the checkpoint, with the format's suffix.
        format: "onnx", or "torch" for an archive of torch.export (.pt2).
        top: Of a checkpoint with a gate, keep so many channels for every image; the gate is folded away and only they
            are the input. By default a gate is exported with the network, unless it is frozen.
        batch_size: Number of images the model takes at once; by default any.
        verify_on: Folder of photos to compare on; by default the validation files, if they are still where they were,
            else generated pictures.
        images: How many pictures to compare on.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ImportError: If a package for this format is missing.
        ValueError: If the options make no sense, or the exported model's logits differ from the checkpoint's by more
            than rounding explains; then nothing is written.
        OSError: If the file cannot be written.
    """
    if images < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"images and batch_size must be at least 1, got {images} and {batch_size}")
    target = _target(Path(checkpoint), None if output is None else Path(output), format, top)
    loaded = load_classifier(checkpoint)
    pictures = choose_pictures(None if verify_on is None else Path(verify_on), loaded.header, count=images)
    fix_gate(loaded, top)
    network, spec = exportable(loaded)
    description = Description(
        network=loaded.header.network,
        gate="dynamic" if isinstance(network, GatedNetwork) else None,
        spec=spec,
        classes=loaded.header.classes,
        batch_size=batch_size,
        versions={"freqlearn": version("freqlearn"), "torch": torch.__version__},
    )
    content = to_onnx(network, description) if format == "onnx" else to_torch(network, description)
    comparison = compare(loads_exported(content, name=str(target)), loaded, network, pictures)
    if not comparison.passed:
        raise ValueError(f"{target}: not written: the exported model is not the checkpoint's: {comparison}")
    atomic.write_file(target, lambda file: file.write(content))
    return Export(target, description, comparison, len(content))


def _target(checkpoint: Path, output: Path | None, format: Format, top: int | None) -> Path:
    suffix = _SUFFIX[format]
    if output is None:
        return checkpoint.with_name(f"{checkpoint.stem}{'' if top is None else f'-top{top}'}{suffix}")
    if output.suffix != suffix:
        raise ValueError(f"{output}: expected a name that ends in {suffix} for the format {format}")
    if not output.parent.is_dir():
        raise ValueError(f"{output}: there is no folder {output.parent}")
    return output
