"""Small packed sets, written by webdataset, and folders of the same files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import webdataset

import freqlearn as fl
from freqlearn.packed_index import PackedShard, PackedSplit, Packing
from freqlearn.quality import quality_tables
from freqlearn.repacking import resized_coefficients

QUALITY = 90


def write_packed(
    photos: Path, root: Path, spec: fl.InputSpec, *, channels: fl.ChannelSet | None = None, shard_images: int = 5
) -> fl.PackedSet:
    """Pack PHOTOS/SPLIT/CLASS/*.jpg into root/packed, and write the same files to root/files/SPLIT/CLASS.

    Args:
        photos: Folder with train/ and maybe val/.
        root: Folder for both.
        spec: What is packed for.
        channels: What the files carry; the spec's by default.
        shard_images: Pictures a shard.
    """
    channels = channels or spec.channels or fl.ChannelSet.all()
    splits, packed = {}, root / "packed"
    classes = sorted(folder.name for folder in (photos / "train").iterdir())
    for split in ("train", "val"):
        if not (photos / split).is_dir():
            continue
        (packed / split).mkdir(parents=True)
        # Classes in turn: as if they had been shuffled, and so that every shard has several.
        files = sorted((photos / split).glob("*/*.jpg"), key=lambda path: (path.stem, path.parent.name))
        shards = []
        for begin in range(0, len(files), shard_images):
            path = packed / split / f"{begin // shard_images:04}.tar"
            with webdataset.TarWriter(str(path)) as writer:
                for file in files[begin : begin + shard_images]:
                    data = _packed(file, spec, channels)
                    name = file.parent.name
                    writer.write({"__key__": f"{name}-{file.stem}", "jpg": data, "cls": str(classes.index(name))})
                    copy = root / "files" / split / name / f"{file.stem}.jpg"
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(data)
            content = path.read_bytes()
            images = len(files[begin : begin + shard_images])
            digest = hashlib.sha256(content).hexdigest()
            shards.append(PackedShard(f"{split}/{path.name}", images, len(content), digest))
        splits[split] = PackedSplit(0, tuple(shards))
    (packed / "classes.txt").write_text("\n".join(classes) + "\n")
    return index_of(packed, classes, spec, channels, splits, shard_images)


def index_of(
    root: Path,
    classes: list[str],
    spec: fl.InputSpec,
    channels: fl.ChannelSet,
    splits: Mapping[str, PackedSplit],
    shard_images: int = 5,
) -> fl.PackedSet:
    """Write the index of a packed set."""
    luma, chroma = (tuple(table.ravel().tolist()) for table in quality_tables(QUALITY))
    tables = (luma, chroma, chroma)
    packing = Packing(spec.resize_px or spec.size_px, channels, QUALITY, tables, "4:4:4", shard_images, 0)
    packed = fl.PackedSet(root, tuple(classes), spec, packing, splits)
    packed.save()
    return packed


def _packed(file: Path, spec: fl.InputSpec, channels: fl.ChannelSet) -> bytes:
    img = resized_coefficients(
        fl.read_dct(file), spec.resize_px or spec.size_px, spec.size_px, channels=channels, quality=QUALITY
    )
    return fl.write_jpeg(img)
