"""`freqlearn stats`: mean and standard deviation of every channel over a folder of images, or tar shards."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from freqlearn.channel_text import parse_channels
from freqlearn.channels import ChannelSet
from freqlearn.indexing import label
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.gloo import started_processes
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.measuring import Measurement, Work, measure_lists
from freqlearn.pipelines.networks import usual_resize_px
from freqlearn.pipelines.options import OnBadImage
from freqlearn.pipelines.packing.finding import find_packed
from freqlearn.pipelines.partial import PartialFile
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.sampling import from_all_processes, rank_and_world
from freqlearn.pipelines.stats_lists import Lists, list_sources
from freqlearn.pipelines.unfinished import digest_of_run
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics, Deviation

_SECONDS_BETWEEN_SAVES = 60.0
_USUAL_SIZE_PX = 448


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
    size_px: int | None = None,
    resize_px: int | Literal["auto", "none"] = "auto",
    channels: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    std: Deviation = "coefficients",
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> Stats:
    """Measure mean and standard deviation of every channel over all images below a folder, or in tar shards.

    The images go through the evaluation geometry: short side resized, centre cropped. The result does not depend on the
    number of threads or processes, to the bit. An interrupted run leaves the output as it was and keeps what it
    measured in OUTPUT.partial; the same command goes on from there. Where torchrun has started several processes, each
    calls this and measures its share; the first one writes, and all of them return the same.

    Args:
        data: Folder, in which images are found at any depth; or shards, as `freqlearn.pipelines.shards.open_shards`
            takes them; or a packed set, whose split train is taken where it has one.
        output: InputSpec to write (JSON), in one step at the end; nothing is written if None.
        size_px: Size of the picture after the crop, in pixels, a multiple of 8; by default 448, or a packed set's.
        resize_px: Short side before the crop, in pixels; "auto" is 8/7 of the size (512 for 448), or a packed set's;
            "none" does not resize (for files of at least the size).
        channels: Which channels, as `freqlearn.channel_text.parse_channels` reads them: "all", "24", "zigzag-16-4-4",
            "0-63,64,128", "Y", a JSON file, ...; by default all that the files carry.
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
    found = find_packed(data)
    spec = _geometry(found.packed if found is not None else None, size_px, resize_px, channels)
    if found is not None:
        data = found.folder("train")
    if output is not None:
        output = Path(output)
        if not output.parent.is_dir():
            raise ValueError(f"{output}: expected an existing folder, but {output.parent} is none; create it")
    if sample is not None and sample < 1:
        raise ValueError(f"expected a sample of at least one image, got {sample}")
    with started_processes(), pointing_to_skip():
        lists = list_sources(data, sample, seed)
        options = f"{spec.to_json()} {version('freqlearn')} {lists.description()}"
        partial = None
        if output is not None and (output.is_file() or not output.exists()):  # nothing goes beside /dev/stdout
            partial = PartialFile(output, digest_of_run(lists.files(), options), rank_and_world()[0])
        measurement = _measured(lists, spec, partial, threads, on_bad_image, progress)
        statistics = measurement.statistics
        if statistics.images == 0:
            path, why = measurement.skipped[0]
            raise ValueError(f"{data}: none of {measurement.done} images could be read; the first: {path}: {why}")
        source = _source(statistics, std, sample=lists.chosen, seed=seed)
        chosen = spec.channels or ChannelSet.all()
        result = statistics.to_spec(chosen, spec.size_px, spec.resize_px, std=std, source=source)
        if output is not None and rank_and_world()[0] == 0:
            result.save(output)
            if partial is not None:
                partial.remove()
    return Stats(result, statistics, measurement.skipped)


def _measured(
    lists: Lists,
    spec: InputSpec,
    partial: PartialFile | None,
    threads: int | None,
    on_bad_image: OnBadImage,
    progress: bool,
) -> Measurement:
    """Measure this process's share, and merge it with the others'."""
    rank, world = rank_and_world()
    nothing = Measurement(ChannelStatistics(spec.in_channels))
    kept = partial.load() if partial is not None else {}
    from_all_processes(None)  # nobody writes before everybody has read
    if partial is not None:
        partial.start()
    mine = range(rank, len(lists.lists), world)
    share = _Share({number: kept.get(number, nothing) for number in mine}, partial)
    total = None if lists.images is None else sum(len(lists.lists[number]) for number in mine)
    work = (Work(number, lists.lists[number], share.now[number]) for number in mine)
    running = measure_lists(work, eval_transform(spec), threads=threads, on_bad_image=on_bad_image)
    with (
        closing(running),
        share.kept_if_it_fails(total),
        progress_bar("measuring", "images", total=total, done=share.done, shown=progress and rank == 0) as advance,
    ):
        for number, now, finished in running:
            share.update(number, now, finished)
            if not finished:
                advance()
    try:
        shares = from_all_processes(share.now)
    except RuntimeError as error:  # torch's word for a lost connection
        raise ConnectionError(
            "another process has stopped, and has said why; the same command goes on from what was measured"
        ) from error
    found = {number: now for some in shares for number, now in some.items()}
    merged = nothing
    for number in sorted(found):
        merged = merged.followed_by(found[number])
    return merged


class _Share:
    """What this process has measured of its lists."""

    def __init__(self, now: dict[int, Measurement], partial: PartialFile | None) -> None:
        self.now = now
        self.saved = {number: measurement.done for number, measurement in now.items()}
        self.partial = partial
        self._last = time.monotonic()

    @property
    def done(self) -> int:
        """Files that have been dealt with."""
        return sum(measurement.done for measurement in self.now.values())

    def update(self, number: int, now: Measurement, finished: bool) -> None:
        """Take over what was measured of a list; save it at its end, and now and then."""
        self.now[number] = now
        if finished or time.monotonic() - self._last > _SECONDS_BETWEEN_SAVES:
            self._save(number)
            self._last = time.monotonic()

    def _save(self, number: int) -> None:
        if self.partial is not None and self.now[number].done > self.saved[number]:
            self.partial.append(number, self.now[number])
            self.saved[number] = self.now[number].done

    @contextmanager
    def kept_if_it_fails(self, total: int | None) -> Iterator[None]:
        """Save everything if the block fails, and say after Ctrl-C how to go on."""
        try:
            yield
        except BaseException as error:
            kept = ""
            if self.partial is not None and self.done:
                for number in self.now:
                    self._save(number)
                kept = f"; {self.partial.output} is untouched, and the same command goes on from {self.partial.path}"
            if isinstance(error, KeyboardInterrupt):
                of = "" if total is None else f" of {total}"
                raise KeyboardInterrupt(f"interrupted after {self.done}{of} images{kept}") from None
            raise


def _geometry(
    packed: PackedSet | None, size_px: int | None, resize_px: int | Literal["auto", "none"], channels: str | None
) -> InputSpec:
    """What to measure: as the arguments of `stats` say, or as a packed set is made where they say nothing."""
    if packed is None:
        size_px = _USUAL_SIZE_PX if size_px is None else size_px
        return InputSpec.unstandardised(parse_channels(channels or "all"), size_px, _short_side(size_px, resize_px))
    own = packed.spec
    size_px = own.size_px if size_px is None else size_px
    short_side = own.resize_px if (size_px, resize_px) == (own.size_px, "auto") else _short_side(size_px, resize_px)
    spec = InputSpec.unstandardised(
        packed.channels if channels is None else parse_channels(channels), size_px, short_side
    )
    packed.check_spec(spec)
    return spec


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
