"""`freqlearn stats`: mean and standard deviation of every channel over a folder of images."""

import time
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from freqlearn.channel_text import parse_channels
from freqlearn.channels import ChannelSet
from freqlearn.indexing import label
from freqlearn.pipelines.choosing import by_hash
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.listing import find_images
from freqlearn.pipelines.measuring import Measurement, measure
from freqlearn.pipelines.networks import usual_resize_px
from freqlearn.pipelines.options import OnBadImage
from freqlearn.pipelines.partial import PartialFile, partial_path
from freqlearn.pipelines.progress import progress_bar
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics, Deviation

_SECONDS_BETWEEN_SAVES = 60.0


@dataclass(frozen=True)
class Stats:
    """What `stats` found.

    Attributes:
        spec: The InputSpec, with mean and std.
        statistics: Everything measured, the other kind of std too.
        skipped: Path and reason of each file that could not be read.
    """

    spec: InputSpec
    statistics: ChannelStatistics
    skipped: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        measured = self.statistics
        channels = self.spec.channels or ChannelSet.all()
        lines = [str(self.spec), self.spec.source, f"{'channel':<9}{'mean':>12}{'std':>12}{'std of image means':>20}"]
        columns = zip(channels, measured.mean, measured.std, measured.std_of_image_means, strict=True)
        lines += [f"{label(i):<9}{mean:>12.3f}{std:>12.3f}{means:>20.3f}" for i, mean, std, means in columns][:8]
        if len(channels) > 8:
            lines.append(f"... and {len(channels) - 8} more channels")
        if self.skipped:
            lines.append(f"skipped {len(self.skipped)} files that could not be read:")
            lines += [f"  {path}: {reason}" for path, reason in self.skipped]
        return "\n".join(lines)


def stats(
    data: str | Path,
    output: str | Path | None = None,
    *,
    size_px: int = 448,
    resize_px: int | Literal["auto", "none"] = "auto",
    channels: str = "all",
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    std: Deviation = "coefficients",
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> Stats:
    """Measure mean and standard deviation of every channel over all images below a folder.

    The images go through the evaluation geometry: short side resized, centre cropped. The result does not depend on the
    number of threads. An interrupted run leaves the output as it was and keeps what it measured in OUTPUT.partial;
    the same command goes on from there.

    Args:
        data: Folder; images are found at any depth.
        output: InputSpec to write (JSON), in one step at the end; nothing is written if None.
        size_px: Size of the picture after the crop, in pixels, a multiple of 8.
        resize_px: Short side before the crop, in pixels; "auto" is 8/7 of the size (512 for 448), "none" does not
            resize (for files of at least the size).
        channels: Which channels, as `freqlearn.channel_text.parse_channels` reads them: "all", "24", "zigzag-16-4-4",
            "0-63,64,128", "Y", a JSON file, ...
        sample: Measure at most this many images, chosen at random; all if None.
        seed: Seed of that choice.
        threads: How many files to decode at once; by default one a core.
        std: Which standard deviation the InputSpec gets: that of the coefficients, or that of each image's mean, which
            DCTNet published.
        on_bad_image: What to do with a file that cannot be read: stop with an error that names it, or skip and list it.
        progress: Show a progress bar on stderr.

    Raises:
        ImportError: If a progress bar is wanted and the extra `train` is missing.
        KeyboardInterrupt: On Ctrl-C, with a message that says how far it came.
        ValueError: If there are no images, a size is wrong, or an image cannot be read.
    """
    chosen = parse_channels(channels)
    spec = InputSpec.unstandardised(chosen, size_px, _short_side(size_px, resize_px))
    if output is not None:
        output = Path(output)
        if not output.parent.is_dir():
            raise ValueError(f"{output}: expected an existing folder, but {output.parent} is none; create it")
    if sample is not None and sample < 1:
        raise ValueError(f"expected a sample of at least one image, got {sample}")
    paths = find_images(data)
    every = len(paths)
    if sample is not None and sample < every:
        names = [str(path.relative_to(data)) for path in paths]
        paths = [paths[i] for i in sorted(by_hash(names, seed)[:sample])]
    try:
        measurement = _measured(paths, spec, output, threads, on_bad_image, progress)
    except SampleError as error:
        raise ValueError(f"{error}; remove the file, or skip such files: --on-bad-image skip") from error
    statistics = measurement.statistics
    if statistics.images == 0:
        path, why = measurement.skipped[0]
        raise ValueError(f"{data}: none of {len(paths)} images could be read; the first: {path}: {why}")
    result = statistics.to_spec(
        chosen, size_px, spec.resize_px, std=std, source=_source(statistics, std, sample=len(paths) < every, seed=seed)
    )
    if output is not None:
        result.save(output)
        partial_path(output).unlink(missing_ok=True)
    return Stats(result, statistics, measurement.skipped)


def _measured(
    paths: list[Path],
    spec: InputSpec,
    output: Path | None,
    threads: int | None,
    on_bad_image: OnBadImage,
    progress: bool,
) -> Measurement:
    options = f"{spec.to_json()} {version('freqlearn')}"
    partial = None if output is None else PartialFile(output, paths, options)
    now = (partial and partial.load()) or Measurement(ChannelStatistics(spec.in_channels))
    saved = time.monotonic()
    running = measure(paths, eval_transform(spec), now, threads=threads, on_bad_image=on_bad_image)
    try:
        with (
            closing(running),
            progress_bar("measuring", "images", total=len(paths), done=now.done, shown=progress) as advance,
        ):
            for now in running:
                advance()
                if partial is not None and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    partial.save(now)
                    saved = time.monotonic()
    except BaseException as error:
        kept = ""
        if partial is not None and now.done:
            partial.save(now)
            kept = f"; {output} is untouched, and the same command goes on from {partial.path}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"interrupted after {now.done} of {len(paths)} images{kept}") from None
        raise
    return now


def _short_side(size_px: int, resize_px: int | Literal["auto", "none"]) -> int | None:
    if resize_px == "none":
        return None
    return usual_resize_px(size_px) if resize_px == "auto" else resize_px


def _source(statistics: ChannelStatistics, std: Deviation, *, sample: bool, seed: int) -> str:
    kind = "std of coefficients" if std == "coefficients" else "std of each image's mean, not of coefficients"
    chosen = f" chosen with seed {seed}" if sample else ""
    return (
        f"freqlearn stats: {statistics.images} images{chosen}, {statistics.coefficients} coefficients a channel; {kind}"
    )
