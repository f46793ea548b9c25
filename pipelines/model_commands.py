"""What the `freqlearn` command runs of models: each function calls the library and prints; commands.py has the rest.

Light to import, so that `--help` is quick: the library is imported when a command runs.
"""

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.options import Accelerator, OnBadImage, TrainOptions
from freqlearn.pipelines.profile_options import ProfileOptions


def train(options: TrainOptions) -> None:
    """Train a classifier on a folder of images.

    Writes best.ckpt, last.ckpt, config.yaml and logs (CSV and TensorBoard) to the output folder. A checkpoint carries
    all that its model assumes of its input, so `freqlearn evaluate` and `freqlearn predict` need nothing else.
    """
    from freqlearn.pipelines.training import train as run

    say(str(run(options)))


def recipes() -> None:
    """List the recipes that `freqlearn train` and `freqlearn detect train` know as --config NAME, and what inputs cost.

    A name is NETWORK-INPUT-SCHEDULE. All inputs of a network share its schedules, and each half can be given alone:
    --config resnet50-classic --channels importance.json --top 24.
    """
    from freqlearn.pipelines.recipes import listing

    say(listing())


def evaluate(
    checkpoint: Path,
    *,
    data: str,
    batch_size: int = 64,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    devices: int | None = None,
    nodes: int = 1,
    on_bad_image: OnBadImage = "error",
    per_class: bool = False,
    json: bool = False,
    progress: bool = True,
) -> None:
    """Evaluate a checkpoint on a folder of images.

    Every image is counted exactly once, by however many processes.

    Args:
        checkpoint: A file that `freqlearn train` wrote.
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE; or tar shards, such as "val-{00..49}.tar"; or what
            freqlearn pack wrote. Of the very folder that training held a part out of, only that part is evaluated.
        batch_size: Images that a process computes at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        devices: Processes that evaluate together on each machine, one a GPU. By default those that torchrun started,
            or 1.
        nodes: Machines that evaluate together, where something other than torchrun starts them.
        on_bad_image: What to do with a file that cannot be used: stop with an error that names it, or skip it and list
            it.
        per_class: Also print the accuracy of every class.
        json: Print one JSON object instead of text.
        progress: Show a progress bar.
    """
    from freqlearn.pipelines.evaluation import evaluate as run

    result = run(
        checkpoint,
        data,
        batch_size=batch_size,
        workers=workers,
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        on_bad_image=on_bad_image,
        progress=progress,
    )
    if json:
        facts = asdict(result)
        say(json_format.dumps(facts if per_class else {k: v for k, v in facts.items() if k != "per_class"}))
        return
    part = " that training held out" if result.held_out else ""
    say(f"{result.images} images{part} of {result.data}")
    if result.skipped:
        say(f"skipped   {len(result.skipped)} that cannot be read; what follows is over the rest")
        for name, why in result.skipped:
            say(f"  {name}: {why}")
    say(f"input     {result.channels}, {result.in_channels} channels, {result.bytes_per_image:,} bytes an image")
    if result.mean_channels is not None:
        say(f"gate      {result.mean_channels:.1f} channels on average, {result.mean_bytes:,.0f} bytes an image")
    say(f"top-1     {result.top1:.2%}")
    if result.top5 is not None:
        say(f"top-5     {result.top5:.2%}")
    say(f"loss      {result.loss:.4f}")
    if per_class:
        width = max(map(len, result.per_class))
        for name, accuracy in result.per_class.items():
            say(f"  {name:<{width}}  {accuracy:.2%}")


def predict(checkpoint: Path, files: list[Path], *, top: int = 5, batch_size: int = 32, json: bool = False) -> int:
    """Name the likeliest classes of image files.

    A file that cannot be read is reported, the others are predicted all the same, and the exit status is 1.

    Args:
        checkpoint: A file that `freqlearn train` wrote.
        files: Images (JPEG, PNG, ...); a folder stands for all images below it.
        top: How many classes to name.
        batch_size: Images to compute at once.
        json: Print one JSON object a file instead of text.
    """
    from freqlearn.pipelines.prediction import predict as run

    failed = False
    for prediction in run(checkpoint, files, top=top, batch_size=batch_size):
        failed |= prediction.error is not None
        if json:
            say(json_format.dumps(_as_json(prediction)))
        elif prediction.error is not None:
            sys.stderr.write(" ".join(prediction.error.split()) + "\n")
        else:
            say(f"{prediction.file}:")
            for name, probability in prediction.top:
                say(f"  {probability:7.2%}  {name}")
    return int(failed)


def export(
    checkpoint: Path,
    *,
    output: Path | None = None,
    format: Literal["onnx", "torch"] = "onnx",
    top: int | None = None,
    batch_size: int | None = None,
    verify_on: Path | None = None,
    images: int = 32,
) -> None:
    """Export a checkpoint as a model that runs without the packages that trained it, and compare the two.

    The file carries all that is needed to go from an image file to a class name; freqlearn.load_exported reads it.

    Args:
        checkpoint: A file that `freqlearn train` or `freqlearn rank` wrote.
        output: File to write; by default next to the checkpoint, ending in .onnx or .pt2.
        format: ONNX, for onnxruntime and others, or torch, an archive of torch.export (.pt2) for torch alone.
        top: Of a checkpoint with a gate, keep so many channels for every image; the gate is folded away and only they
            are the input. By default the gate is exported with the network, unless it is frozen already.
        batch_size: Number of images that the model takes at once; by default any.
        verify_on: Folder of photos to compare on; by default the validation files, if they are still where they were,
            else generated pictures.
        images: How many pictures to compare on.
    """
    from freqlearn.pipelines.export import export as run

    result = run(checkpoint, output, format=format, top=top, batch_size=batch_size, verify_on=verify_on, images=images)
    about = result.description
    gate = "" if about.gate is None else f" behind a {about.gate} gate"
    say(f"{result.path}: {about.network}{gate} on {about.spec}, {len(about.classes)} classes, {result.bytes:,} bytes")
    frozen = "" if top is None else f", its gate frozen to {top} channels,"
    say(f"compared with {checkpoint}{frozen} on {result.comparison}")


def profile(options: ProfileOptions) -> None:
    """Show what a model costs for one image, layer by layer: multiply-accumulates, parameters, activation memory.

    Nothing is computed, so large models take as long as small ones. A multiply-accumulate (MAC) is one multiplication
    and one addition of a convolution, linear layer, matrix product or attention; the last line lists what is not
    counted. Activations are all tensors that one image's layers hand on, each once.
    """
    from freqlearn.pipelines.profiling.command import run

    say(run(options))


def info(files: list[Path]) -> int:
    """Say what the headers of JPEG files hold, what a checkpoint or an exported model was trained for, or a set packed.

    Args:
        files: JPEG files, checkpoints (.ckpt), exported models (.onnx, .pt2), or packed sets (their folders).
    """
    from freqlearn.exported import load_exported
    from freqlearn.packed_set import INDEX
    from freqlearn.pipelines.checkpoint import read_header
    from freqlearn.pipelines.data import naming_file
    from freqlearn.reading import read_info

    failed = False
    for file in files:
        try:
            if file.suffix == ".ckpt":
                header = read_header(file)
                about: Any = f"{header.title}; classes: {', '.join(header.classes)}"
            elif file.suffix in (".onnx", ".pt2"):
                about = load_exported(file).description
            elif file.name == INDEX or file.is_dir():
                about = _packed_set(file)
            else:
                about = read_info(file)
            say(f"{file}: {about}")
        except (ValueError, OSError) as error:
            failed = True
            sys.stderr.write(" ".join(naming_file(file, error).split()) + "\n")
    return int(failed)


def _packed_set(path: Path) -> str:
    from freqlearn.packed_set import INDEX, PackedSet

    if path.is_dir() and not (path / INDEX).is_file():
        raise ValueError(f"{path}: expected a file or a packed set, got a folder without {INDEX}")
    packed = PackedSet.load(path)
    splits = ", ".join(
        f"{split.images:,} images in {name} ({split.bytes / 1e6:,.1f} MB in tar shards: {len(split.shards)})"
        for name, split in packed.splits.items()
    )
    how = packed.packing
    tables = "tables of its own" if how.quality is None else f"quality {how.quality}"
    classes = ", ".join(packed.classes)
    return f"{splits}; for {packed.spec}; files carry {how.channels}, {how.sampling}, {tables}; classes: {classes}"


def _as_json(prediction: Any) -> dict[str, Any]:
    if prediction.error is not None:
        return {"file": str(prediction.file), "error": prediction.error}
    top = [{"class": name, "probability": probability} for name, probability in prediction.top]
    return {"file": str(prediction.file), "top": top}
