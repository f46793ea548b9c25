"""`freqlearn pack`: from a folder of photos to a packed set, which is read again at the end."""

import json
import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from freqlearn import atomic
from freqlearn.cores import available_cores
from freqlearn.packed_set import PackedSet, PackedShard, PackedSplit, checked_classes
from freqlearn.pipelines.bad_images import list_bad_images, skipped_line
from freqlearn.pipelines.cores import torch_threads
from freqlearn.pipelines.data import pointing_to_skip
from freqlearn.pipelines.packing.checking import check_packed
from freqlearn.pipelines.packing.options import PackOptions
from freqlearn.pipelines.packing.photos import PackedPhotos, find_photos
from freqlearn.pipelines.packing.places import begin_output
from freqlearn.pipelines.packing.report import PackReport
from freqlearn.pipelines.packing.settings import chosen_packing, repacking_of, standardised_spec, unmeasured_spec
from freqlearn.pipelines.packing.shards import MadeShard, ShardMaker, ShardPlan, planned_shards
from freqlearn.pipelines.shards.listing import CLASSES
from freqlearn.pipelines.unfinished import digest_of_run

_COMPARED = 100  # about so many pictures are held against their photos at the end

_log = logging.getLogger(__name__)


def pack(options: PackOptions) -> PackReport:
    """Write a packed set of a folder of photos, and read it again from beginning to end.

    The result does not depend on the number of threads, nor on whether it was made in one go: stopped at any time, the
    same options go on behind the last finished shard. The index is written last: a folder that has one is complete.

    Raises:
        ImportError: If a progress bar is wanted and the extra `train` is missing.
        KeyboardInterrupt: On Ctrl-C, with a message that says how far it came.
        OSError: If something cannot be read or written. Finished shards are kept.
        ValueError: If the options make no sense, there are no photos, one cannot be read, or what is read again is not
            what was to be written.
    """
    if options.data is None or options.output is None:
        raise ValueError("expected options that say what to pack and where to, got some that check a packed set")
    unmeasured, channels = unmeasured_spec(options)
    packing = chosen_packing(options, unmeasured.resize_px or 0, channels)
    photos = find_photos(options.data, seed=options.seed)
    train = next(iter(photos.values())).folder
    try:
        checked_classes(train.classes)
    except ValueError as error:
        raise ValueError(f"{options.data}: class folders: {error}; rename them") from error
    facts = (
        unmeasured.to_json(),
        json.dumps(packing.to_dict()),
        options.stats_images,
        options.on_bad_image,
        version("freqlearn"),
    )
    files = (path for split in photos.values() for path in split.folder.paths())
    unfinished, done = begin_output(options.data, options.output, digest_of_run(files, repr(facts)))
    threads = options.threads or available_cores()
    with pointing_to_skip(), torch_threads(1):  # there is a Python thread a core already
        spec = standardised_spec(options, unmeasured, train, options.output)
        atomic.write_text(options.output / CLASSES, "".join(f"{name}\n" for name in train.classes))
        plans = planned_shards(photos, options.shard_images)
        maker = ShardMaker(options.output, repacking_of(spec, packing), options.on_bad_image == "skip", threads)
        made = maker.make(plans, unfinished, done, progress=options.progress)
        by_split = _by_split(photos, plans, made)
        splits = {name: _indexed(name, shards) for name, shards in by_split.items()}
        packed = PackedSet(options.output, train.classes, spec, packing, splits)
        every = max(1, sum(map(len, photos.values())) // _COMPARED)
        faults = check_packed(packed, photos=photos, every=every, threads=threads, progress=options.progress)
    if faults:
        raise ValueError(
            f"{options.output} is not what was to be written, {len(faults)} faults, the first: {faults[0]}; have "
            "photos changed meanwhile, or is the disk damaged? Remove the folder and pack anew"
        )
    packed.save()
    unfinished.remove()
    skipped = {name: why for shard in made for name, why in shard.skipped}
    if skipped:
        _, count = list_bad_images(options.output, skipped)
        _log.warning("%s", skipped_line(options.output, count))
    return PackReport(packed, {name: [one for _, one in shards] for name, shards in by_split.items()})


def _by_split(
    photos: Mapping[str, PackedPhotos], plans: Sequence[ShardPlan], made: Sequence[MadeShard]
) -> dict[str, list[tuple[str, MadeShard]]]:
    """The shards of each split, by the files' names."""
    pairs = [(plan, shard) for plan, shard in zip(plans, made, strict=True)]
    return {name: [(plan.file, one) for plan, one in pairs if plan.photos is photos[name]] for name in photos}


def _indexed(name: str, shards: Sequence[tuple[str, MadeShard]]) -> PackedSplit:
    """What the index says of a split."""
    listed = [PackedShard(file, one.images, one.bytes, one.sha256) for file, one in shards if one.images]
    if not listed:
        first, why = shards[0][1].skipped[0]
        raise ValueError(f"none of the photos of {name} can be read; the first: {first}: {why}")
    return PackedSplit(sum(one.enlarged for _, one in shards), tuple(listed))
