"""Small packed sets, as `freqlearn pack` writes them, and folders of the same files; indices without any files."""

import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import freqlearn as fl
from freqlearn.packed_index import PackedSplit, Packing
from freqlearn.pipelines.packing.options import PackOptions
from freqlearn.pipelines.packing.running import pack
from freqlearn.quality import quality_tables

QUALITY = 90


def write_packed(
    photos: Path, root: Path, spec: fl.InputSpec, *, channels: str | None = None, shard_images: int = 5
) -> fl.PackedSet:
    """Pack PHOTOS/SPLIT/CLASS/*.jpg into root/packed, and take the files out of it to root/files/SPLIT/CLASS.

    Args:
        photos: Folder with train/ and maybe val/.
        root: Folder for both.
        spec: What is packed for.
        channels: What the files carry, as the command takes it; the spec's by default.
        shard_images: Pictures a shard.
    """
    root.mkdir(exist_ok=True)
    spec.save(root / "spec.json")
    pack(
        PackOptions(
            data=photos,
            output=root / "packed",
            spec=str(root / "spec.json"),
            channels=channels,
            quality=QUALITY,
            shard_images=shard_images,
            progress=False,
            threads=1,
        )
    )
    packed = fl.PackedSet.load(root / "packed")
    for split in packed.splits:
        for shard in packed.shards(split):
            _take_out(shard, root / "files" / split, packed.classes)
    return packed


def index_of(
    root: Path,
    classes: list[str],
    spec: fl.InputSpec,
    channels: fl.ChannelSet,
    splits: Mapping[str, PackedSplit],
) -> fl.PackedSet:
    """Write the index of a packed set, and nothing else."""
    luma, chroma = (tuple(table.ravel().tolist()) for table in quality_tables(QUALITY))
    packing = Packing(spec.resize_px or spec.size_px, channels, QUALITY, (luma, chroma, chroma), "4:4:4", 5, 0)
    packed = fl.PackedSet(root, tuple(classes), spec, packing, splits)
    packed.save()
    return packed


def _take_out(shard: Path, folder: Path, classes: tuple[str, ...]) -> None:
    """Python's own tarfile reads the shard: FOLDER/CLASS/NAME.jpg."""
    with tarfile.open(shard) as tar:
        contents = {PurePosixPath(member.name): tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    for name, content in contents.items():
        if name.suffix == ".jpg":
            copy = folder / classes[int(contents[name.with_suffix(".cls")])] / name.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
