"""What a run's options name as its data: class folders, tar shards, or a packed set of them."""

from dataclasses import dataclass
from pathlib import Path

from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.options import RunOptions
from freqlearn.pipelines.packing.finding import find_packed
from freqlearn.pipelines.shards import ShardSet, open_shards
from freqlearn.pipelines.shards.listing import are_shards
from freqlearn.spec import InputSpec

LabelledFiles = ClassFolder | ShardSet
"""Images with labels: the files of class folders, or the members of tar shards."""


@dataclass(frozen=True)
class DataFolders:
    """What to train on and what to validate on.

    Attributes:
        train: The training files.
        val: The validation files, with the training labels; None if there are none.
        held_out: What was held out of a folder without train/ and val/: fraction, seed and the whole folder's
            fingerprint, as a checkpoint carries them; None if the folder has its own train/.
    """

    train: LabelledFiles
    val: LabelledFiles | None
    held_out: dict[str, str | float | int] | None

    @property
    def packed(self) -> PackedSet | None:
        """The packed set that the training files are of."""
        return self.train.packed if isinstance(self.train, ShardSet) else None

    def check_spec(self, spec: InputSpec) -> None:
        """Refuse packed sets that lack what a model looks at; a ValueError says what."""
        for files in (self.train, self.val):
            if files is not None:
                check_spec(files, spec)


def check_spec(files: LabelledFiles, spec: InputSpec) -> None:
    """Refuse files of a packed set that lack what a model looks at.

    Raises:
        ValueError: If they lack channels, or were packed for another size; see `PackedSet.check_spec`.
    """
    if isinstance(files, ShardSet) and files.packed is not None:
        files.packed.check_spec(spec)


def open_run_data(options: RunOptions) -> DataFolders:
    """Find the training and validation images.

    Raises:
        ImportError: If there are shards, and webdataset is missing.
        ValueError: If there are no images, their classes do not fit together, or a packed set is not what its index
            says.
    """
    found = find_packed(options.data) if options.data is not None else None
    if options.data is not None and found is None and not are_shards(options.data / "train"):
        return open_data(options.data, val_fraction=options.val_fraction, seed=options.seed)
    train_source: str | Path
    val_source: str | Path | None
    if found is not None:
        packed, split = found
        train_source = packed.root / (split or "train")
        val_source = packed.root / "val" if split is None and "val" in packed.splits else None
        packed.split(split or "train")
    elif options.data is not None:
        train_source = options.data / "train"
        val_source = options.data / "val" if (options.data / "val").is_dir() else None
    else:
        train_source, val_source = options.train_shards or "", options.val_shards
    train = open_shards(train_source, classes=options.classes, images=options.train_images)
    if val_source is None:
        return DataFolders(train, None, None)
    val = open_shards(val_source, classes=options.classes, images=options.val_images, default_classes=train.classes)
    return DataFolders(train, val.relabelled(train.classes), None)


def open_data(data: str | Path, *, val_fraction: float = 0.2, seed: int = 0) -> DataFolders:
    """Find training and validation files: DATA/train and DATA/val, or a part held out of DATA/CLASS folders.

    Args:
        data: A folder with train/ (and val/), or with class folders.
        val_fraction: Share of every class to hold out where there is no val/; 0 trains without validation.
        seed: Chooses what is held out.

    Raises:
        OSError: If a folder cannot be read.
        ValueError: If there are no images, validation has a class that training lacks, or nothing can be held out.
    """
    data = Path(data)
    if (data / "train").is_dir():
        train = read_class_folder(data / "train")
        if (data / "val").is_dir():
            return DataFolders(train, read_class_folder(data / "val").relabelled(train.classes), None)
        whole = train
    else:
        whole = read_class_folder(data)
    if not val_fraction:
        return DataFolders(whole, None, None)
    train, val = whole.split(val_fraction, seed=seed)
    if not len(val):
        raise ValueError(
            f"{whole.root}: every class has a single image, so none can be held out; set val_fraction to 0"
        )
    held_out: dict[str, str | float | int] = {
        "fraction": val_fraction,
        "seed": seed,
        "fingerprint": whole.fingerprint(),
    }
    return DataFolders(train, val, held_out)
