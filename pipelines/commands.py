"""What the `freqlearn` command runs: each function calls the library and prints.

Light to import, so that `--help` is quick: the library is imported when a command runs.
"""

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from freqlearn.indexing import NUM_CHANNELS
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.options import Accelerator, OnBadImage, TrainOptions
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.workflow_options import RankAndTrainOptions, SweepOptions


def stats(
    data: str,
    output: Path | None = None,
    *,
    size_px: int = 448,
    resize_px: int | Literal["auto", "none"] = "auto",
    channels: str = "all",
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    std: Literal["coefficients", "image-means"] = "coefficients",
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> None:
    """Measure mean and standard deviation of every channel over all images below a folder, or in tar shards.

    The images go through the evaluation geometry: short side resized, centre cropped. The result does not depend on the
    number of threads, or of processes where torchrun starts several. An interrupted run leaves the output as it was and
    keeps what it measured in OUTPUT.partial; the same command goes on from there.

    Args:
        data: Folder, in which images are found at any depth; or tar shards, such as "train-{0000..0146}.tar".
        output: File to write: an InputSpec (JSON), for --spec of train and rank. Without it the result is only printed.
        size_px: Height and width of the picture after the crop, in pixels; a multiple of 8.
        resize_px: Short side before the crop, in pixels; auto is 8/7 of the size (512 for 448), none does not resize
            (for files of at least the size).
        channels: all; 24, 32, 48 or 64 (DCTNet's sets); Y, Cb or Cr; zigzag-16-4-4; a list such as 0-15,64,128; or a
            JSON file of a channel set.
        sample: Measure at most this many images, chosen at random; all by default.
        seed: Seed of that choice.
        threads: How many files to decode at once; by default one a core.
        std: Standard deviation of the coefficients, or of each image's mean, which DCTNet published.
        on_bad_image: What to do with a file that cannot be read: stop with an error that names it, or skip and list it.
        progress: Show a progress bar.
    """
    from freqlearn.pipelines.stats import stats as run

    result = run(
        data,
        output,
        size_px=size_px,
        resize_px=resize_px,
        channels=channels,
        sample=sample,
        seed=seed,
        threads=threads,
        std=std,
        on_bad_image=on_bad_image,
        progress=progress,
    )
    _write(str(result))


def rank(options: RankOptions) -> None:
    """Rank the 192 channels by how much a model needs them.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg and spec.json (mean and standard deviation of all
    channels) to the output folder, and a folder model/ with checkpoints of the network where the method trains one: of
    a ranking by gate, the dynamic model, which `freqlearn evaluate` takes.
    """
    from freqlearn.pipelines.ranking import rank as run

    _write(str(run(options)))


def rank_and_train(options: RankAndTrainOptions) -> None:
    """Rank the channels, then train with the best of them.

    Writes OUTPUT/rank as `freqlearn rank` does, and OUTPUT/train as `freqlearn train --channels OUTPUT/rank --top K`
    does. Interrupted in either stage, the same command with --resume goes on there.
    """
    from freqlearn.pipelines.two_stages import rank_and_train as run

    _write(str(run(options)))


def sweep_channels(options: SweepOptions) -> None:
    """Train with the most important 6, 12, 24, ... channels of a ranking: accuracy against the number of channels.

    Writes sweep.csv, sweep.json, sweep.png and sweep.svg to the output folder after each training, and for each a
    folder as `freqlearn train` does. Interrupted, the same command with --resume goes on; so it does with more numbers
    or seeds.
    """
    from freqlearn.pipelines.sweep import sweep as run

    _write(str(run(options)))


def train(options: TrainOptions) -> None:
    """Train a classifier on a folder of images.

    Writes best.ckpt, last.ckpt, config.yaml and logs (CSV and TensorBoard) to the output folder. A checkpoint carries
    all that its model assumes of its input, so `freqlearn evaluate` and `freqlearn predict` need nothing else.
    """
    from freqlearn.pipelines.training import train as run

    _write(str(run(options)))


def recipes() -> None:
    """List the recipes that `freqlearn train --config NAME` knows, with what each input costs.

    A name is NETWORK-INPUT-SCHEDULE. All inputs of a network share its schedules, and each half can be given alone:
    --config resnet50-classic --channels importance.json --top 24.
    """
    from freqlearn.pipelines.recipes import listing

    _write(listing())


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
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE; or tar shards, such as "val-{00..49}.tar". Of the very
            folder that training held a part out of, only that part is evaluated.
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
        _write(json_format.dumps(facts if per_class else {k: v for k, v in facts.items() if k != "per_class"}))
        return
    part = " that training held out" if result.held_out else ""
    _write(f"{result.images} images{part} of {result.data}")
    if result.skipped:
        _write(f"skipped   {len(result.skipped)} that cannot be read; what follows is over the rest")
        for name, why in result.skipped:
            _write(f"  {name}: {why}")
    _write(f"input     {result.channels}, {result.in_channels} channels, {result.bytes_per_image:,} bytes an image")
    if result.mean_channels is not None:
        _write(f"gate      {result.mean_channels:.1f} channels on average, {result.mean_bytes:,.0f} bytes an image")
    _write(f"top-1     {result.top1:.2%}")
    if result.top5 is not None:
        _write(f"top-5     {result.top5:.2%}")
    _write(f"loss      {result.loss:.4f}")
    if per_class:
        width = max(map(len, result.per_class))
        for name, accuracy in result.per_class.items():
            _write(f"  {name:<{width}}  {accuracy:.2%}")


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
            _write(json_format.dumps(_as_json(prediction)))
        elif prediction.error is not None:
            sys.stderr.write(" ".join(prediction.error.split()) + "\n")
        else:
            _write(f"{prediction.file}:")
            for name, probability in prediction.top:
                _write(f"  {probability:7.2%}  {name}")
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
    from freqlearn.pipelines.exporting import export as run

    result = run(checkpoint, output, format=format, top=top, batch_size=batch_size, verify_on=verify_on, images=images)
    about = result.description
    gate = "" if about.gate is None else f" behind a {about.gate} gate"
    _write(
        f"{result.path}: {about.network}{gate} on {about.spec}, {len(about.classes)} classes, {result.bytes:,} bytes"
    )
    frozen = "" if top is None else f", its gate frozen to {top} channels,"
    _write(f"compared with {checkpoint}{frozen} on {result.comparison}")


def heatmap(importance: Path, *, output: Path | None = None, top: int = 24) -> None:
    """Draw an importance file as three 8x8 panels: heatmap.png and heatmap.svg.

    Args:
        importance: importance.json, or the folder that holds it.
        output: Folder to write to; the one of the importance file by default.
        top: How many of the most important channels to outline.
    """
    from freqlearn.pipelines.heatmap import draw
    from freqlearn.pipelines.importance import Importance

    if not 1 <= top <= NUM_CHANNELS:
        raise ValueError(f"top must be 1 to {NUM_CHANNELS} channels, got {top}")
    loaded = Importance.load(importance)
    folder = output or (importance if importance.is_dir() else importance.parent)
    for path in draw(loaded, folder, selected=loaded.top(top)):
        _write(str(path))


def compare_rankings(rankings: list[Path], *, top: int = 24) -> None:
    """Show how much several rankings agree: rank correlation, and channels in common among the most important ones.

    Args:
        rankings: Two or more files importance.json, or the folders of rankings.
        top: How many of the most important channels to compare.
    """
    from freqlearn.pipelines.comparison import compare

    _write(str(compare(rankings, top=top)))


def info(files: list[Path]) -> int:
    """Say what the headers of JPEG files hold, or what a checkpoint or an exported model was trained for.

    Args:
        files: JPEG files, checkpoints (.ckpt), or exported models (.onnx, .pt2).
    """
    from freqlearn.exported import load_exported
    from freqlearn.pipelines.checkpoint import read_header
    from freqlearn.pipelines.data import naming_file
    from freqlearn.reading import read_info

    failed = False
    for file in files:
        try:
            if file.suffix == ".ckpt":
                header = read_header(file)
                about: Any = f"{header.network} on {header.spec}; classes: {', '.join(header.classes)}"
            elif file.suffix in (".onnx", ".pt2"):
                about = load_exported(file).description
            else:
                about = read_info(file)
            _write(f"{file}: {about}")
        except (ValueError, OSError) as error:
            failed = True
            sys.stderr.write(" ".join(naming_file(file, error).split()) + "\n")
    return int(failed)


def demo(
    photos: Path | None = None,
    *,
    output: Path = Path("demo"),
    top: int | None = None,
    size_px: int | None = None,
    epochs: int = 8,
    seeds: int = 5,
    seed: int = 0,
    workers: int | None = None,
) -> None:
    """Show the whole path on planted data, or on a folder of photos.

    Without photos it writes JPEG files whose classes differ in eight known channels only, and shows whether the ranking
    finds them. With photos it does the same on them, but nobody knows which channels matter there. It measures
    statistics, ranks the 192 channels with a gate, draws the heatmap, trains with the top channels, with DCT-24 and
    with all 192, compares them, and predicts some files.

    Args:
        photos: Folder with CLASS/IMAGE, or with train/CLASS/IMAGE and val/CLASS/IMAGE.
        output: Folder for everything that the demo writes; an earlier demo in it is replaced.
        top: How many channels to select. By default as many as are planted, or 24 on photos.
        size_px: Height and width of the pictures. By default 112, or 224 on photos.
        epochs: Passes over the training files, of the gate and of each model.
        seeds: How many planted data sets to rank by gate, energy and ablation; 0 leaves that out.
        seed: Seed of the (first) planted data set and of the trainings.
        workers: Loader processes; by default half of the cores, at most 4.
    """
    from freqlearn.pipelines.demo import demo as run

    run(
        photos,
        output=output,
        top=top,
        size_px=size_px,
        epochs=epochs,
        seeds=seeds,
        seed=seed,
        workers=workers,
    )


def bench(
    data: Path,
    *,
    output: Path | None = None,
    parts: str = "all",
    files: int = 100,
    rounds: int = 7,
    large_files: int = 4,
    threads: int = 2,
    markdown: bool = False,
    progress: bool = True,
) -> None:
    """Measure how fast your photos become what a network takes, beside other libraries, on this machine.

    Every library that is installed takes its turn over the same photos, in memory, in one process and one thread,
    round by round; `pip install 'freqlearn[bench]'` brings most of them, and what is missing is named with the reason.

    Args:
        data: Folder with JPEG files, at any depth.
        output: JSON file to write all measurements to, round by round.
        parts: all, or some of coefficients, training, evaluation, batches, large, memory, networks, profile, separated
            by commas.
        files: Measure at most this many files, evenly spread over their names; fewer where they are large (16 MB in
            all).
        rounds: How often everything is measured; tables show the median.
        large_files: How many 12-megapixel pictures to make of the photos for the part large.
        threads: Decode whole batches with one thread and with this many.
        markdown: Print tables in Markdown.
        progress: Show what runs.
    """
    from freqlearn.pipelines.bench.command import bench as run

    _write(
        run(
            data,
            output,
            parts=parts,
            files=files,
            rounds=rounds,
            large_files=large_files,
            threads=threads,
            markdown=markdown,
            progress=progress,
        )
    )


def _as_json(prediction: Any) -> dict[str, Any]:
    if prediction.error is not None:
        return {"file": str(prediction.file), "error": prediction.error}
    top = [{"class": name, "probability": probability} for name, probability in prediction.top]
    return {"file": str(prediction.file), "top": top}


def _write(line: str) -> None:
    if is_first_process():  # it speaks for all
        sys.stdout.write(line + "\n")
