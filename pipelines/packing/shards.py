"""Making the shards of a packed set, one after another, with photos packed in several threads."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from freqlearn.pipelines.data import UnreadableError, naming_file, reason
from freqlearn.pipelines.in_order import InOrder
from freqlearn.pipelines.packing.photos import PackedPhotos
from freqlearn.pipelines.progress import progress_bar
from freqlearn.pipelines.shards.writing import write_shard
from freqlearn.pipelines.unfinished import Unfinished, has_content
from freqlearn.reading import read_bytes, read_dct
from freqlearn.repacking import Repacking
from freqlearn.writing import write_jpeg


class ShardPlan(NamedTuple):
    """A shard that is to be made.

    Attributes:
        file: Its path relative to the index.
        photos: The photos of its split.
        positions: Which of them go into it.
    """

    file: str
    photos: PackedPhotos
    positions: range


@dataclass
class MadeShard:
    """What came of a shard.

    Attributes:
        bytes: Size of the tar file; 0 where there is none, as no photo of it could be read.
        sha256: Of the tar file.
        images: How many it holds.
        enlarged: How many of their photos are smaller than what they were resized to.
        photo_bytes: Of their photos' files together.
        jpeg_bytes: Of their own JPEG files together.
        skipped: File and reason of photos that could not be read.
    """

    bytes: int = 0
    sha256: str = ""
    images: int = 0
    enlarged: int = 0
    photo_bytes: int = 0
    jpeg_bytes: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


class _Packed(NamedTuple):
    jpeg: bytes
    enlarged: bool
    photo_bytes: int


def planned_shards(splits: Mapping[str, PackedPhotos], shard_images: int) -> list[ShardPlan]:
    """The shards of all splits, of so many photos each."""
    plans = []
    for name, photos in splits.items():
        for number, begin in enumerate(range(0, len(photos), shard_images)):
            positions = range(begin, min(begin + shard_images, len(photos)))
            plans.append(ShardPlan(f"{name}/{number:04}.tar", photos, positions))
    return plans


@dataclass(frozen=True)
class ShardMaker:
    """Makes shards.

    Attributes:
        root: The packed set's folder.
        repacking: What makes packed pictures of photos.
        skip: Whether photos that cannot be read are left out; otherwise they are errors.
        threads: How many photos to work on at once.
    """

    root: Path
    repacking: Repacking
    skip: bool
    threads: int

    def make(
        self, plans: list[ShardPlan], unfinished: Unfinished, done: Mapping[str, Any], *, progress: bool
    ) -> list[MadeShard]:
        """Make shards, but for those that are done already; note each when it is finished.

        Args:
            plans: The shards.
            unfinished: Where to note them.
            done: What has been noted before.
            progress: Whether to show a progress bar.

        Returns:
            What came of each.

        Raises:
            KeyboardInterrupt: On Ctrl-C, with a message that says how far it came.
            OSError: If a shard cannot be written.
            UnreadableError: If a photo cannot be read, and is not to be left out.
        """
        made = {plan.file: shard for plan in plans if (shard := self._finished(plan.file, done)) is not None}
        missing = [plan for plan in plans if plan.file not in made]
        jobs = ((plan.photos, position) for plan in missing for position in plan.positions)
        total, left = (sum(len(plan.positions) for plan in some) for some in (plans, missing))
        try:
            with (
                InOrder(self.threads) as workers,
                progress_bar("packing", "photos", total=total, done=total - left, shown=progress) as advance,
            ):
                results = workers.results(self._packed, jobs)
                for plan in missing:
                    shard = made[plan.file] = self._written(plan, results, advance)
                    unfinished.append(plan.file, asdict(shard))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted with {len(made)} of {len(plans)} shards finished; the same command goes on from there"
            ) from None
        return [made[plan.file] for plan in plans]

    def _finished(self, file: str, done: Mapping[str, Any]) -> MadeShard | None:
        """What came of a shard before, if it is still there as it was."""
        if file not in done:
            return None
        noted = dict(done[file])
        shard = MadeShard(**noted | {"skipped": [(name, why) for name, why in noted["skipped"]]})
        return shard if not shard.images or has_content(self.root / file, shard.bytes, shard.sha256) else None

    def _packed(self, job: tuple[PackedPhotos, int]) -> _Packed | Exception:
        photos, position = job
        try:
            photo = read_bytes(photos.path(position))
            img = read_dct(photo)
            jpeg = write_jpeg(self.repacking(img), metadata="orientation")
        except (ValueError, OSError) as error:
            return error
        return _Packed(jpeg, min(img.size_px) < self.repacking.short_side_px, len(photo))

    def _written(
        self, plan: ShardPlan, results: Iterator[_Packed | Exception], advance: Callable[[], object]
    ) -> MadeShard:
        """Write a shard of the next results."""
        shard = MadeShard()

        def members() -> Iterator[tuple[str, bytes]]:
            for position, result in zip(plan.positions, results, strict=False):
                advance()
                photos, path = plan.photos, plan.photos.path(position)
                if isinstance(result, Exception):
                    if not self.skip:
                        raise UnreadableError(naming_file(path, result)) from result
                    shard.skipped.append((str(path), reason(result)))
                    continue
                shard.images += 1
                shard.enlarged += result.enlarged
                shard.photo_bytes += result.photo_bytes
                shard.jpeg_bytes += len(result.jpeg)
                key = photos.key(position)
                yield f"{key}.jpg", result.jpeg
                yield f"{key}.cls", str(photos.label(position)).encode()

        path = self.root / plan.file
        path.parent.mkdir(exist_ok=True)
        written = write_shard(path, members())
        if not shard.images:
            path.unlink()
            return shard
        shard.bytes, shard.sha256 = written.size_bytes, written.sha256
        return shard
