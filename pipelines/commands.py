"""What the `freqlearn` command runs of data and rankings: each function calls the library and prints.

Light to import, so that `--help` is quick: the library is imported when a command runs.
"""

from pathlib import Path
from typing import Literal

from freqlearn.indexing import NUM_CHANNELS
from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.options import OnBadImage
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.workflow_options import RankAndTrainOptions, SweepOptions


def stats(
    data: str,
    output: Path | None = None,
    *,
    size_px: int | None = None,
    resize_px: int | Literal["auto", "none"] = "auto",
    channels: str | None = None,
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
        data: Folder, in which images are found at any depth; or tar shards, such as "train-{0000..0146}.tar"; or what
            freqlearn pack wrote, whose split train is taken.
        output: File to write: an InputSpec (JSON), for --spec of train and rank. Without it the result is only printed.
        size_px: Height and width of the picture after the crop, in pixels; a multiple of 8. 448 by default; the size of
            a packed set.
        resize_px: Short side before the crop, in pixels; auto is 8/7 of the size (512 for 448), or a packed set's; none
            does not resize (for files of at least the size).
        channels: all; 24, 32, 48 or 64 (DCTNet's sets); Y, Cb or Cr; zigzag-16-4-4; a list such as 0-15,64,128; or a
            JSON file of a channel set. All by default; all that the files of a packed set carry.
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
    say(str(result))


def rank(options: RankOptions) -> None:
    """Rank the 192 channels by how much a model needs them.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg and spec.json (mean and standard deviation of all
    channels) to the output folder, and a folder model/ with checkpoints of the network where the method trains one: of
    a ranking by gate, the dynamic model, which `freqlearn evaluate` takes.
    """
    from freqlearn.pipelines.ranking import rank as run

    say(str(run(options)))


def rank_and_train(options: RankAndTrainOptions) -> None:
    """Rank the channels, then train with the best of them.

    Writes OUTPUT/rank as `freqlearn rank` does, and OUTPUT/train as `freqlearn train --channels OUTPUT/rank --top K`
    does. Interrupted in either stage, the same command with --resume goes on there.
    """
    from freqlearn.pipelines.two_stages import rank_and_train as run

    say(str(run(options)))


def sweep_channels(options: SweepOptions) -> None:
    """Train with the most important 6, 12, 24, ... channels of a ranking: accuracy against the number of channels.

    Writes sweep.csv, sweep.json, sweep.png and sweep.svg to the output folder after each training, and for each a
    folder as `freqlearn train` does. Interrupted, the same command with --resume goes on; so it does with more numbers
    or seeds.
    """
    from freqlearn.pipelines.sweep import sweep as run

    say(str(run(options)))


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
        say(str(path))


def compare_rankings(rankings: list[Path], *, top: int = 24) -> None:
    """Show how much several rankings agree: rank correlation, and channels in common among the most important ones.

    Args:
        rankings: Two or more files importance.json, or the folders of rankings.
        top: How many of the most important channels to compare.
    """
    from freqlearn.pipelines.comparison import compare

    say(str(compare(rankings, top=top)))


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

    say(
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
